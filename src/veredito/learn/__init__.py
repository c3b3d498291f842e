"""Learners: table in, table out; train with one small interface, and serve what was trained."""

from . import metrics, perturb, splits
from .after.calibration import isotonic_calibrator
from .after.ranks import discrete_ecdf, ecdf
from .block import Block, Kernel, Layout
from .cleaning.bounds import capper, clip, floorer
from .cleaning.impute import imputer, missing_flags
from .held_out import HeldOut, on
from .learner import Fit, Fitted, Learner
from .models.lightgbm import lightgbm_classifier, lightgbm_regressor
from .models.model_step import ModelLearner, ModelStep, Training
from .pipeline import Pipeline, pipeline
from .preview import Preview
from .step import Step, fitted, step_kinds, step_of, walk
from .validation import validate

__all__ = [
    "Block",
    "Fit",
    "Fitted",
    "HeldOut",
    "Kernel",
    "Layout",
    "Learner",
    "ModelLearner",
    "ModelStep",
    "Pipeline",
    "Preview",
    "Step",
    "Training",
    "capper",
    "clip",
    "discrete_ecdf",
    "ecdf",
    "fitted",
    "floorer",
    "imputer",
    "isotonic_calibrator",
    "lightgbm_classifier",
    "lightgbm_regressor",
    "metrics",
    "missing_flags",
    "on",
    "perturb",
    "pipeline",
    "splits",
    "step_kinds",
    "step_of",
    "validate",
    "walk",
]
