"""Sources: what is made, kept sealed, rotated, removed; and where pollers are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, select

from service.errors import NotFound, Refused
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import create_tenant
from service.storage.sql import timers
from service.storage.sql.engine import write
from service.storage.sql.schema import audit_trail
from service.storage.sql.schema import sources as rows
from service.storage.webhooks import sources
from service.storage.webhooks.source_checks import shared_ids_warning

NOW_US = 1_795_000_000_000_000
DAY_US = 86_400_000_000


@pytest.fixture
def box(settings: Settings) -> SecretBox:
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / "secret.key").write_text("5a" * 32)
    return SecretBox(settings)


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "paper", NOW_US)


def add(
    engine: Engine,
    box: SecretBox,
    tenant: int,
    platform: str = "mastodon",
    secret: str | None = "as long as it takes",
    **fields: Any,
) -> sources.Source:
    with write(engine) as connection:
        return sources.add_source(connection, box, tenant, platform, secret=secret, now_us=NOW_US, **fields)


def test_a_source_is_found_by_its_path_and_by_its_tenant_alone(engine: Engine, box: SecretBox, tenant: int) -> None:
    made = add(engine, box, tenant)
    other = create_tenant(engine, "other", NOW_US)
    assert made.path == f"/v1/webhooks/mastodon/{made.id}"
    assert len(made.id) > 40
    with engine.connect() as connection:
        assert sources.find_source(connection, "mastodon", made.id) == made
        assert sources.find_source(connection, "discourse", made.id) is None
        assert sources.find_source(connection, "mastodon", made.id[:-1]) is None
        assert sources.source_of(connection, tenant, made.id).tenant == "paper"
        with pytest.raises(NotFound):
            sources.source_of(connection, other, made.id)
        assert sources.list_sources(connection, other) == []


def test_secrets_lie_sealed_and_are_shown_by_no_representation(engine: Engine, box: SecretBox, tenant: int) -> None:
    made = add(engine, box, tenant, secret="Größe is no obstacle")
    assert sources.open_secrets(made, box, NOW_US) == ("Größe is no obstacle",)
    with engine.connect() as connection:
        stored = str(connection.execute(select(rows)).all()) + str(connection.execute(select(audit_trail)).all())
    assert "obstacle" not in stored
    assert made.secret is not None and made.secret not in repr(made)
    assert made.id not in str(stored.rpartition("source added")[2])


def test_while_rotating_both_secrets_are_valid_and_then_the_new_one_alone(
    engine: Engine, box: SecretBox, tenant: int
) -> None:
    made = add(engine, box, tenant, secret="first")
    with write(engine) as connection:
        turned = sources.rotate_secret(connection, box, tenant, made.id, "second", now_us=NOW_US)
    assert sources.open_secrets(turned, box, NOW_US + DAY_US - 1) == ("second", "first")
    assert sources.open_secrets(turned, box, NOW_US + DAY_US) == ("second",)
    with write(engine) as connection:
        turned = sources.rotate_secret(connection, box, tenant, made.id, "third", now_us=NOW_US, overlap_seconds=0)
    assert sources.open_secrets(turned, box, NOW_US) == ("third",)


def test_a_removed_source_never_existed_and_its_secret_is_gone(engine: Engine, box: SecretBox, tenant: int) -> None:
    made = add(engine, box, tenant, platform="coral", url="https://coral.example")
    with write(engine) as connection:
        sources.remove_source(connection, tenant, made.id, now_us=NOW_US)
        assert sources.find_source(connection, "coral", made.id) is None
        assert sources.pollers(connection, tenant) == []
        assert not sources.record_poll(connection, made, next_poll_us=NOW_US + 1, cursor={"a": 1})
        row = connection.execute(select(rows).where(rows.c.id == made.id)).one()
        assert (row.secret, row.previous_secret, row.next_poll_us, row.cursor) == (None, None, None, None)
        with pytest.raises(NotFound):
            sources.remove_source(connection, tenant, made.id, now_us=NOW_US)


@pytest.mark.parametrize(
    ("platform", "fields", "why"),
    [
        ("myspace", {}, "unknown platform"),
        ("lemmy", {}, "--url"),
        ("ozone", {"secret": None, "url": "https://o.example"}, "requires a secret"),
        ("mastodon", {"secret": None}, "requires a secret"),
        ("generic", {"secret": None}, "requires a secret"),
        ("mastodon", {"mapping": {}}, "only the platform generic"),
        ("mastodon", {"secret": ""}, "invalid secret"),
        ("mastodon", {"secret": " padded"}, "invalid secret"),
        ("mastodon", {"secret": "a\nb"}, "invalid secret"),
        ("mastodon", {"secret": "x" * 4_097}, "invalid secret"),
        *(
            ("lemmy", {"url": url}, "not a valid address")
            for url in (
                "",
                "ftp://a",
                "http://",
                "https://u:p@h",
                "https://h/#f",
                "https://h:99999",
                "https://[::1",
                "https://h/\n",
                "https://" + "h" * 2_048,
                "h.example",
            )
        ),
    ],
)
def test_what_could_be_no_source_is_refused(
    engine: Engine, box: SecretBox, tenant: int, platform: str, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        add(engine, box, tenant, platform, **fields)
    with engine.connect() as connection:
        assert sources.list_sources(connection, tenant) == []


def test_discourse_may_be_unsigned(engine: Engine, box: SecretBox, tenant: int) -> None:
    assert sources.open_secrets(add(engine, box, tenant, "discourse", None), box, NOW_US) == ()


def test_a_poller_is_due_at_once_keeps_its_cursor_and_no_path_leads_to_it(
    engine: Engine, box: SecretBox, tenant: int
) -> None:
    made = add(engine, box, tenant, platform="lemmy", url="https://lemmy.example")
    with write(engine) as connection:
        assert made.polled and sources.find_source(connection, "lemmy", made.id) is None
        assert timers.due(connection, NOW_US) == [("poll", "paper")]
        assert sources.record_poll(connection, made, next_poll_us=NOW_US + 60, cursor={"page": 3}, polled_us=NOW_US + 5)
        (now,) = sources.pollers(connection, tenant)
        assert (now.cursor, now.next_poll_us, now.polled_us, now.failures, now.last_error) == (
            {"page": 3},
            NOW_US + 60,
            NOW_US + 5,
            0,
            None,
        )
        assert sources.record_poll(
            connection, now, next_poll_us=NOW_US + 90, cursor=now.cursor, failures=2, last_error="503"
        )
        (now,) = sources.pollers(connection, tenant)
        assert (now.cursor, now.polled_us, now.failures, now.last_error) == ({"page": 3}, NOW_US + 5, 2, "503")
        turned = sources.rotate_secret(connection, box, tenant, made.id, "another token", now_us=NOW_US + 7)
        assert (turned.failures, turned.last_error, turned.next_poll_us) == (0, None, NOW_US + 7)
        assert sources.open_secrets(turned, box, NOW_US + 7) == ("another token",)


def test_a_second_installation_needs_a_namespace_and_keeps_it(engine: Engine, box: SecretBox, tenant: int) -> None:
    first = add(engine, box, tenant, platform="discourse")
    with pytest.raises(Refused, match="already connected without a namespace.*--namespace NAME") as refused:
        add(engine, box, tenant, platform="discourse")
    assert "--" not in refused.value.problem  # a form shows it
    assert add(engine, box, tenant, platform="discourse", namespace="forum2").namespace == "forum2"
    assert add(engine, box, tenant, platform="discourse", namespace="forum2").namespace == "forum2"  # shared on purpose
    assert add(engine, box, tenant, platform="mastodon").namespace is None
    assert add(engine, box, create_tenant(engine, "other", NOW_US), platform="discourse").namespace is None
    with write(engine) as connection:
        sources.remove_source(connection, tenant, first.id, now_us=NOW_US)
    assert add(engine, box, tenant, platform="discourse").namespace is None
    assert add(engine, box, tenant, platform="discourse", same_installation=True).namespace is None


def test_the_first_one_may_be_the_one_with_a_namespace(engine: Engine, box: SecretBox, tenant: int) -> None:
    add(engine, box, tenant, platform="discourse", namespace="forum2")
    add(engine, box, tenant, platform="discourse")


def test_corals_webhook_brings_no_ids_and_never_collides(engine: Engine, box: SecretBox, tenant: int) -> None:
    add(engine, box, tenant, platform="coral", url="https://one.example")
    add(engine, box, tenant, platform="coral")
    add(engine, box, tenant, platform="coral")
    with pytest.raises(Refused, match="already connected"):
        add(engine, box, tenant, platform="coral", url="https://two.example")
    with engine.connect() as connection:
        assert sources.bare_platforms(connection, tenant) == ["coral"]


@pytest.mark.parametrize("namespace", ["", "A", "a:b", "-a", "x" * 33, "forum2\n"])
def test_a_namespace_has_a_syntax(engine: Engine, box: SecretBox, tenant: int, namespace: str) -> None:
    with pytest.raises(Refused, match="not a valid namespace: use 1 to 32 lowercase letters"):
        add(engine, box, tenant, namespace=namespace)


def test_whoever_has_two_without_one_already_is_warned(engine: Engine, box: SecretBox, tenant: int) -> None:
    assert shared_ids_warning([]) is None and shared_ids_warning(["lemmy"]) is None
    warning = shared_ids_warning(["ozone", "discourse", "ozone"])
    assert warning is not None and "Connected without a namespace: discourse, ozone (2 times)." in warning


def test_the_audit_trail_has_the_namespace(engine: Engine, box: SecretBox, tenant: int) -> None:
    add(engine, box, tenant, namespace="forum2")
    add(engine, box, tenant, same_installation=True)
    with engine.connect() as connection:
        details = [json.loads(row) for row in connection.execute(select(audit_trail.c.detail)).scalars()]
    assert details == [
        {"platform": "mastodon", "url": None, "signed": True, "namespace": "forum2"},
        {"platform": "mastodon", "url": None, "signed": True, "namespace": None, "same_installation": True},
    ]


def test_a_webhook_wakes_the_pollers_of_its_platform_but_none_that_backs_off(
    engine: Engine, box: SecretBox, tenant: int
) -> None:
    calm, failing, other = (
        add(engine, box, tenant, platform=p, url=f"https://{n}.example", namespace=f"n{n}")
        for n, p in enumerate(("coral", "coral", "lemmy"))
    )
    with write(engine) as connection:
        for source, failures in ((calm, 0), (failing, 3), (other, 0)):
            sources.record_poll(connection, source, next_poll_us=NOW_US + DAY_US, cursor=None, failures=failures)
        timers.move_to(connection, tenant, "poll", NOW_US + DAY_US)
        assert sources.wake_pollers(connection, tenant, "coral", NOW_US) == 1
        assert sources.pollers(connection, tenant)[0].id == calm.id
        assert timers.due(connection, NOW_US) == [("poll", "paper")]
        assert sources.wake_pollers(connection, tenant, "coral", NOW_US) == 0
