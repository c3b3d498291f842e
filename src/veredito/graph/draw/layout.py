"""Where boxes go: columns by depth, rows by what they are connected to.

The layered method of Sugiyama, Tagawa and Toda (1981) in its plainest form: longest-path columns, way points
for lines that cross columns, barycentre sweeps against crossings, then rows pulled towards their neighbours.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

_SWEEPS = 24
_PULLS = 30
_ROW_GAP = 14.0
_POINT_HEIGHT = 6.0


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """Left upper corners of boxes, and each line's way points between its ends; in pixels."""

    corners: Mapping[str, tuple[float, float]]
    ways: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]
    width: float
    height: float


def place(
    sizes: Mapping[str, tuple[float, float]],
    lines: Sequence[tuple[str, str]],
    late: frozenset[str],
    gap: float,
) -> Placed:
    """Place boxes.

    Args:
        sizes: by box, needs first, its width and height.
        lines: from box, to box.
        late: boxes that stand as near to who needs them as they can, rather than as far left.
        gap: between columns.
    """
    column = _columns(sizes, lines, late)
    columns, ways, neighbours = _way_points(sizes, lines, column)
    columns = _uncross(columns, neighbours)
    heights = {
        item: sizes[item][1] if item in sizes else _POINT_HEIGHT for items in columns for item in items
    }
    middle = _rows(columns, neighbours, heights)
    left, x = [], 0.0
    widths = [max((sizes[item][0] for item in items if item in sizes), default=0.0) for items in columns]
    for width in widths:
        left.append(x)
        x += width + gap
    top = min(middle[item] - heights[item] / 2 for item in middle)
    corners = {
        name: (
            left[column[name]] + (widths[column[name]] - sizes[name][0]) / 2,
            middle[name] - heights[name] / 2 - top,
        )
        for name in sizes
    }
    where = {item: at for at, items in enumerate(columns) for item in items}
    points = {
        line: tuple(
            spot
            for item in items
            for spot in (
                (left[where[item]], middle[item] - top),
                (left[where[item]] + widths[where[item]], middle[item] - top),
            )
        )
        for line, items in ways.items()
    }
    bottom = max(middle[item] + heights[item] / 2 for item in middle) - top
    return Placed(corners, points, x - gap, bottom)


def _columns(
    sizes: Mapping[str, object], lines: Sequence[tuple[str, str]], late: frozenset[str]
) -> dict[str, int]:
    column = dict.fromkeys(sizes, 0)
    needs: dict[str, list[str]] = {name: [] for name in sizes}
    users: dict[str, list[str]] = {name: [] for name in sizes}
    for start, end in lines:
        needs[end].append(start)
        users[start].append(end)
    for name in sizes:
        column[name] = max((column[need] + 1 for need in needs[name]), default=0)
    for name in reversed(list(sizes)):
        if name in late and users[name]:
            column[name] = min(column[user] for user in users[name]) - 1
    return column


def _way_points(
    sizes: Mapping[str, object], lines: Sequence[tuple[str, str]], column: Mapping[str, int]
) -> tuple[list[list[str]], dict[tuple[str, str], list[str]], dict[str, tuple[list[str], list[str]]]]:
    columns: list[list[str]] = [[] for _ in range(max(column.values(), default=0) + 1)]
    for name in sizes:
        columns[column[name]].append(name)
    neighbours: dict[str, tuple[list[str], list[str]]] = {name: ([], []) for name in sizes}
    ways: dict[tuple[str, str], list[str]] = {}
    for start, end in lines:
        before, points = start, []
        for between in range(column[start] + 1, column[end]):
            # Lines out of one box share their way points: a bundle is easier to follow than ten parallels.
            point = f"{start}\n{between}"
            if point not in neighbours:
                neighbours[point] = ([], [])
                columns[between].append(point)
            _join(neighbours, before, point)
            points.append(point)
            before = point
        _join(neighbours, before, end)
        ways[start, end] = points
    return columns, ways, neighbours


def _join(neighbours: dict[str, tuple[list[str], list[str]]], left: str, right: str) -> None:
    if right not in neighbours[left][1]:
        neighbours[left][1].append(right)
        neighbours[right][0].append(left)


def _uncross(
    columns: list[list[str]], neighbours: Mapping[str, tuple[list[str], list[str]]]
) -> list[list[str]]:
    best, fewest = columns, _crossings(columns, neighbours)
    current = [list(items) for items in columns]
    for sweep in range(_SWEEPS):
        side = sweep % 2
        order = range(1, len(current)) if side == 0 else range(len(current) - 2, -1, -1)
        for at in order:
            beside = {item: row for row, item in enumerate(current[at - 1 if side == 0 else at + 1])}
            rows = {item: row for row, item in enumerate(current[at])}
            current[at].sort(
                key=lambda item: _mean([beside[other] for other in neighbours[item][side]], rows[item])
            )
        crossings = _crossings(current, neighbours)
        if crossings < fewest:
            best, fewest = [list(items) for items in current], crossings
    return best


def _crossings(
    columns: Sequence[Sequence[str]], neighbours: Mapping[str, tuple[list[str], list[str]]]
) -> int:
    crossed = 0
    for left, right in itertools.pairwise(columns):
        rows = {item: row for row, item in enumerate(right)}
        ends = [end for item in left for end in sorted(rows[other] for other in neighbours[item][1])]
        crossed += sum(1 for at, end in enumerate(ends) for other in ends[:at] if other > end)
    return crossed


def _rows(
    columns: Sequence[Sequence[str]],
    neighbours: Mapping[str, tuple[list[str], list[str]]],
    heights: Mapping[str, float],
) -> dict[str, float]:
    middle: dict[str, float] = {}
    for items in columns:
        at = -sum(heights[item] + _ROW_GAP for item in items) / 2
        for item in items:
            middle[item] = at + heights[item] / 2
            at += heights[item] + _ROW_GAP
    for pull in range(_PULLS):
        for items in columns if pull % 2 == 0 else list(columns)[::-1]:
            wanted = [
                _mean([middle[other] for side in neighbours[item] for other in side], middle[item])
                for item in items
            ]
            middle.update(zip(items, _apart(items, wanted, heights), strict=True))
    return middle


def _apart(items: Sequence[str], wanted: Sequence[float], heights: Mapping[str, float]) -> list[float]:
    """The rows nearest to those wanted at which nothing overlaps: half pushed down, half pushed up."""
    space = [(heights[one] + heights[two]) / 2 + _ROW_GAP for one, two in itertools.pairwise(items)]
    down, up = list(wanted), list(wanted)
    for at in range(1, len(items)):
        down[at] = max(down[at], down[at - 1] + space[at - 1])
    for at in range(len(items) - 2, -1, -1):
        up[at] = min(up[at], up[at + 1] - space[at])
    return [(one + two) / 2 for one, two in zip(down, up, strict=True)]


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else float(otherwise)
