"""Rows for tests about cases, written straight into the tables: what detection and ingest would have left there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from service.model import microseconds
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000
EVIDENCE = [{"signal": "lockstep", "value": 0.8, "usual": 0.1, "p_value": None, "contribution": 4.0, "text": "in step"}]


def at_us(hours: float) -> int:
    """Microseconds of START plus `hours`."""
    return microseconds(START) + round(hours * HOUR_US)


def at_text(hours: float) -> str:
    """RFC 3339 of START plus `hours`."""
    return (START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def put_cluster(
    engine: Engine,
    tenant_id: int,
    cluster_id: str,
    *,
    reporters: Sequence[str] = ("r1", "r2", "r3"),
    targets: Sequence[str] = ("t1", "t2"),
    author: str | None = None,
    first: float = 0,
    last: float = 1,
    excluded: Sequence[str] = (),
    **columns: Any,
) -> None:
    """A flagged, open cluster with members and targets; `first` and `last` are hours after START, `columns`
    override.
    """
    row = {
        "id": cluster_id,
        "tenant_id": tenant_id,
        "kind": "repeat",
        "disposition": "flagged",
        "status": "open",
        "score": 5.0,
        "probability": 0.9,
        "unfounded_probability": 0.5,
        "first_us": at_us(first),
        "last_us": at_us(last),
        "reporter_count": len(reporters) - len(excluded),
        "target_count": len(targets),
        "summary": f"{cluster_id}: acting together, not judged yet",
        "evidence": json.dumps(EVIDENCE),
        "policy_version": "2026.12",
        "version": 1,
        "found_us": at_us(last),
        **columns,
    }
    with write(engine) as connection:
        connection.execute(sa.insert(schema.clusters).values(row))
        if reporters:
            connection.execute(
                sa.insert(schema.cluster_members),
                [
                    {
                        "cluster_id": cluster_id,
                        "reporter_key": key_of(name),
                        "tenant_id": tenant_id,
                        "reporter_id": name,
                        "excluded": name in excluded,
                    }
                    for name in reporters
                ],
            )
        if targets:
            connection.execute(
                sa.insert(schema.cluster_targets),
                [
                    {
                        "cluster_id": cluster_id,
                        "target_key": key_of(name),
                        "tenant_id": tenant_id,
                        "target_id": name,
                        "author_id": author,
                    }
                    for name in targets
                ],
            )


def put_complaint(
    engine: Engine,
    tenant_id: int,
    seq: int,
    reporter: str,
    target: str,
    *,
    hours: float = 0,
    state: int = schema.STANDING,
    cluster: str | None = None,
    exempt: bool = False,
    **more: str,
) -> str:
    """An archived complaint, in `cluster` where one is named; its id. `more`: further fields of it."""
    content = {
        "id": f"c{seq}",
        "occurred_at": at_text(hours),
        "reporter": {"id": reporter},
        "target": {"id": target},
        "text": "<b>rude</b>",
        **more,
    }
    row_key = tenant_id << 40 | seq
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.complaints).values(
                row_key=row_key,
                tenant_id=tenant_id,
                id=content["id"],
                occurred_us=at_us(hours),
                received_us=at_us(hours) + 1_000_000,
                reporter_key=key_of(reporter),
                target_key=key_of(target),
                state=state,
                late=False,
                reporter_id=reporter,
                target_id=target,
                content=json.dumps(content),
            )
        )
        if cluster is not None:
            connection.execute(
                sa.insert(schema.cluster_complaints).values(
                    cluster_id=cluster,
                    row_key=row_key,
                    tenant_id=tenant_id,
                    reporter_key=key_of(reporter),
                    target_key=key_of(target),
                    occurred_us=at_us(hours),
                    exempt=exempt,
                )
            )
    return str(content["id"])


def put_outcome(
    engine: Engine,
    tenant_id: int,
    seq: int,
    target: str,
    verdict: str | None,
    *,
    hours: float,
    decided_by: str = "person",
    complaint_id: str | None = None,
    retracts: str | None = None,
    action: str | None = None,
) -> None:
    """An archived outcome about a target, or about one complaint."""
    content: dict[str, str | None] = {
        "id": f"o{seq}",
        "target_id": target,
        "decided_at": at_text(hours),
        "verdict": verdict,
        "decided_by": decided_by,
    }
    if complaint_id is not None:
        content["complaint_id"] = complaint_id
    if retracts is not None:
        content["retracts"] = retracts
    if action is not None:
        content["action"] = action
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.outcomes).values(
                row_key=tenant_id << 40 | seq,
                tenant_id=tenant_id,
                id=content["id"],
                target_key=key_of(target),
                decided_us=at_us(hours),
                received_us=at_us(hours),
                complaint_id=complaint_id,
                content=json.dumps(content),
            )
        )


def put_decision(
    engine: Engine,
    tenant_id: int,
    cluster_id: str,
    decision_id: str,
    verdict: str = "coordinated",
    *,
    hours: float = 2,
    excluded: Sequence[str] = (),
    note: str | None = None,
    reason_code: str = "brigade",
    reverses: str | None = None,
) -> None:
    """A decision in a cluster's log, without any effect on the cluster."""
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.decisions).values(
                id=decision_id,
                tenant_id=tenant_id,
                cluster_id=cluster_id,
                at_us=at_us(hours),
                by="ann",
                verdict=verdict,
                reason_code=reason_code,
                reverses=reverses,
                excluded_reporters=json.dumps(list(excluded)),
                note=note,
                version=1,
            )
        )
