"""Models: a fitted pipeline saved as a folder that proves itself, and served without a data frame."""
