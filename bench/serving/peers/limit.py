"""The limit: what one writes by hand for this one model, when nothing but speed counts.

A raw ASGI handler on uvicorn (uvloop, httptools), msgspec into a typed struct, numpy, LightGBM's
single-row-fast C call on a preallocated row, and msgspec out. No routing, no metrics, no limits, no record.
"""

import ctypes
import math
import operator
import os

import lightgbm
import msgspec
import numpy as np
import uvicorn
from lightgbm.basic import _LIB

from bench.serving.rows import NAMES, NUMBERS, TEXTS
from bench.serving.steps import STORE, Steps

_PREDICT_NORMAL, _FLOAT64 = 0, 1
_NUMBERS, _WIDTH = len(NUMBERS), len(NAMES)

Row = msgspec.defstruct(
    "Row",
    [(name, float | None) for name in NUMBERS] + [(name, str | None) for name in TEXTS],
    forbid_unknown_fields=True,
)


class Answer(msgspec.Struct):
    prediction: float
    calibrated: float
    prediction_ecdf: float


class Limit:
    """The model at a fixed address in memory, and all around it."""

    def __init__(self, folder=STORE):
        self.steps = Steps(folder)
        self.booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        self.matrix = np.empty((1, _WIDTH))
        self.row, self.numbers = self.matrix[0], self.matrix[0, :_NUMBERS]
        self.numbers_of, self.texts_of = operator.attrgetter(*NUMBERS), operator.attrgetter(*TEXTS)
        self.codes = list(zip(self.steps.codes, self.steps.unseen, range(_NUMBERS, _WIDTH), strict=True))
        self.out, self.length = ctypes.c_double(), ctypes.c_int64()
        config = ctypes.c_void_p()
        failed = _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
            self.booster._handle,  # noqa: SLF001 - there is no public way to this call
            ctypes.c_int(_PREDICT_NORMAL),
            ctypes.c_int(0),
            ctypes.c_int(-1),
            ctypes.c_int(_FLOAT64),
            ctypes.c_int32(_WIDTH),
            ctypes.c_char_p(b"num_threads=1"),
            ctypes.byref(config),
        )
        if failed:
            raise RuntimeError("LightGBM refused the single-row-fast configuration")
        self.call = (
            config,
            self.matrix.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(self.length),
            ctypes.byref(self.out),
        )
        self.decode = msgspec.json.Decoder(Row).decode
        self.decode_many = msgspec.json.Decoder(list[Row]).decode
        self.encode = msgspec.json.Encoder().encode

    def answer(self, body):
        """JSON bytes of a row, or of an array of rows, to JSON bytes."""
        return self._many(body) if body[:1] == b"[" else self._one(body)

    def _one(self, body):
        row, steps = self.decode(body), self.steps
        numbers = self.numbers
        numbers[:] = self.numbers_of(row)
        steps.change(numbers)
        self._texts(row, self.row)
        if _LIB.LGBM_BoosterPredictForMatSingleRowFast(*self.call):
            raise RuntimeError("LightGBM could not score the row")
        score = self.out.value
        calibrated = float(np.interp(score, steps.knots, steps.levels))
        rank = float(steps.ranks[steps.sorted.searchsorted(score, side="right")])
        return self.encode(Answer(score, calibrated, rank))

    def _texts(self, row, into):
        for text, (codes, unseen, slot) in zip(self.texts_of(row), self.codes, strict=True):
            into[slot] = math.nan if text is None else codes.get(text, unseen)

    def _many(self, body):
        rows = self.decode_many(body)
        matrix = np.empty((len(rows), _WIDTH))
        matrix[:, :_NUMBERS] = [self.numbers_of(row) for row in rows]
        self.steps.change(matrix[:, :_NUMBERS])
        for row, into in zip(rows, matrix, strict=True):
            self._texts(row, into)
        predictions = self.booster.predict(matrix, num_threads=1)
        columns = (predictions, *self.steps.after(predictions))
        return self.encode(
            [Answer(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
        )


def application(limit):
    """The ASGI handler."""
    answer = limit.answer

    async def handle(scope, receive, send):
        if scope["method"] == "GET":
            return await _send(send, 200, b"{}")
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message["body"]
            if not message.get("more_body"):
                break
        try:
            status, answered = 200, answer(body)
        except msgspec.MsgspecError as error:
            status, answered = 422, msgspec.json.encode({"error": str(error)})
        return await _send(send, status, answered)

    return handle


async def _send(send, status, body):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        application(Limit()),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
