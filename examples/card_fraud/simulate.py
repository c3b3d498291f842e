"""A small world of card payments, with frauds of three kinds, to try things on.

Customers and terminals live in a plane. A customer pays at terminals within reach, a Poisson number of times
a day, mostly around noon, amounts drawn around a mean of their own. Then come the thieves:

1. payments above 220 are fraud, so that there is something a single rule can find;
2. every day two terminals fall to thieves, and for 28 days every payment there is fraud;
3. every day three customers' cards are stolen, and for 14 days a third of their payments are fraud, and five
   times as large.

The world follows the one that the Reproducible Machine Learning for Credit Card Fraud Detection handbook
(Le Borgne, Siblini, Lebichot and Bontempi, 2022) publishes, and has its columns; the code is our own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DAY_SECONDS = 86_400
SIDE = 100.0  # the plane is a square of this side
LARGE_AMOUNT = 220.0
TERMINAL_DAYS, TERMINALS_A_DAY = 28, 2
CUSTOMER_DAYS, CUSTOMERS_A_DAY = 14, 3
STOLEN_SHARE, STOLEN_FACTOR = 1 / 3, 5.0


@dataclass(frozen=True)
class World:
    """What to simulate.

    Args:
        customers: how many pay.
        terminals: how many can be paid at.
        days: how long.
        start: the first day.
        radius: how far a customer goes, in a plane of side 100.
        seed: the same seed gives the same table.
    """

    customers: int = 2_500
    terminals: int = 5_000
    days: int = 66
    start: dt.date = dt.date(2018, 4, 1)
    radius: float = 5.0
    seed: int = 0


def simulate(world: World) -> pl.DataFrame:
    """The payments of a world, in order of time.

    Args:
        world: what to simulate.

    Returns:
        TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_TIME_SECONDS, TX_TIME_DAYS,
        TX_FRAUD (0 or 1) and TX_FRAUD_SCENARIO (0 for none, else the kind).

    Example:
        >>> table = simulate(World(customers=50, terminals=200, days=3, radius=20.0))
        >>> table["TX_DATETIME"].is_sorted()
        True
    """
    random = np.random.default_rng(world.seed)
    customer, terminal, seconds, amount = _payments(world, random)
    scenario, amount = _thieves(world, random, customer, terminal, seconds // DAY_SECONDS, amount)
    midnight = np.datetime64(world.start, "ms")
    return pl.DataFrame(
        {
            "TRANSACTION_ID": np.arange(len(seconds), dtype=np.int32),
            "TX_DATETIME": midnight + (seconds * 1_000).astype("timedelta64[ms]"),
            "CUSTOMER_ID": customer.astype(np.int32),
            "TERMINAL_ID": terminal.astype(np.int32),
            "TX_AMOUNT": amount,
            "TX_TIME_SECONDS": seconds.astype(np.int32),
            "TX_TIME_DAYS": (seconds // DAY_SECONDS).astype(np.int32),
            "TX_FRAUD": (scenario > 0).astype(np.int8),
            "TX_FRAUD_SCENARIO": scenario,
        }
    )


def _payments(world: World, random: np.random.Generator) -> tuple[Ints, Ints, Ints, Floats]:
    """Who pays where, when and how much, in order of time."""
    offsets, near = _terminals_near(world, random)
    reachable = np.diff(offsets)
    mean_amount = random.uniform(5.0, 100.0, world.customers)
    rate = np.where(reachable > 0, random.uniform(0.0, 4.0, world.customers), 0.0)
    counts = random.poisson(rate, (world.days, world.customers))
    day, customer = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    second = random.normal(DAY_SECONDS / 2, 20_000.0, len(day)).astype(np.int64)
    kept = (second > 0) & (second < DAY_SECONDS)  # the tails of the day belong to no day
    day, customer, second = day[kept], customer[kept], second[kept]
    order = np.argsort(day * DAY_SECONDS + second, kind="stable")
    day, customer, second = day[order], customer[order], second[order]
    pick = (random.random(len(day)) * reachable[customer]).astype(np.int64)
    mean = mean_amount[customer]
    amount = random.normal(mean, mean / 2)
    amount = np.where(amount < 0, random.uniform(0.0, 2 * mean), amount)
    return customer, near[offsets[customer] + pick], day * DAY_SECONDS + second, np.round(amount, 2)


def _terminals_near(world: World, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Each customer's terminals, end to end, and where each customer's begin."""
    homes = random.uniform(0.0, SIDE, (world.customers, 2))
    places = random.uniform(0.0, SIDE, (world.terminals, 2))
    counts, near = [np.zeros(1, dtype=np.int64)], []
    for some in np.array_split(homes, max(1, world.customers // 500)):  # a part at a time bounds the memory
        distance = np.hypot(*(some[:, None, axis] - places[None, :, axis] for axis in (0, 1)))
        rows, columns = np.nonzero(distance < world.radius)
        counts.append(np.bincount(rows, minlength=len(some)))
        near.append(columns)
    return np.cumsum(np.concatenate(counts)), np.concatenate(near)


def _thieves(
    world: World, random: np.random.Generator, customer: Ints, terminal: Ints, day: Ints, amount: Floats
) -> tuple[NDArray[np.int8], Floats]:
    """Each payment's kind of fraud, and the amounts after the thieves."""
    fallen = _compromised(world.days, world.terminals, TERMINALS_A_DAY, TERMINAL_DAYS, random)
    stolen = _compromised(world.days, world.customers, CUSTOMERS_A_DAY, CUSTOMER_DAYS, random)
    taken = stolen[day, customer] & (random.random(len(day)) < STOLEN_SHARE)
    scenario = np.where(amount > LARGE_AMOUNT, 1, 0)
    scenario = np.where(fallen[day, terminal], 2, scenario)
    scenario = np.where(taken, 3, scenario)
    return scenario.astype(np.int8), np.round(np.where(taken, amount * STOLEN_FACTOR, amount), 2)


def _compromised(
    days: int, many: int, a_day: int, lasting: int, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Which of `many` are in thieves' hands on which day; shape (days, many)."""
    state = np.zeros((days, many), dtype=np.bool_)
    for day in range(days):
        state[day : day + lasting, random.choice(many, min(a_day, many), replace=False)] = True
    return state


def main() -> None:
    """Write a simulated table to a Parquet file."""
    world = World()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="the Parquet file to write")
    parser.add_argument("--customers", type=int, default=world.customers)
    parser.add_argument("--terminals", type=int, default=world.terminals)
    parser.add_argument("--days", type=int, default=world.days)
    parser.add_argument("--start", type=dt.date.fromisoformat, default=world.start)
    parser.add_argument("--radius", type=float, default=world.radius)
    parser.add_argument("--seed", type=int, default=world.seed)
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    began = time.perf_counter()
    table = simulate(World(**arguments))
    table.write_parquet(out)
    took = time.perf_counter() - began
    print(f"{table.height:,} payments, {table['TX_FRAUD'].mean():.2%} fraud, in {took:.1f} s: {out}")


if __name__ == "__main__":
    main()
