"""Complaints, outcomes and withdrawals: written once by ingest, read by everybody else."""
