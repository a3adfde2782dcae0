"""Tags of cases: one word is one tag, however it is spelled; tenants, mergers and erasure."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from case_world import START, put_cluster
from sqlalchemy import Engine

from service.errors import NotFound
from service.moderation.decisions import Unfit
from service.storage.accounts.tenants import create_tenant
from service.storage.cases import tags
from service.storage.cases.case_history import history_of
from service.storage.cases.case_queue import list_queue, narrowed, of_tab
from service.storage.cases.cases import read_cluster
from service.storage.cases.tag_reads import tags_in_use, tags_of
from service.storage.privacy.erasure_rewrite import ErasureRewrite
from service.storage.privacy.export import tenant as export_tenant
from service.storage.sql import schema
from service.storage.sql.engine import write


@pytest.fixture
def tenant(engine: Engine) -> int:
    number = create_tenant(engine, "default", 0)
    for case in ("k1", "k2"):
        put_cluster(engine, number, case)
    return number


def add(engine: Engine, tenant: int, case: str, tag: str, by: str = "ann") -> str:
    with write(engine) as connection:
        return tags.add_tag(connection, tenant, case, tag, by=by, now=START)


def remove(engine: Engine, tenant: int, case: str, tag: str) -> bool:
    with write(engine) as connection:
        return tags.remove_tag(connection, tenant, case, tag, by="bob", now=START + timedelta(hours=1))


def listed(engine: Engine, tenant: int, tag: str) -> list[str]:
    chosen = narrowed(of_tab("all", "ann"), {"tag": tag})
    with engine.connect() as connection:
        items, _ = list_queue(connection, tenant, chosen, sort="-score", after=None, limit=9, now=START)
    return [one.item.id for one in items]


def test_equal_words_are_one_tag_spelled_as_it_was_first(engine: Engine, tenant: int) -> None:
    assert add(engine, tenant, "k1", "  Große   Straße ") == "Große Straße"
    assert add(engine, tenant, "k2", "GROSSE STRASSE") == "Große Straße"
    assert add(engine, tenant, "k2", "große straße") == "Große Straße"
    add(engine, tenant, "k2", "cafe\u0301")
    with engine.connect() as connection:
        assert tags_of(connection, tenant, ["k1", "k2"]) == {"k1": ["Große Straße"], "k2": ["café", "Große Straße"]}
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.case_tags)) == 3
    assert listed(engine, tenant, "grosse strasse") == ["k1", "k2"]
    assert listed(engine, tenant, "CAFÉ") == ["k2"]
    assert listed(engine, tenant, "caf") == []


@pytest.mark.parametrize("tag", ["", "   ", "x" * 41, "a,b", "a\u202eb", "a\x00b", "\ud800"])
def test_unsuitable_tags_are_refused(engine: Engine, tenant: int, tag: str) -> None:
    with pytest.raises(Unfit):
        add(engine, tenant, "k1", tag)


def test_a_case_has_a_bounded_number_of_tags(engine: Engine, tenant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MOST_OF_CASE", 2)
    monkeypatch.setattr(tags, "MOST_OF_TENANT", 3)
    add(engine, tenant, "k1", "one")
    add(engine, tenant, "k1", "two")
    with pytest.raises(Unfit, match="at most 2 tags"):
        add(engine, tenant, "k1", "three")
    assert add(engine, tenant, "k1", "ONE") == "one"
    add(engine, tenant, "k2", "three")
    with pytest.raises(Unfit, match="3 different tags"):
        add(engine, tenant, "k2", "four")


def test_a_removed_tag_stays_in_the_history_and_can_be_added_again(engine: Engine, tenant: int) -> None:
    add(engine, tenant, "k1", "sports")
    assert remove(engine, tenant, "k1", "sports")
    assert not remove(engine, tenant, "k1", "sports")
    with engine.connect() as connection:
        assert tags_in_use(connection, tenant) == []
        history = [(e.what, e.by, e.standing) for e in history_of(connection, tenant, "k1") if e.kind == "tag"]
    assert history == [("sports", "ann", True), ("sports", "bob", False)]
    assert listed(engine, tenant, "sports") == []
    add(engine, tenant, "k1", "Sports")
    assert listed(engine, tenant, "sports") == ["k1"]


def test_the_audit_trail_does_not_repeat_a_tag_which_may_name_a_person(engine: Engine, tenant: int) -> None:
    add(engine, tenant, "k1", "like anna")
    remove(engine, tenant, "k1", "like anna")
    a = schema.audit_trail.c
    with engine.connect() as connection:
        rows = connection.execute(sa.select(a.action, a.subject, a.detail).order_by(a.id)).all()
    assert [tuple(row) for row in rows] == [("tag added", "cluster:k1", "{}"), ("tag removed", "cluster:k1", "{}")]


def test_a_merged_cases_tags_are_its_survivors(engine: Engine, tenant: int) -> None:
    put_cluster(engine, tenant, "k3", disposition="merged", merged_into="k2")
    put_cluster(engine, tenant, "k4", disposition="merged", merged_into="k3")
    add(engine, tenant, "k4", "far")
    add(engine, tenant, "k3", "near")
    add(engine, tenant, "k2", "near")
    with engine.connect() as connection:
        assert tags_of(connection, tenant, ["k2", "k1"]) == {"k2": ["far", "near"]}
        assert read_cluster(connection, tenant, "k2", now=START).tags == ["far", "near"]
        exported = {name: list(objects) for name, objects in export_tenant(connection, tenant)}
        assert {one["id"]: one["tags"] for one in exported["clusters.ndjson"]}["k2"] == ["far", "near"]
    assert listed(engine, tenant, "far") == ["k2", "k3", "k4"]
    assert remove(engine, tenant, "k2", "far")
    with engine.connect() as connection:
        assert tags_of(connection, tenant, ["k2"]) == {"k2": ["near"]}


def test_other_tenants_cases_and_tags_are_out_of_reach(engine: Engine, tenant: int) -> None:
    other = create_tenant(engine, "other", 0)
    put_cluster(engine, other, "k9")
    add(engine, other, "k9", "Theirs")
    assert add(engine, tenant, "k1", "theirs") == "theirs"
    for change in (add, remove):
        with pytest.raises(NotFound):
            change(engine, tenant, "k9", "theirs")
    with engine.connect() as connection:
        assert tags_in_use(connection, tenant) == ["theirs"]
        assert tags_of(connection, tenant, ["k9"]) == {}


def test_a_tag_that_names_an_erased_reporter_is_rewritten_even_if_the_name_is_a_word(
    engine: Engine, tenant: int
) -> None:
    put_cluster(engine, tenant, "k3", reporters=["anna", "r2", "r3"])
    add(engine, tenant, "k3", "like anna")
    add(engine, tenant, "k3", "anna")
    add(engine, tenant, "k3", "annals")
    rewrite = ErasureRewrite(tenant, {"anna": "erased-1"})
    found = rewrite.find(engine)
    with write(engine) as connection:
        rewrite.apply(connection, found)
    with engine.connect() as connection:
        assert tags_of(connection, tenant, ["k3"]) == {"k3": ["annals", "erased-1", "like erased-1"]}
