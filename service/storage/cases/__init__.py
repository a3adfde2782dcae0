"""Clusters as cases: what detection found, what moderators read of it, what they decided."""
