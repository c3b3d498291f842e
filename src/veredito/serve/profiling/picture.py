"""A profile as an SVG: a bar a stage, as long as its median, with its 99th percentile behind it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from veredito.graph.draw.sketch import duration
from veredito.serve.profiling.profile import Profile

_LEFT, _BAR, _RIGHT = 120, 460, 180  # widths of names, bars and figures
_LINE, _TITLE = 24, 40
_STYLE = "font:13px system-ui,sans-serif;fill:#1a1a1a"


def picture(profiles: Sequence[Profile]) -> str:
    """The profiles one below the other, each on a scale of its own."""
    parts: list[str] = []
    top = 0
    for profile in profiles:
        parts += _drawn(profile, top)
        top += _TITLE + _LINE * len(profile.shares) + 12
    width = _LEFT + _BAR + _RIGHT
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" style="{_STYLE}">'
    return "\n".join([head, f'<rect width="{width}" height="{top}" fill="#fff"/>', *parts, "</svg>\n"])


def _drawn(profile: Profile, top: int) -> list[str]:
    longest = max(share.p99_us for share in profile.shares) or 1.0
    lines = [f'<text x="8" y="{top + 26}" font-weight="600">{escape(_heading(profile))}</text>']
    for place, share in enumerate(profile.shares):
        y = top + _TITLE + place * _LINE
        figures = f"{duration(share.p50_us)} / {duration(share.p99_us)} · {share.part:.0%}"
        lines += [
            f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(share.stage)}</text>',
            _bar(y, share.p99_us / longest, "#cae9ff"),
            _bar(y, share.p50_us / longest, "#1b4965"),
            f'<text x="{_LEFT + _BAR + 8}" y="{y + 14}">{figures}</text>',
        ]
    return lines


def _heading(profile: Profile) -> str:
    return f"{profile.requests:,} {profile.title}: p50 / p99 · share"


def _bar(y: int, part: float, colour: str) -> str:
    return f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, _BAR * part):.1f}" height="18" fill="{colour}"/>'
