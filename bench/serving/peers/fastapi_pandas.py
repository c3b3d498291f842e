"""FastAPI + pandas, as people write it: a pydantic model, a data frame of one row, LightGBM's predict.

This is the service that a notebook becomes: the training code's pandas steps and scikit-learn's calibrator,
called row by row. It is not slowed on purpose: steps are vectorised over columns, not looped over them, and
where pandas is known to be slow (`clip` with a bound a column takes 16 to 25 ms on one row) numpy is used.
The endpoint is `async def`: a plain `def` goes to FastAPI's thread pool, where threads that all hold the
interpreter's lock get in each other's way, and at c=64 it was less than half as fast. One worker on uvicorn with uvloop and
httptools, no access log.
"""

import os
from typing import Annotated, Any

import lightgbm
import numpy as np
import pandas as pd
import uvicorn
from fastapi import Body, FastAPI
from pydantic import create_model
from sklearn.isotonic import IsotonicRegression

from bench.serving.rows import NAMES, NUMBERS, TEXTS
from bench.serving.steps import STORE, Steps

app = FastAPI()
steps = Steps()
booster = lightgbm.Booster(model_file=str(STORE / "model.txt"))
median = dict(zip(NUMBERS, steps.median, strict=True))
shift, factor = pd.Series(steps.shift, index=NUMBERS), pd.Series(steps.factor, index=NUMBERS)
codes = [pd.Series(known) for known in steps.codes]
calibrator = IsotonicRegression(out_of_bounds="clip").fit(steps.knots, steps.levels)

Row = create_model(
    "Row", **dict.fromkeys(NUMBERS, (float | None, ...)), **dict.fromkeys(TEXTS, (str | None, ...))
)


def preprocess(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = frame[NUMBERS].astype(float).fillna(median)
    numbers = pd.DataFrame(np.clip(numbers.to_numpy(), steps.floor, steps.cap), columns=NUMBERS)
    numbers = (numbers - shift) * factor
    texts = frame[TEXTS].copy()
    for name, known, unseen in zip(TEXTS, codes, steps.unseen, strict=True):
        seen = texts[name].isin(known.index) | texts[name].isna()
        texts[name] = texts[name].map(known).where(seen, unseen).astype(float)
    return pd.concat([numbers, texts], axis=1)


def predict(frame: pd.DataFrame) -> pd.DataFrame:
    scored = pd.DataFrame({"prediction": booster.predict(preprocess(frame)[NAMES], num_threads=1)})
    scored["calibrated"] = calibrator.predict(scored["prediction"])
    scored["prediction_ecdf"] = steps.ranks[np.searchsorted(steps.sorted, scored["prediction"], side="right")]
    return scored


@app.get("/readyz")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/v1/predict")
async def answer(row: Annotated[Row, Body()]) -> dict[str, Any]:
    return predict(pd.DataFrame([row.model_dump()])).iloc[0].to_dict()


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="warning")
