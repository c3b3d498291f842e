"""What a card payment looks like to the model and to the policy.

The numbers of the literature on this data: whether it is night or weekend; per customer, how many payments
and of what mean amount over 1, 7 and 30 days; per terminal, how many payments and which share of them were
frauds, over the same windows, ended 7 days ago, because that long a fraud takes to be reported.

They are made twice: here below from events and the windows that the service keeps, and by
`offline_features` from a table. The tests hold the two to the same numbers, bit for bit.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec
import polars as pl

from veredito import graph as vg

DAYS = (1, 7, 30)
LABEL_DELAY_DAYS = 7
NIGHT_UNTIL_HOUR = 6
SMALL_AMOUNT = 15.0
KNOWN_TERMINAL_EVENTS = 5

FEATURES = (
    "amount",
    "is_night",
    "is_weekend",
    *(f"customer_{measure}_{days}d" for days in DAYS for measure in ("count", "mean")),
    *(f"terminal_{measure}_{days}d" for days in DAYS for measure in ("count", "share")),
)


class Transaction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card payment that waits for an answer."""

    transaction_id: Annotated[int, msgspec.Meta(ge=0)]
    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    customer_id: Annotated[int, msgspec.Meta(ge=0)]
    terminal_id: Annotated[int, msgspec.Meta(ge=0)]
    amount: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


transaction = vg.input("transaction", Transaction)


@vg.effect(timeout_ms=50)
async def history(transaction: Transaction, velocity: Any) -> dict[str, float | None]:
    """The payment's windows; without them nothing can be said, so there is no default."""
    return velocity.read(transaction)


@vg.effect(timeout_ms=80, default=None)
async def customer(transaction: Transaction, crm: Any) -> dict[str, Any] | None:
    """Who pays, as the customer service knows them."""
    return await crm.get(transaction.customer_id)


@vg.effect(timeout_ms=80, default=None)
async def card(transaction: Transaction, cards: Any) -> dict[str, Any] | None:
    """The card's state at the issuer."""
    return await cards.get(transaction.customer_id)


@vg.effect(timeout_ms=80, default=None)
async def terminal(transaction: Transaction, terminals: Any) -> dict[str, Any] | None:
    """Where the payment is made."""
    return await terminals.get(transaction.terminal_id)


@vg.effect(timeout_ms=60, default=None)
async def device(transaction: Transaction, devices: Any) -> dict[str, Any] | None:
    """What is said of the device that the customer pays with."""
    return await devices.get(transaction.customer_id)


@vg.pure
def customer_known(customer: dict[str, Any] | None) -> bool:
    """Whether the customer service answered, and knows who this is."""
    return customer is not None


@vg.pure
def card_lost(card: dict[str, Any] | None) -> bool:
    """Whether the card was reported lost. What nobody can say is not held against the customer."""
    return card is not None and card["state"] == "reported_lost"


@vg.pure
def terminal_risky(terminal: dict[str, Any] | None) -> bool:
    """Whether others have complained of the terminal."""
    return terminal is not None and terminal["disputes_open"] >= 3


@vg.pure
def device_reputation(device: dict[str, Any] | None) -> float | None:
    """From 0, bad, to 1, good; missing where the device is unknown."""
    return None if device is None else device["reputation"]


@vg.pure
def features(transaction: Transaction, history: dict[str, float | None]) -> dict[str, Any]:
    """The model's row."""
    at = transaction.at.astimezone(dt.UTC)
    return {
        "amount": transaction.amount,
        "is_night": at.hour <= NIGHT_UNTIL_HOUR,
        "is_weekend": at.weekday() >= 5,
        **history,
    }


@vg.pure
def applicable(transaction: Transaction, history: dict[str, float | None]) -> bool:
    """The pre-policy: a small amount at a terminal with a past and without recent frauds needs no model."""
    return (
        transaction.amount >= SMALL_AMOUNT
        or (history["terminal_count_30d"] or 0) < KNOWN_TERMINAL_EVENTS
        or bool(history["terminal_share_30d"])
    )


def events_of(table: pl.DataFrame) -> pl.DataFrame:
    """A table of payments as the service's events, with their labels.

    Args:
        table: TRANSACTION_ID, TX_DATETIME (UTC), CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT and TX_FRAUD, any order.

    Returns:
        The fields of `Transaction`, and `fraud` (0 or 1), in order of time.
    """
    return table.select(
        transaction_id=pl.col("TRANSACTION_ID").cast(pl.Int64),
        at=pl.col("TX_DATETIME").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        customer_id=pl.col("CUSTOMER_ID").cast(pl.Int64),
        terminal_id=pl.col("TERMINAL_ID").cast(pl.Int64),
        amount=pl.col("TX_AMOUNT").cast(pl.Float64),
        fraud=pl.col("TX_FRAUD").cast(pl.Int64),
    ).sort("at", "transaction_id")


def offline_features(events: pl.DataFrame) -> pl.DataFrame:
    """The model's columns for every event, each as it could have been known at that event's time.

    Args:
        events: as `events_of` gives them.

    Returns:
        The same rows in the same order, with the columns of `FEATURES` added.

    Example:
        >>> from simulate import World, simulate
        >>> events = events_of(simulate(World(customers=50, terminals=200, days=3, radius=20.0)))
        >>> offline_features(events).height == events.height
        True
    """
    table = events.with_columns(
        is_night=pl.col("at").dt.hour() <= NIGHT_UNTIL_HOUR,
        is_weekend=pl.col("at").dt.weekday() > 5,
        _cents=(pl.col("amount") * 100 + 0.5).floor().cast(pl.Int64),
    )
    table = _with_windows(table, "customer", "_cents", delay_days=0)
    table = _with_windows(table, "terminal", "fraud", delay_days=LABEL_DELAY_DAYS)
    means = {
        f"customer_mean_{days}d": pl.col(f"_customer_{days}d") / (100 * pl.col(f"customer_count_{days}d"))
        for days in DAYS
    }
    shares = {
        f"terminal_share_{days}d": pl.when(pl.col(f"terminal_count_{days}d") > 0).then(
            pl.col(f"_terminal_{days}d") / pl.col(f"terminal_count_{days}d")
        )
        for days in DAYS
    }
    return table.with_columns(**means, **shares).select(*events.columns, *FEATURES[1:])


def _with_windows(table: pl.DataFrame, entity: str, summed: str, *, delay_days: int) -> pl.DataFrame:
    """Counts and sums over (t - delay - days, t - delay], as differences of running totals.

    A running total needs no rounding where it is of whole numbers. Where there is no delay, the total at the
    near end is the event's own, which leaves out others of the same instant that came after it.
    """
    key = f"{entity}_id"
    totals = table.select(
        key,
        "at",
        _count=pl.int_range(1, pl.len() + 1).over(key),
        _sum=pl.col(summed).cum_sum().over(key),
    )
    near = (
        totals.select("_count", "_sum") if delay_days == 0 else _totals_before(table, totals, key, delay_days)
    )
    columns: dict[str, pl.Series] = {}
    for days in DAYS:
        far = _totals_before(table, totals, key, delay_days + days)
        columns[f"{entity}_count_{days}d"] = near["_count"] - far["_count"]
        columns[f"_{entity}_{days}d"] = near["_sum"] - far["_sum"]
    return table.with_columns(**columns)


def _totals_before(table: pl.DataFrame, totals: pl.DataFrame, key: str, days: int) -> pl.DataFrame:
    """Each row's key's running totals as they were so many days earlier; zero where it had no past."""
    then = table.select(key, at=pl.col("at") - pl.duration(days=days))
    found = then.join_asof(totals, on="at", by=key, strategy="backward", check_sortedness=False)
    return found.select(pl.col("_count", "_sum").fill_null(0))
