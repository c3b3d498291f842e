"""Measurements: named cases, side by side, in ratios."""
