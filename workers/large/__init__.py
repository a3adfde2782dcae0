"""The pairs of windows that are too large for numpy: the same figures, computed by a database engine."""
