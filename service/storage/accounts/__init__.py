"""Tenants and people: keys, users, sessions, the audit log."""
