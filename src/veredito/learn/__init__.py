"""Learners: table in, table out; train with one small interface, and serve what was trained."""
