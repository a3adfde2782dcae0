"""Who has a case, and what is noted beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from case_world import START, put_cluster
from sqlalchemy import Engine

from service.errors import NotFound, Refused
from service.storage.accounts.tenants import create_tenant, tenant_id
from service.storage.cases.claims import claim, claims_of, unclaim
from service.storage.cases.notes import LONGEST, SHOWN, add_note, notes_of
from service.storage.sql import schema
from service.storage.sql.engine import write

NOW = START + timedelta(days=1)


@pytest.fixture
def tenant(engine: Engine) -> int:
    create_tenant(engine, "default", 1)
    create_tenant(engine, "other", 1)
    mine = tenant_id(engine, "default")
    for name in ("k1", "k2"):
        put_cluster(engine, mine, name)
    put_cluster(engine, tenant_id(engine, "other"), "k9")
    return mine


def test_a_case_changes_hands_and_the_trail_says_so(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        assert claim(connection, tenant, ["k2", "k1", "k1"], by="ann", now=NOW) == ["k2", "k1"]
        assert claim(connection, tenant, ["k1"], by="ann", now=NOW) == [], "she has it"
        assert claim(connection, tenant, ["k1"], by="bob", now=NOW + timedelta(hours=1)) == ["k1"]
        assert {k: c.by for k, c in claims_of(connection, tenant, ["k1", "k2", "k3"]).items()} == {
            "k1": "bob",
            "k2": "ann",
        }
        assert unclaim(connection, tenant, ["k1", "k3"], by="ann", now=NOW) == ["k1"]
        assert set(claims_of(connection, tenant, ["k1", "k2"])) == {"k2"}
        trail = connection.execute(
            sa.select(schema.audit_trail.c.actor, schema.audit_trail.c.action, schema.audit_trail.c.subject).order_by(
                schema.audit_trail.c.id
            )
        ).all()
    assert [tuple(row) for row in trail] == [
        ("ann", "claim", "cluster:k2"),
        ("ann", "claim", "cluster:k1"),
        ("bob", "claim", "cluster:k1"),
        ("ann", "unclaim", "cluster:k1"),
    ]


def test_anothers_case_and_no_case_at_all_are_passed_over_alike(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        assert claim(connection, tenant, ["k9", "k404", "x" * 200, "a\0b"], by="ann", now=NOW) == []
        claim(connection, tenant_id(engine, "other"), ["k9"], by="eve", now=NOW)
        assert (
            claims_of(connection, tenant, ["k9"]) == {} and unclaim(connection, tenant, ["k9"], by="ann", now=NOW) == []
        )


def test_notes_are_appended_and_follow_a_merge(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        add_note(connection, tenant, "k1", "  <b>looks</b> like them  ", by="ann", now=NOW)
        add_note(connection, tenant, "k2", "again", by="bob", now=NOW)
        connection.execute(
            sa.update(schema.clusters)
            .where(schema.clusters.c.id == "k1")
            .values(merged_into="k2", disposition="merged")
        )
        assert [(n.cluster_id, n.by, n.text) for n in notes_of(connection, tenant, "k2")] == [
            ("k1", "ann", "<b>looks</b> like them"),
            ("k2", "bob", "again"),
        ]
        for number in range(SHOWN):
            add_note(connection, tenant, "k2", f"note {number}", by="bob", now=NOW)
        latest = notes_of(connection, tenant, "k2")
        assert (len(latest), latest[-1].text) == (SHOWN, f"note {SHOWN - 1}")


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST + 1), "a\0b", "a\ud800b"])
def test_a_note_that_cannot_be_kept_is_refused(engine: Engine, tenant: int, text: str) -> None:
    with write(engine) as connection:
        with pytest.raises(Refused):
            add_note(connection, tenant, "k1", text, by="ann", now=NOW)
        with pytest.raises(NotFound):
            add_note(connection, tenant, "k9", "not mine", by="ann", now=NOW)
