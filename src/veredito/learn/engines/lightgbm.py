"""LightGBM through its C interface: the same library, without the Python package around it.

``Booster.predict`` prepares 40 µs for a row that takes 10 µs. The single-row-fast call prepares once.
The package is found but not imported: it would bring a second of start and a hundred megabytes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from veredito.errors import ArtifactError, MissingExtraError, Problem
from veredito.learn.block import Matrix

_FLOAT64, _NORMAL, _ROW_MAJOR = 1, 0, 1  # C_API_DTYPE_FLOAT64, C_API_PREDICT_NORMAL, is_row_major
_ONE_THREAD, _ALL_THREADS = b"num_threads=1 verbosity=-1", b"verbosity=-1"
_ALIASES_BYTES = 1 << 16  # what its list needs, several times over
_ROWS_SINGLY = 8  # up to here, row after row is faster than preparing a call for many
_ROWS_ONE_THREAD = 4_096  # a request's rows stay on one core: its siblings have requests of their own


class CBooster:
    """A booster that predicts through C. Safe to share between threads.

    Args:
        text: the model in LightGBM's own text format.

    Raises:
        MissingExtraError: LightGBM is not installed.
        ArtifactError: the text is not a model.
    """

    def __init__(self, text: str) -> None:
        self._many, self._single = _libraries()
        self._handle = ctypes.c_void_p()
        count = ctypes.c_int()
        self._check(self._many.LGBM_BoosterLoadModelFromString(
            text.encode(), ctypes.byref(count), ctypes.byref(self._handle)
        ))  # fmt: skip
        self._features = self._number("LGBM_BoosterGetNumFeature")
        self._outputs = self._number("LGBM_BoosterGetNumClasses")
        self._idle: list[_Row] = [_Row(self)]

    def predict(self, features: Matrix) -> Matrix:
        """Predictions, shape (rows,), or (rows, classes) where there are several.

        Args:
            features: float64, shape (rows, features), NaN as missing.
        """
        rows, width = features.shape
        if width != self._features:  # C would read beyond the row
            raise ValueError(f"the model has {self._features} features, not {width}")
        if rows == 1:
            found = self._row(features[0])
            return found if self._outputs == 1 else found.reshape(1, self._outputs)
        out = np.empty((rows, self._outputs))
        if rows <= _ROWS_SINGLY:
            self._row_by_row(features, out)
        else:
            self._at_once(features, out)
        return out[:, 0] if self._outputs == 1 else out

    def _row_by_row(self, features: Matrix, out: Matrix) -> None:
        for i in range(len(out)):
            out[i] = self._row(features[i])

    def _row(self, features: Matrix) -> Matrix:
        # A row's buffers serve one call at a time; popping and appending are atomic, a second caller makes more.
        try:
            row = self._idle.pop()
        except IndexError:
            row = _Row(self)
        row.features[:] = features
        if row.call(*row.arguments):
            self._check(-1)
        found = row.out.copy()
        self._idle.append(row)
        return found

    def _at_once(self, features: Matrix, out: Matrix) -> None:
        features = np.ascontiguousarray(features, dtype=np.float64)
        written = ctypes.c_int64()
        threads = _ONE_THREAD if len(out) <= _ROWS_ONE_THREAD else _ALL_THREADS
        self._check(self._many.LGBM_BoosterPredictForMat(
            self._handle, ctypes.c_void_p(features.ctypes.data), _FLOAT64, len(out), self._features,
            _ROW_MAJOR, _NORMAL, 0, -1, threads, ctypes.byref(written), ctypes.c_void_p(out.ctypes.data),
        ))  # fmt: skip

    def prepared(self) -> Any:
        """A handle for single rows, prepared for this model."""
        fast = ctypes.c_void_p()
        self._check(self._many.LGBM_BoosterPredictForMatSingleRowFastInit(
            self._handle, _NORMAL, 0, -1, _FLOAT64, self._features, _ONE_THREAD, ctypes.byref(fast)
        ))  # fmt: skip
        return fast

    @property
    def shape(self) -> tuple[int, int]:
        """How many features and how many outputs a row has."""
        return self._features, self._outputs

    @property
    def single(self) -> Any:
        """The single-row call."""
        return self._single

    def free(self, fast: Any) -> None:
        """Give a prepared handle back to the library."""
        self._many.LGBM_FastConfigFree(fast)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            for row in getattr(self, "_idle", ()):
                self.free(row.fast)
            self._many.LGBM_BoosterFree(self._handle)

    def _number(self, function: str) -> int:
        number = ctypes.c_int()
        self._check(getattr(self._many, function)(self._handle, ctypes.byref(number)))
        return number.value

    def _check(self, code: int) -> None:
        if code:
            said = self._many.LGBM_GetLastError().decode(errors="replace")
            raise ArtifactError(Problem("LightGBM model", f"LightGBM says: {said}"))


class _Row:
    """Buffers for one row whose addresses are known once: asking numpy for one costs a microsecond."""

    __slots__ = ("arguments", "call", "fast", "features", "out", "written")

    def __init__(self, booster: CBooster) -> None:
        width, outputs = booster.shape
        self.features, self.out = np.empty(width), np.empty(outputs)
        self.written = ctypes.c_int64()
        self.fast = booster.prepared()
        self.call = booster.single
        self.arguments = (
            self.fast,
            ctypes.c_void_p(self.features.ctypes.data),
            ctypes.byref(self.written),
            ctypes.c_void_p(self.out.ctypes.data),
        )


def known_parameters() -> tuple[str, ...]:
    """Every name that LightGBM has for a parameter, aliases too; the library itself ignores what it does not know.

    Raises:
        MissingExtraError: LightGBM is not installed.
    """
    many, _ = _libraries()
    needed, buffer = ctypes.c_int64(), ctypes.create_string_buffer(_ALIASES_BYTES)
    many.LGBM_DumpParamAliases(ctypes.c_int64(_ALIASES_BYTES), ctypes.byref(needed), buffer)
    if needed.value > _ALIASES_BYTES:
        buffer = ctypes.create_string_buffer(needed.value)
        many.LGBM_DumpParamAliases(needed, ctypes.byref(needed), buffer)
    aliases = json.loads(buffer.value)
    return tuple(sorted({*aliases, *itertools.chain(*aliases.values())}))


def _libraries() -> tuple[Any, Any]:
    """The library twice: calls that let other threads run, and the single-row call, which does not.

    Ten microseconds are shorter than handing Python's lock over and waiting to have it back.
    """
    spec = importlib.util.find_spec("lightgbm")
    if spec is None or spec.origin is None:
        raise MissingExtraError("lightgbm", "lightgbm", purpose="a LightGBM model")
    folder = Path(spec.origin).parent
    found = [path for path in (folder / "lib").glob("lib_lightgbm.*") if path.suffix in {".so", ".dylib"}]
    if not found:
        hint = "install a wheel of lightgbm, or use the engine 'native'"
        raise ArtifactError(Problem("LightGBM", "the compiled library is not beside the package", hint=hint))
    many, single = ctypes.CDLL(str(found[0])), ctypes.PyDLL(str(found[0]))
    many.LGBM_GetLastError.restype = ctypes.c_char_p
    return many, single.LGBM_BoosterPredictForMatSingleRowFast
