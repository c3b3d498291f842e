"""Learners: table in, table out; train with one small interface, and serve what was trained."""

from . import metrics, perturb, plots, splits
from .after.bands import bands
from .after.calibration import isotonic_calibrator
from .after.combining import blend, stack
from .after.curves import beta_calibrator, platt_calibrator
from .after.ranks import discrete_ecdf, ecdf
from .block import Block, Kernel, Layout
from .cleaning.bounds import capper, clip, floorer
from .cleaning.impute import imputer, missing_flags
from .cleaning.selecting import dropper, rename, selector
from .cleaning.values import truncate_categories, value_mapper
from .composition.per_segment import per_segment
from .composition.side_by_side import side_by_side
from .composition.when_missing import when_missing
from .encoding.bins import binner, quantile_binner
from .encoding.calendar import calendar, cyclic_time
from .encoding.categories import count_encoder, frequency_encoder, label_encoder, rank_encoder
from .encoding.one_hot import one_hot
from .encoding.scaling import min_max_scaler, standard_scaler
from .encoding.target import target_encoder
from .expressions import expression
from .functions import column_function
from .held_out import HeldOut, on
from .learner import Fit, Fitted, Learner
from .migration import from_fklearn, from_pickle
from .models.catboost import catboost_classifier, catboost_regressor
from .models.isolation import isolation_forest
from .models.keras import keras_classifier, keras_regressor
from .models.lightgbm import lightgbm_classifier, lightgbm_regressor
from .models.linear import linear_regression, logistic_regression
from .models.model_learner import ModelLearner, Training
from .models.model_step import ModelStep
from .models.reasons import reason_codes
from .models.sklearn import sklearn_classifier, sklearn_regressor
from .models.xgboost import xgboost_classifier, xgboost_regressor
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
    "bands",
    "beta_calibrator",
    "binner",
    "blend",
    "calendar",
    "capper",
    "catboost_classifier",
    "catboost_regressor",
    "clip",
    "column_function",
    "count_encoder",
    "cyclic_time",
    "discrete_ecdf",
    "dropper",
    "ecdf",
    "expression",
    "fitted",
    "floorer",
    "frequency_encoder",
    "from_fklearn",
    "from_pickle",
    "imputer",
    "isolation_forest",
    "isotonic_calibrator",
    "keras_classifier",
    "keras_regressor",
    "label_encoder",
    "lightgbm_classifier",
    "lightgbm_regressor",
    "linear_regression",
    "logistic_regression",
    "metrics",
    "min_max_scaler",
    "missing_flags",
    "on",
    "one_hot",
    "per_segment",
    "perturb",
    "pipeline",
    "platt_calibrator",
    "plots",
    "quantile_binner",
    "rank_encoder",
    "reason_codes",
    "rename",
    "selector",
    "side_by_side",
    "sklearn_classifier",
    "sklearn_regressor",
    "splits",
    "stack",
    "standard_scaler",
    "step_kinds",
    "step_of",
    "target_encoder",
    "truncate_categories",
    "validate",
    "value_mapper",
    "walk",
    "when_missing",
    "xgboost_classifier",
    "xgboost_regressor",
]
