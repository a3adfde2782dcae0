"""For whoever runs it: metrics and readiness, on a port of their own."""
