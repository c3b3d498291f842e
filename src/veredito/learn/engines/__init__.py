"""Engines: other ways to compute what a model's library computes, for one row in microseconds.

Each reads the library's own text or an export of it, and none is trusted: which one serves is decided when
the model is saved, by parity and by measuring.
"""
