"""Clusters as cases: detection's results, moderators' reads, and decisions."""
