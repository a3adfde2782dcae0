"""Connections in and out: sources, subscriptions, the outbox and the log of deliveries."""
