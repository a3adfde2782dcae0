"""Databases for measurements: of the server at DATABASE_URL, or of a temporary one that syncs each commit."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

from world_files import not_measured

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from postgres_server import Databases, PostgresServer, binaries

SETTINGS = ("shared_buffers=256MB", "max_wal_size=4GB")


def databases(stack: ExitStack, *settings: str) -> Databases:
    """They, and a server that was started for them, end with the stack; `settings` are the server's, later ones before
    SETTINGS. Ends the program where there is no server.
    """
    address = os.environ.get("DATABASE_URL")
    if not address:
        if binaries() is None:
            not_measured("no PostgreSQL server is installed (make postgresql), and DATABASE_URL names none")
        server = PostgresServer(settings=(*SETTINGS, *settings))
        stack.callback(server.stop)
        address = server.address("postgres")
    found = Databases(address)
    stack.callback(found.close)
    return found


def new_database(stack: ExitStack, *settings: str) -> str:
    """The URL of an empty database, which is dropped with the stack."""
    found = databases(stack, *settings)
    name = found.create()
    stack.callback(found.drop, name)
    return found.url(name)
