"""Outgoing webhooks: signatures, the schedule of attempts, one attempt."""
