"""One key's events in order of time, and what a window over them holds.

Counts come from positions, sums from a running total of whole numbers, so that a window costs two bisections
whatever its length, and taking two totals apart loses nothing: no rounding, hence the same numbers as a table
gives, to the last bit. It needs no clock and no loop.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from typing import NamedTuple

LATEST = 2**63 - 1  # an order after every other: reads all that is known up to a time


class Held(NamedTuple):
    """What a window holds: how many events, their sum, how many of them are flagged."""

    events: int
    total: int
    flagged: int


class Series:
    """The events of one key.

    Events of the same time keep the order they arrived in; `orders` remembers it, so that an event can be
    read as it was when it came even if others of the same instant came after it.
    """

    __slots__ = ("flagged", "orders", "times", "totals")

    def __init__(self) -> None:
        self.times = array("q")
        self.orders = array("q")
        self.totals = array("q", [0])  # totals[i] is the sum of all before the i-th, from some beginning
        self.flagged = array("q")

    def add(self, time: int, order: int, amount: int) -> None:
        """Put an event in its place; `order` is higher than any before."""
        totals = self.totals
        if not self.times or time >= self.times[-1]:
            totals.append(totals[-1] + amount)
            self.times.append(time)
            self.orders.append(order)
            return
        place = bisect_right(self.times, time)
        for later in range(place + 1, len(totals)):
            totals[later] += amount
        totals.insert(place + 1, totals[place] + amount)
        self.times.insert(place, time)
        self.orders.insert(place, order)

    def flag(self, time: int) -> None:
        """Flag an event of that time."""
        insort(self.flagged, time)

    def unflag(self, time: int) -> None:
        """Take back one flag of that time."""
        del self.flagged[bisect_left(self.flagged, time)]

    def held(self, after: int, until: int, order: int = LATEST) -> Held:
        """What happened after one time, and until another, that one included.

        Args:
            after: exclusive, in microseconds.
            until: inclusive, in microseconds.
            order: of the events at exactly `until`, those that arrived up to this one.
        """
        times = self.times
        low, high = bisect_right(times, after), bisect_right(times, until)
        if order != LATEST:
            high = bisect_right(self.orders, order, bisect_left(times, until), high)
        flagged = bisect_right(self.flagged, until) - bisect_right(self.flagged, after)
        return Held(high - low, self.totals[high] - self.totals[low], flagged)

    def remove(self, time: int, order: int) -> None:
        """Take out the event that was added with that time and order; its flag, if any, stays."""
        times, totals = self.times, self.totals
        low, high = bisect_left(times, time), bisect_right(times, time)
        place = bisect_left(self.orders, order, low, high)
        amount = totals[place + 1] - totals[place]
        if place == 0:  # the usual case: the earliest goes first, and the others' totals may stay as they are
            del totals[0]
        else:
            for later in range(place + 2, len(totals)):
                totals[later] -= amount
            del totals[place + 1]
        del times[place], self.orders[place]

    def __len__(self) -> int:
        return len(self.times)
