"""Learners that turn a model's output into what a policy reads."""
