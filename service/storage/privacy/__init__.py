"""Personal data and how long it is kept: filters, retention, erasure, export."""
