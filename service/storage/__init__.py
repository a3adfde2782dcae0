"""Storage: Redis (stream, totals, leases) and SQL (the system of record)."""
