"""Learners that make columns fit to learn from."""
