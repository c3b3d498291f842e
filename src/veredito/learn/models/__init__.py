"""Learners over model libraries. A library is imported where it is used; this package imports none."""
