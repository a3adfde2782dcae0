"""The servers of scripted_servers.py, for every test."""

from scripted_servers import nobody, raw_server, scripted

__all__ = ["nobody", "raw_server", "scripted"]
