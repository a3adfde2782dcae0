"""What decisions would do, read from the archive."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from case_world import START, at_text, at_us, put_cluster, put_complaint
from sqlalchemy import Engine

from service.errors import NotFound, Refused
from service.model import DecisionRequest
from service.moderation.decision_preview import Effect
from service.storage.accounts.tenants import create_tenant, tenant_id
from service.storage.cases.decision_preview import effect_of_decisions
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

NOW = START + timedelta(days=1)


def attacked(engine: Engine, name: str = "default", *, members: int = 9, others: int = 2) -> int:
    """A tenant with the open cluster k1 of `members` on t1, which `others` complained about as well, and which was
    removed by count.
    """
    create_tenant(engine, name, 1)
    tenant = tenant_id(engine, name)
    people = [f"r{i}" for i in range(members)]
    cluster_id = "k1" if name == "default" else f"k1-{name}"
    put_cluster(engine, tenant, cluster_id, reporters=people, targets=["t1"])
    for seq, reporter in enumerate([*people, *(f"o{i}" for i in range(others))]):
        put_complaint(
            engine, tenant, seq + 1, reporter, "t1", hours=seq / 60, cluster=cluster_id if seq < members else None
        )
    body = {"id": "x1", "target_id": "t1", "decided_at": at_text(1), "action": "removed", "decided_by": "automatic"}
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.targets).values(tenant_id=tenant, target_key=key_of("t1"), complaints=members + others)
        )
        connection.execute(
            sa.insert(schema.outcomes).values(
                row_key=tenant << 40 | 900,
                tenant_id=tenant,
                id="x1",
                target_key=key_of("t1"),
                decided_us=at_us(1),
                received_us=at_us(1),
                content=json.dumps(body),
            )
        )
    return tenant


def effect(engine: Engine, tenant: int, cluster_id: str = "k1", **fields: object) -> Effect:
    asked = DecisionRequest.model_validate(
        {"verdict": "coordinated", "reason_code": "brigade", "version": 77, **fields}
    )
    with engine.connect() as connection:
        return effect_of_decisions(connection, tenant, {cluster_id: asked}, now=NOW)


def test_the_effect_is_told_from_the_archive(engine: Engine) -> None:
    tenant = attacked(engine)
    found = effect(engine, tenant)
    assert (found.lifted, found.changed_targets, found.restorations) == (pytest.approx(8.0), 1, 1)
    assert effect(engine, tenant, excluded_reporters=["r0", "r1"]).lifted == pytest.approx(6.0)
    assert effect(engine, tenant, verdict="not_coordinated").restorations == 0


def test_nothing_is_written_and_the_version_is_not_asked(engine: Engine) -> None:
    tenant = attacked(engine)
    effect(engine, tenant)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.decisions)) == 0
        assert connection.execute(sa.select(schema.clusters.c.version, schema.clusters.c.status)).one() == (1, "open")


def test_what_cannot_be_decided_is_refused_alike(engine: Engine) -> None:
    tenant, other = attacked(engine), attacked(engine, "other")
    with pytest.raises(NotFound):
        effect(engine, other)
    with pytest.raises(Refused, match="is not a member"):
        effect(engine, tenant, excluded_reporters=["nobody"])
