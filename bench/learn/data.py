"""The tables: a training table, and one to score with some categories that training did not have."""

import numpy as np
import polars as pl

from bench.learn.columns import CATEGORIES, NUMBERS, TARGET

MISSING, UNSEEN = 0.03, 0.01


def table(rows, seed, *, unseen=0.0):
    """Numbers of which some are missing, categories with a long tail, and an outcome that depends on both."""
    rng = np.random.default_rng(seed)
    columns = {}
    risk = np.full(rows, -3.0)
    for i, name in enumerate(NUMBERS):
        values = rng.lognormal(1.0, 0.8, rows) if i % 3 else rng.normal(0.0, 1.0 + i, rows)
        risk += 0.02 * (i % 5) * np.clip(values, -3.0, 3.0)
        columns[name] = np.where(rng.random(rows) < MISSING, np.nan, values)
    for name, count in CATEGORIES.items():
        codes = np.minimum((count * rng.random(rows) ** 3).astype(int), count - 1)
        risk += 0.3 * (codes % 3 == 0)
        new = rng.random(rows) < unseen
        columns[name] = pl.Series(np.where(new, count, codes)).cast(pl.String).str.pad_start(4, "0")
    columns[TARGET] = (rng.random(rows) < 1.0 / (1.0 + np.exp(-risk))).astype(np.int64)
    return pl.DataFrame(columns).with_columns(pl.col(NUMBERS).fill_nan(None))


def write(folder, rows_fit, rows_score):
    """Both tables as Parquet, written once for each size."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "rows"
    wanted = f"{rows_fit} {rows_score}"
    if mark.exists() and mark.read_text() == wanted:
        return
    table(rows_fit, seed=1).write_parquet(folder / "fit.parquet")
    table(rows_score, seed=2, unseen=UNSEEN).drop(TARGET).write_parquet(folder / "score.parquet")
    mark.write_text(wanted)
