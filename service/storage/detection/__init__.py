"""Where detection is and what it goes by: analysis state, sweeps, allow-list, dry runs; reads for clock and metrics."""
