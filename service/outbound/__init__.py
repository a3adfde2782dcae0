"""Outgoing requests: everything that the service requests goes through here."""
