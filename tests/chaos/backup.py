"""A backup that is taken while everything runs, and what it holds."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

from installation import TENANT, Installation
from postgres_server import binaries
from sqlalchemy import Engine, func, select

from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema
from service.storage.sql.engine import open_database

_RESTORED = "restored"  # a database on the same server


def take(installation: Installation, copy: Path) -> None:
    """As docs/deploy.md says: SQLite's own copy, or pg_dump."""
    if installation.postgres is None:
        source, target = sqlite3.connect(installation.data / "brigadewatch.sqlite3"), sqlite3.connect(copy)
        with source, target:
            source.backup(target)
        source.close()
        target.close()
    else:
        _run("pg_dump", "--format=custom", f"--file={copy}", installation.postgres.address("postgres"))


def held(installation: Installation, copy: Path) -> tuple[bool, str]:
    """Whether it holds everything that was archived up to its position, and nothing else."""
    if installation.postgres is None:
        engine = open_database(f"sqlite:///{copy}")
    else:
        address = installation.postgres.address("postgres")
        _run("createdb", f"--maintenance-db={address}", _RESTORED)
        _run("pg_restore", "--no-owner", f"--dbname={installation.postgres.address(_RESTORED)}", str(copy))
        engine = open_database(installation.postgres.address(_RESTORED))
    try:
        return _counted(engine)
    finally:
        engine.dispose()


def _counted(engine: Engine) -> tuple[bool, str]:
    number, state = tenant_id(engine, TENANT), schema.ingest_state
    with engine.connect() as connection:
        row = connection.execute(select(state).where(state.c.tenant_id == number)).one()
        rows = {
            table.name: connection.scalar(select(func.count()).select_from(table).where(table.c.tenant_id == number))
            for table in (schema.complaints, schema.outcomes, schema.withdrawals, schema.dead_letters)
        }
    stored = sum(int(n or 0) for n in rows.values()) + row.duplicates
    return stored == row.archived_position > 0, (
        f"archived up to {row.archived_position:,}: "
        + ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in rows.items())
        + f", {row.duplicates:,} duplicates; together {stored:,}"
    )


def _run(program: str, *words: str) -> None:
    subprocess.run([str((binaries() or Path()) / program), *words], check=True, capture_output=True)
