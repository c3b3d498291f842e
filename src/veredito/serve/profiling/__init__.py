"""Profiling: where a request's time goes, by stage and by step, from real requests."""

from veredito.serve.profiling.picture import picture
from veredito.serve.profiling.profile import Profile, Share, recorded, requested, shares
from veredito.serve.profiling.steps import StepCost, step_costs

__all__ = ["Profile", "Share", "StepCost", "picture", "recorded", "requested", "shares", "step_costs"]
