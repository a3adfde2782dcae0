"""Canonical item lines as the accepting side writes them, and commits of them, for tests of the archive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from service.storage.complaints.archive_writer import CommitResult, commit
from service.storage.complaints.feed_reader import FeedRow, read_feed
from service.storage.redis_store.stream import StreamEntry
from service.storage.sql.engine import write
from service.storage.sql.schema import complaints, targets

START = datetime(2026, 3, 1, tzinfo=UTC)
RECEIVED_US = 1_790_000_000_000_000


def at(seconds: float) -> str:
    """The canonical time so many seconds after the start."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def complaint(identity: str, seconds: float = 0, reporter: str = "r", target: str = "t", **more: Any) -> bytes:
    """A complaint's line; `reporter_more` and `target_more` go into the objects."""
    reporter_more, target_more = more.pop("reporter_more", {}), more.pop("target_more", {})
    body = {
        "id": identity,
        "occurred_at": at(seconds),
        "reporter": {"id": reporter, **reporter_more},
        "target": {"id": target, **target_more},
        **more,
    }
    return b"c" + json.dumps(body, separators=(",", ":")).encode()


def outcome(identity: str, target: str = "t", seconds: float = 0, **more: Any) -> bytes:
    body = {"id": identity, "target_id": target, "decided_at": at(seconds), "verdict": "upheld", **more}
    return b"o" + json.dumps(body, separators=(",", ":")).encode()


def withdrawal(identity: str) -> bytes:
    return b"w" + json.dumps({"id": identity}, separators=(",", ":")).encode()


def batches(lines: Sequence[bytes], sizes: Sequence[int] = (), first: int = 1) -> list[StreamEntry]:
    """The lines as stream entries of these sizes (the rest in one), with positions from `first`."""
    made: list[StreamEntry] = []
    start = 0
    for size in [*sizes, len(lines)]:
        part = lines[start : start + size]
        if part:
            position = first + start
            made.append(StreamEntry(f"{position}-0", position, RECEIVED_US + position, b"\n".join(part)))
        start += len(part)
    return made


def archive(engine: Engine, tenant_id: int, epoch: int, entries: Sequence[StreamEntry]) -> CommitResult:
    """One commit."""
    with write(engine) as connection:
        return commit(connection, tenant_id, epoch, entries)


def states(engine: Engine, tenant_id: int) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            row.id: row.state
            for row in connection.execute(
                select(complaints.c.id, complaints.c.state).where(complaints.c.tenant_id == tenant_id)
            )
        }


def totals(engine: Engine, tenant_id: int) -> dict[int, int]:
    """By target key; targets with none are left out."""
    with engine.connect() as connection:
        return {
            row.target_key: row.complaints
            for row in connection.execute(select(targets).where(targets.c.tenant_id == tenant_id))
            if row.complaints
        }


def feed_of(engine: Engine, tenant_id: int) -> list[FeedRow]:
    with engine.connect() as connection:
        return read_feed(connection, tenant_id, 0, 1_000_000)


def standing_by_feed(rows: Sequence[FeedRow]) -> set[int]:
    """The seqs that detection would hold after reading the feed."""
    held: set[int] = set()
    for row in rows:
        new = {int(seq) for seq in row.batch.complaints["seq"]}
        assert not new & held, "fed twice without a removal between"
        held |= new
        assert set(row.batch.removed) <= held, "removed what was never fed"
        held -= set(row.batch.removed)
    return held
