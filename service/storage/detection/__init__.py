"""What detection is told and leaves behind: sweeps, its state, thresholds, allow-list, dry runs."""
