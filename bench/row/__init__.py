"""One row, JSON bytes to JSON bytes, in process: ours, written by hand, and fklearn."""
