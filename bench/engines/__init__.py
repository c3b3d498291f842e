"""One row through each model library: its own call, and the faster engine of the same model."""
