"""Suggested warnings as a person reads and handles them."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from case_world import at_us
from sqlalchemy import Engine

from service.errors import NotFound
from service.model import moment
from service.moderation.warnings import Suggestion, letter
from service.storage.accounts.tenants import create_tenant
from service.storage.cases import warnings
from service.storage.cases.warnings import Warned
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.hashing import key_of

FOUND = Suggestion(unfounded=12, judged=13, by_outcome=2, by_decision=10, period_seconds=90 * 86_400, clusters=("k-1",))


@pytest.fixture
def tenant(engine: Engine) -> int:
    number = create_tenant(engine, "paper", 0)
    with write(engine) as connection:
        for place, name in enumerate(("r1", "r2", "r3")):
            warnings.save(
                connection, number, [Warned(key_of(name), name, FOUND)], (), watermark_us=at_us(1), now_us=at_us(place)
            )
    return number


def test_suggestions_come_newest_first_in_pages(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        page, after = warnings.list_suggested(connection, tenant, after=None, limit=2)
        rest, end = warnings.list_suggested(connection, tenant, after=after, limit=2)
    assert [s.reporter_id for s in page + rest] == ["r3", "r2", "r1"]
    assert (page[0].suggestion, page[0].at, page[0].until, page[0].handled, end) == (
        FOUND,
        moment(at_us(2)),
        moment(at_us(1)),
        None,
        None,
    )


def test_what_a_person_made_of_it_is_kept_and_in_the_audit_trail(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        warnings.handle(connection, tenant, "r1", "warned", by="ann", now_us=at_us(5))
    with engine.connect() as connection:
        told = warnings.read_suggested(connection, tenant, "r1")
        trail = connection.execute(
            sa.select(schema.audit_trail.c.actor, schema.audit_trail.c.action, schema.audit_trail.c.detail)
        ).one()
    assert told is not None
    assert told.handled is not None
    assert (told.handled.choice, told.handled.by, told.handled.at) == ("warned", "ann", moment(at_us(5)))
    assert (trail.actor, trail.action, json.loads(trail.detail)["reporter"]) == ("ann", "warning", "r1")


def test_nothing_is_handled_where_nothing_is_suggested(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    for number, name in ((tenant, "r9"), (other, "r1")):
        with pytest.raises(NotFound), write(engine) as connection:
            warnings.handle(connection, number, name, "declined", by="ann", now_us=0)
    with engine.connect() as connection:
        assert warnings.read_suggested(connection, other, "r1") is None


def test_the_letter_names_the_figures_what_follows_and_how_to_object() -> None:
    text = letter(FOUND)
    assert "90 days" in text
    assert "reviewed 3 of your reports and found 2 of them unfounded" in text
    assert "10 more were part of a group that our moderators found to be coordinated" in text
    assert "stop processing reports" in text
    assert "reply to this message" in text


def test_the_letter_claims_no_review_of_what_was_only_decided_about_as_part_of_a_group() -> None:
    text = letter(Suggestion(10, 10, by_outcome=0, by_decision=10, period_seconds=86_400, clusters=("k-1",)))
    assert "10 of your reports were part of a group that our moderators found to be coordinated" in text
    assert "reviewed" not in text and "did not break our rules" not in text
    text = letter(Suggestion(10, 12, by_outcome=10, by_decision=0, period_seconds=86_400, clusters=()))
    assert "reviewed 12 of your reports and found 10 of them unfounded" in text and "group" not in text
    text = letter(Suggestion(10, 11, by_outcome=0, by_decision=10, period_seconds=86_400, clusters=()))
    assert "found 0 of them unfounded. 10 more" in text and "did not break our rules" not in text
