"""Signing in with an organisation's OpenID Connect provider: the requests to it, and what its answers may claim."""
