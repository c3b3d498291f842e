"""Real-time automated decisions: features, model, policy, and a record that is never lost."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("veredito")
except PackageNotFoundError:  # run from a checkout that was not installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
