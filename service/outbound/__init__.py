"""The one way out: every request that the service makes of its own accord goes through here."""
