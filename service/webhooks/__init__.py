"""Telling subscribers: signatures, the schedule of attempts, one attempt."""
