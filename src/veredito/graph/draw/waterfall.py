"""A run as a waterfall: when each node ran, what it came to, and the critical path that took the time."""

from __future__ import annotations

from html import escape

from veredito.graph.draw.sketch import duration
from veredito.graph.nodes import BRANCHES
from veredito.graph.trace import Span, Trace

_ROW, _LABEL, _CHART, _MARGIN, _TOP = 20.0, 190.0, 720.0, 20.0, 58.0
_COLOURS = {"fresh": "#60a5fa", "cached": "#4ade80", "default": "#facc15", "failed": "#f87171"}
_BRANCHES = {kind.kind for kind in BRANCHES}
_PURE, _CRITICAL = "#cbd5e1", "#be123c"


def waterfall(trace: Trace) -> str:
    """The waterfall of one run, as SVG.

    Args:
        trace: of the run.

    Example:
        >>> from veredito import graph as vg
        >>> run = vg.Graph([vg.value("a", 2), vg.Pure("double", lambda a: 2 * a)]).plan("double").run()
        >>> waterfall(run.trace).startswith("<svg")
        True
    """
    ran = [
        span
        for span in trace.spans
        if span.start_us is not None and span.finish_us is not None and span.kind not in {"value", "input"}
    ]
    ran.sort(key=lambda span: (span.start_us, span.finish_us))
    skipped = [span.node for span in trace.spans if span.outcome.kind == "skipped"]
    end_us = max(trace.finish_us, *(span.finish_us or 0.0 for span in ran), 1.0)
    scale = _CHART / end_us
    width, height = (
        2 * _MARGIN + _LABEL + _CHART + _words_px(ran, scale),
        _TOP + _ROW * (len(ran) + (2 if skipped else 1)) + _MARGIN,
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="Helvetica, Arial, sans-serif"><rect width="100%" height="100%" fill="#ffffff"/>'
    )
    rows = [_bar(span, at, scale, critical=span.node in trace.critical_path) for at, span in enumerate(ran)]
    foot = [_note(skipped, height)] if skipped else []
    return "\n".join(
        [
            head,
            _title(trace),
            *_ruler(end_us, scale, height),
            *rows,
            *_deadline(trace, scale, end_us, height),
            *foot,
            "</svg>",
            "",
        ]
    )


def _title(trace: Trace) -> str:
    path = " → ".join(trace.critical_path)
    text = f"{', '.join(trace.targets)}: {trace.finish_us / 1e3:.2f} ms"
    return (
        f'<text x="{_MARGIN}" y="18" font-size="13" font-weight="bold" fill="#111827">{escape(text)}</text>'
        f'<text x="{_MARGIN}" y="34" font-size="11" fill="{_CRITICAL}">critical path: {escape(path)}</text>'
    )


def _ruler(end_us: float, scale: float, height: float) -> list[str]:
    step = _step(end_us)
    texts = []
    for at in range(int(end_us // step) + 1):
        x = _MARGIN + _LABEL + at * step * scale
        texts.append(
            f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - _MARGIN:.0f}" stroke="#e5e7eb"/>'
        )
        texts.append(
            f'<text x="{x:.1f}" y="{_TOP - 3}" font-size="9" text-anchor="middle" fill="#6b7280">{at * step / 1e3:g} ms</text>'
        )
    return texts


def _step(end_us: float) -> float:
    """A round distance between ruler marks: about eight of them."""
    step = 1.0
    while end_us / step > 10:
        for factor in (2.0, 2.5, 2.0):
            step *= factor
            if end_us / step <= 10:
                break
    return step


def _bar(span: Span, row: int, scale: float, *, critical: bool) -> str:
    start, finish = span.start_us or 0.0, span.finish_us or 0.0
    x, y = _MARGIN + _LABEL + start * scale, _TOP + row * _ROW
    width = max((finish - start) * scale, 1.5)
    colour = (
        _COLOURS.get(span.outcome.kind, _PURE)
        if span.kind in {"effect", "each"} or not span.outcome.ok
        else _PURE
    )
    border = f' stroke="{_CRITICAL}" stroke-width="1.6"' if critical else ""
    weight = f' font-weight="bold" fill="{_CRITICAL}"' if critical else ' fill="#111827"'
    inset = 3.0 if span.kind not in _BRANCHES else 7.0  # a branch waits for others: a thin bar says so
    return (
        f'<text x="{_MARGIN + _LABEL - 8:.1f}" y="{y + 13:.1f}" font-size="11" text-anchor="end"{weight}>{escape(span.node)}</text>'
        f'<rect x="{x:.1f}" y="{y + inset:.1f}" width="{width:.1f}" height="{_ROW - 1 - 2 * inset:.1f}" rx="2" fill="{colour}"{border}/>'
        f'<text x="{x + width + 5:.1f}" y="{y + 13:.1f}" font-size="9" fill="#4b5563">{escape(_told(span))}</text>'
    )


def _told(span: Span) -> str:
    """How long a node took and what it came to, beside its bar."""
    words = duration((span.finish_us or 0.0) - (span.start_us or 0.0))
    words += "" if span.outcome.kind == "fresh" else f"  {span.outcome}"
    return words + (f"  {span.outcome.attempts} attempts" if span.outcome.attempts > 1 else "")


def _words_px(spans: list[Span], scale: float) -> float:
    """How far the words beside the bars reach beyond the chart."""
    ends = ((span.finish_us or 0.0) * scale + 5 + 5.2 * len(_told(span)) for span in spans)
    return max([end - _CHART for end in ends] + [30.0])


def _deadline(trace: Trace, scale: float, end_us: float, height: float) -> list[str]:
    if trace.deadline_us is None or trace.deadline_us > end_us:
        return []
    x = _MARGIN + _LABEL + trace.deadline_us * scale
    line = f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - _MARGIN:.0f}" stroke="#dc2626" stroke-dasharray="4 3"/>'
    return [
        line,
        f'<text x="{x + 4:.1f}" y="{height - _MARGIN:.0f}" font-size="9" fill="#dc2626">deadline</text>',
    ]


def _note(skipped: list[str], height: float) -> str:
    shown = ", ".join(skipped[:12]) + (f" and {len(skipped) - 12} more" if len(skipped) > 12 else "")
    return f'<text x="{_MARGIN}" y="{height - 8:.0f}" font-size="10" fill="#6b7280">never ran: {escape(shown)}</text>'
