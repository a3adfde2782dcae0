"""The servers of loopback.py, for every test."""

from loopback import nobody, raw_server, scripted

__all__ = ["nobody", "raw_server", "scripted"]
