"""Detection's own data: analysis state, sweeps, allow-list, dry runs; reads for the clock and metrics."""
