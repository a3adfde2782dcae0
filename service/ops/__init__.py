"""For operators: metrics and readiness, on a port of their own."""
