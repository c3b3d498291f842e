"""What to do about a card payment. Rules are asked in order; the first that holds decides.

`fraud` is the model's answer: `calibrated` is a probability, `prediction_ecdf` a rank from 0 to 1000 among
the payments of the week before those that the model was trained on.
"""

from __future__ import annotations

from veredito.decide import Policy, Rule

policy = Policy(
    Rule(
        "R1",
        when=lambda fraud: fraud.calibrated >= 0.5,
        action="decline",
        reason="more likely fraud than not",
    ),
    Rule(
        "R2",
        when=lambda card_lost, fraud: card_lost and fraud.prediction_ecdf > 900,
        action="decline",
        reason="the card was reported lost, and the payment is unusual",
    ),
    Rule(
        "R3",
        when=lambda fraud: fraud.prediction_ecdf > 990,
        action="review",
        reason="among the riskiest 1 % of payments",
    ),
    Rule(
        "R4",
        when=lambda customer_known, fraud: not customer_known and fraud.prediction_ecdf > 980,
        action="review",
        reason="risky, and nothing is known of the customer",
    ),
    Rule(
        "R5",
        when=lambda device_reputation, terminal_risky, fraud: (
            fraud.prediction_ecdf > 970
            and (terminal_risky or (device_reputation is not None and device_reputation < 0.2))
        ),
        action="review",
        reason="risky, on a device or at a terminal of ill repute",
    ),
    otherwise="approve",
    score=lambda fraud: fraud.prediction_ecdf,
)
