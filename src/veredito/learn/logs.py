"""What the training log is made of: plain values, and the versions of the libraries that took part."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

_LIBRARIES = ("polars", "numpy", "scikit-learn", "lightgbm", "xgboost", "catboost", "keras", "tensorflow")
_MODULES = {"scikit-learn": "sklearn"}


def library_versions() -> dict[str, str]:
    """The versions of Python, of veredito, and of the libraries that are loaded now."""
    loaded = [name for name in _LIBRARIES if _MODULES.get(name, name) in sys.modules]
    found = {"python": sys.version.split()[0]}
    for name in ("veredito", *loaded):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            module = sys.modules.get(_MODULES.get(name, name))
            found[name] = str(getattr(module, "__version__", "unknown"))
    return found


def plain(value: Any) -> Any:
    """A value as JSON would have it: arrays as lists, steps as their kind and state, the rest as its repr."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return repr(value)
