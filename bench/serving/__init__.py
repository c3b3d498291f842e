"""The serving benchmark: one model behind seven servers, loaded from another process, one after another.

The rows, the model and the arithmetic are the same everywhere, and so are the answers: they are compared
before anything is timed. What differs is what the benchmark is about, the way from a request's bytes to the
model and back.
"""
