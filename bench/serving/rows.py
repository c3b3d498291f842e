"""The rows: 45 numbers and 5 texts, seeded; a few are missing, and some texts were never seen in training.

Only numpy is imported, because the peers import this too.
"""

import numpy as np

NUMBERS = [f"n{i:02d}" for i in range(45)]
TEXTS = [f"t{i}" for i in range(5)]
NAMES = NUMBERS + TEXTS
MISSING = 0.03
CATEGORIES = (8, 24, 60, 150, 400)  # from a card's brand to a merchant


def columns(rows, seed, unseen=0.0):
    """Column name to values; a missing one is None."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=rows)
    table = {}
    for place, name in enumerate(NUMBERS):
        weight = 0.8 if place % 3 == 0 else 0.1
        values = np.exp(weight * hidden + rng.normal(size=rows)) * (1 + place)
        table[name] = _with_missing(np.round(values, 4).tolist(), rng)
    for name, categories in zip(TEXTS, CATEGORIES, strict=True):
        codes = np.minimum(rng.geometric(4 / categories, size=rows), categories)
        codes = np.where(rng.random(rows) < unseen, codes + 10_000, codes)
        table[name] = _with_missing([f"{name}-{code}" for code in codes], rng)
    chance = 1 / (1 + np.exp(3.2 - 1.6 * hidden - 0.4 * rng.normal(size=rows)))
    table["target"] = (rng.random(rows) < chance).astype(float).tolist()
    return table


def requests(count, seed=11):
    """Rows as they arrive, with 1 % of unseen texts, as dictionaries."""
    table = columns(count, seed, unseen=0.01)
    return [{name: table[name][place] for name in NAMES} for place in range(count)]


def _with_missing(values, rng):
    gone = rng.random(len(values)) < MISSING
    return [None if is_gone else value for value, is_gone in zip(values, gone, strict=True)]
