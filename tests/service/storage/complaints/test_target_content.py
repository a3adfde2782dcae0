"""What a target says, as a complaint described it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from case_world import put_complaint
from sqlalchemy import Engine

from service.storage.accounts.tenants import create_tenant
from service.storage.complaints.target_content import TargetWords, words_of
from service.storage.sql import schema
from service.storage.sql.engine import write


def described(engine: Engine, tenant: int, seq: int, target: str, **words: str) -> None:
    put_complaint(engine, tenant, seq, f"r{seq}", target, hours=seq)
    with write(engine) as connection:
        content = {"id": f"c{seq}", "reporter": {"id": f"r{seq}"}, "target": {"id": target, **words}}
        connection.execute(
            sa.update(schema.complaints)
            .where(schema.complaints.c.row_key == tenant << 40 | seq)
            .values(content=json.dumps(content))
        )


def test_words_are_those_of_the_targets_that_are_asked_for_and_of_no_other_tenants(engine: Engine) -> None:
    mine, theirs = create_tenant(engine, "paper", 0), create_tenant(engine, "other", 0)
    described(engine, mine, 1, "t1", excerpt="The tram is late.", author_id="a1", url="https://news.example/t1")
    described(engine, mine, 2, "t1", excerpt="The tram is late.")
    described(engine, mine, 3, "t2")
    described(engine, theirs, 1, "t3", excerpt="not yours")
    with engine.connect() as connection:
        found = words_of(connection, mine, ["t2", "t1", "t1", "t3", "t4"])
    assert found == {
        "t1": TargetWords("The tram is late.", "a1", "https://news.example/t1"),
        "t2": TargetWords(None, None, None),
    }
