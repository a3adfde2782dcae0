"""Restorations as they are listed."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from service.storage.accounts.tenants import create_tenant
from service.storage.cases import restorations
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of


def test_items_come_in_the_order_asked_of_this_tenant_alone_however_many_blocks_that_takes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = create_tenant(engine, "paper", 0), create_tenant(engine, "other", 0)
    with write(engine) as connection:
        connection.execute(
            sa.insert(schema.restorations),
            [
                {
                    "tenant_id": tenant,
                    "target_key": key_of(target),
                    "target_id": target,
                    "state": "open",
                    "harm": 1.5,
                    "complaints": 9,
                    "independent": 2.5,
                    "cluster_ids": json.dumps(["k-1"]),
                    "threshold": 8,
                    "removal_id": "o9",
                    "removed_us": 1,
                    "removed_by": "automatic",
                    "opened_us": 2,
                    "changed_us": 2,
                    "opened_seq": 5,
                }
                for tenant, target in ((mine, "t1"), (mine, "t2"), (mine, "t3"), (theirs, "t4"))
            ],
        )
    monkeypatch.setattr(restorations, "KEYS_PER_SELECT", 2)
    with engine.connect() as connection:
        found = restorations.read_items(connection, mine, ["t3", "t4", "t1", "nobody", "t2"])
        assert restorations.read_items(connection, mine, []) == []
    assert [one.target_id for one in found] == ["t3", "t1", "t2"]
