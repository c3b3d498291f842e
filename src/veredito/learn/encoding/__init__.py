"""Learners that turn columns into numbers that models can read."""
