"""Models: a fitted pipeline saved as a folder that proves itself, and served without a data frame."""

from veredito.model.artifact import Model, load, save
from veredito.model.changes import Change, changes
from veredito.model.manifest import Manifest
from veredito.model.rowplan import RowPlan

__all__ = ["Change", "Manifest", "Model", "RowPlan", "changes", "load", "save"]
