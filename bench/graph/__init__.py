"""The graph beside effects gathered by hand, layer after layer, and beside Hamilton's async driver."""
