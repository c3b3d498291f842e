"""What the learners of gradient-boosted trees share: rounds, the library's own parameters, and early stopping."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from veredito.errors import LearnerError, Problem
from veredito.learn.learner import settle

from .model_learner import ModelLearner, Training


class BoostedLearner(ModelLearner):
    """A learner of gradient-boosted trees.

    Args:
        num_trees: how many rounds of trees at most.
        params: the library's own parameters, over ours.
        early_stopping: stop when the validation rows gain nothing for so many rounds; needs `validation`.
    """

    _: dataclasses.KW_ONLY
    num_trees: int = 100
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    early_stopping: int | None = None

    takes_validation: ClassVar[bool] = True
    objectives: ClassVar[tuple[str, str, str]]
    """The library's names for a number, two classes, and several."""

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, params=dict(self.params))
        problems = []
        if self.num_trees < 1:
            problems.append(Problem(self.kind, f"num_trees is {self.num_trees}, and must be at least 1"))
        if self.early_stopping is not None and self.early_stopping < 1:
            problems.append(
                Problem(self.kind, f"early_stopping is {self.early_stopping}, and must be at least 1")
            )
        if self.early_stopping is not None and self.validation is None:
            hint = "validation=learn.on(fraction=0.1, name='validation')"
            problems.append(Problem(self.kind, "early_stopping needs rows to watch", hint=hint))
        if problems:
            raise LearnerError(problems)

    def objective(self, training: Training) -> str:
        """The library's name for what is minimised."""
        number, two, several = self.objectives
        if self.task == "regression":
            return number
        return two if len(training.classes) == 2 else several
