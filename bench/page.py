"""The page of results: each case owns what is between its two marks, and nothing else."""

from pathlib import Path

PAGE = Path("docs/benchmarks.md")


def rewrite(case, text, page=PAGE):
    """Put a case's text between its marks, ``<!-- CASE: begin -->`` and ``<!-- CASE: end -->``.

    Raises:
        SystemExit: the page has lost the marks.
    """
    begin, end = (f"<!-- {case}: {which} -->" for which in ("begin", "end"))
    before, begun, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise SystemExit(f"{page} has lost its marks {begin} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
