"""Backup and restore with the commands of docs/deploy.md, while Redis goes on: what was archived after the backup is
missed, and nothing waits for it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from archive_lines import complaint
from conftest import RedisClients
from pipeline_world import Paper
from postgres_server import binaries
from sqlalchemy import Engine, select

from service.settings import Settings
from service.storage.complaints.archive_reader import (
    analysis_state_of,
    ingest_state_of,
    pending_items,
    totals_of,
    unfinished_of,
)
from service.storage.redis_store import redis_keys
from service.storage.sql import schema
from service.storage.sql.hashing import key_of, key_of_field
from workers import detect, ingest, rebuild_redis

COMMANDS = re.search(
    r"## Backup and restore\n(.*?)\n## ", (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(), re.S
)


def commands(step: str, database: str) -> list[str]:
    """The documented shell commands of a step (`backup`, `restore`) for one kind of database."""
    assert COMMANDS is not None
    found = re.findall(rf"^    (.+?) +# {step}, {database}$", COMMANDS.group(1), re.M)
    assert found, f"docs/deploy.md has no command for {step} of {database}"
    return found


@pytest.fixture
def paper(real_redis: RedisClients, engine: Engine, settings: Settings) -> Paper:
    return Paper(real_redis, engine, settings)


@pytest.fixture
def shell(paper: Paper, tmp_path: Path) -> Callable[[Sequence[str]], None]:
    """Runs commands as an operator would, with DATABASE_URL, DATA and COPY set."""
    path = f"{binaries()}:{os.environ['PATH']}"
    tool = "sqlite3" if paper.engine.dialect.name == "sqlite" else "pg_dump"
    if shutil.which(tool, path=path) is None:
        pytest.skip(f"{tool} is not installed")

    def run(lines: Sequence[str]) -> None:
        paper.engine.dispose()
        variables = {
            "PATH": path,
            "DATABASE_URL": paper.resources.settings.database_url,
            "DATA": str(paper.resources.settings.data),
            "COPY": str(tmp_path / "copy"),
        }
        for line in lines:
            subprocess.run(["/bin/sh", "-euc", line], check=True, env=os.environ | variables, timeout=60)

    return run


def works(paper: Paper) -> None:
    ingest.run(paper.name, paper.resources)
    detect.run(paper.name, paper.resources)


def pending(paper: Paper) -> int:
    with paper.engine.connect() as connection:
        return pending_items(
            int(paper.redis.get(redis_keys.position(paper.name))),
            ingest_state_of(connection, paper.id),
            unfinished_of(connection, paper.id),
        )


def totals(paper: Paper) -> tuple[dict[int, int], dict[int, int]]:
    """Complaints by target: as SQL has them, as Redis has them."""
    in_redis = {
        key_of_field(field): int(total) for field, total in paper.redis.hgetall(redis_keys.totals(paper.name)).items()
    }
    with paper.engine.connect() as connection:
        return totals_of(connection, paper.id, [key_of(target) for target in "tuvw"]), in_redis


@pytest.fixture
def put_back(paper: Paper, shell: Callable[[Sequence[str]], None]) -> Paper:
    """`a` and `b` are in the backup, `c` and `d` were archived after it, and the backup is the database now.

    Redis has gone on.
    """
    database = "SQLite" if paper.engine.dialect.name == "sqlite" else "PostgreSQL"
    paper.accepts(complaint("a", target="t"), complaint("b", target="u"))
    works(paper)
    shell(commands("backup", database))
    paper.accepts(complaint("c", target="v", reporter="x"), complaint("d", target="t", reporter="y"))
    works(paper)
    assert paper.archived_ids() == ["a", "b", "c", "d"]
    shell(commands("restore", database))
    assert paper.archived_ids() == ["a", "b"]
    return paper


def test_after_rebuild_nothing_waits_for_what_is_gone_and_no_target_counts_it(put_back: Paper) -> None:
    assert pending(put_back) == 2, "acknowledged, and nowhere"
    assert totals(put_back)[0] != totals(put_back)[1]
    assert rebuild_redis.rebuild_redis(put_back.name, put_back.resources) == 4, "positions never fall"
    in_sql, in_redis = totals(put_back)
    assert in_sql == in_redis == {key_of("t"): 1, key_of("u"): 1}
    works(put_back)
    assert pending(put_back) == 0
    with put_back.engine.connect() as connection:
        assert analysis_state_of(connection, put_back.id).analysed_position == 4
    assert put_back.progress("archived") == put_back.progress("analysed") == 4
    assert rebuild_redis.rebuild_redis(put_back.name, put_back.resources) == 4, "done again, it changes nothing"
    assert put_back.accepts(complaint("c", target="v", reporter="x")) == 5, "sent again, it is there again"
    works(put_back)
    assert put_back.archived_ids() == ["a", "b", "c"] and pending(put_back) == 0
    assert totals(put_back)[0] == totals(put_back)[1]


def test_what_waited_in_the_stream_is_archived_and_heals_the_gap_by_itself(put_back: Paper) -> None:
    assert put_back.accepts(complaint("e", target="w")) == 5
    assert rebuild_redis.rebuild_redis(put_back.name, put_back.resources) == 5
    with put_back.engine.connect() as connection:
        assert ingest_state_of(connection, put_back.id).archived_position == 2, (
            "nothing is passed over while something waits"
        )
    works(put_back)
    assert put_back.archived_ids() == ["a", "b", "e"] and pending(put_back) == 0
    with put_back.engine.connect() as connection:
        assert set(connection.scalars(select(schema.complaints.c.target_id))) == {"t", "u", "w"}


def test_an_empty_redis_is_filled_from_the_backup(put_back: Paper) -> None:
    put_back.redis.flushall()
    rebuild_redis.run(put_back.name, put_back.resources)
    assert totals(put_back)[0] == totals(put_back)[1] and pending(put_back) == 0
