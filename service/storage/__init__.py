"""Where things are kept: Redis (stream, totals, leases) and SQL (the truth)."""
