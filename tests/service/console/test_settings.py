"""Settings: who may, what each form does, what it refuses, and that all of it is on record."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import NOW_US, Api
from console_world import PASSWORD, Visitor, put_user, sign_in
from starlette.routing import Route

from service.console import settings
from service.console.settings.frame import SECTIONS
from service.console.settings.people import new_password
from service.model import microseconds
from service.moderation.events import DEFAULT_TYPES, Event
from service.storage.accounts import users
from service.storage.accounts.policy_overrides import overrides_of
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import change_settings, settings_of
from service.storage.accounts.tenants import find_key
from service.storage.detection import dry_runs
from service.storage.privacy import retention_guard
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.webhooks import outbox, sources, subscriptions

HOSTILE = "<script>alert(1)</script>\"'&"
_ROUTES = [route for router in settings.SECTION_ROUTERS for route in router.routes if isinstance(route, Route)]
POSTS = sorted(f"/console/settings{route.path}" for route in _ROUTES if "POST" in (route.methods or ()))
GETS = sorted(f"/console/settings{route.path}" for route in _ROUTES if "GET" in (route.methods or ()))


def tenant_of(api: Api, name: str = "default") -> int:
    with api.engine.connect() as connection:
        return int(connection.scalar(sa.select(schema.tenants.c.id).where(schema.tenants.c.name == name)) or 0)


def trail_of(api: Api, *actions: str) -> list[tuple[str, str, str, Any]]:
    table = schema.audit_trail.c
    with api.engine.connect() as connection:
        rows = connection.execute(
            sa.select(table.actor, table.action, table.subject, table.detail).order_by(table.id)
        ).all()
    return [(row.actor, row.action, row.subject, json.loads(row.detail)) for row in rows if row.action in actions]


def shown_once(text: str) -> str:
    found = re.search(r'id="shown-once"[^>]* value="([^"]+)"', text)
    assert found is not None, text
    return found[1]


@pytest.fixture
def root(api: Api) -> Visitor:
    return sign_in(api, "root", role="admin")


# --- who may


def test_every_settings_section_is_for_admins_only(api: Api, root: Visitor) -> None:
    anna = sign_in(api, "anna", role="moderator")
    assert root.get("/console/settings").headers["location"] == "/console/settings/thresholds"
    for section in SECTIONS:
        answer = root.get(section.path)
        assert answer.status_code == 200, section.path
        assert f'href="{section.path}" aria-current="page"' in answer.text
        assert anna.get(section.path).status_code == 403
        assert Visitor(api).get(section.path).headers["location"].startswith("/console/sign-in?next=")
    assert ">Settings</a>" in root.get("/console/clusters").text
    assert ">Settings</a>" not in anna.get("/console/clusters").text


@pytest.mark.parametrize("path", POSTS)
def test_no_form_works_without_its_token_from_another_site_or_for_a_moderator(
    api: Api, root: Visitor, path: str
) -> None:
    there = re.sub(r"\{[^}]*\}", "1", path)
    assert root.post(there, csrf="").status_code == 403
    assert root.post(there, csrf="guessed").status_code == 403
    assert root.post(there, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert sign_in(api, "anna", role="moderator").post(there).status_code == 403


@pytest.mark.parametrize("path", [p for p in (*POSTS, *GETS) if "{" in p])
def test_missing_settings_and_those_of_another_tenant_are_not_found(api: Api, root: Visitor, path: str) -> None:
    for wrong in ("1", "999999", "x" * 200, "%00", "%3Cscript%3E", "..%2F..", "1e9", "%F0%9F%98%80"):
        there = re.sub(r"\{[^}]*\}", wrong, path)
        answer = (
            root.post(there, raw_path=there.encode())
            if path in POSTS and path not in GETS
            else root.get(there, raw_path=there.encode())
        )
        if wrong == "1" and "/people/" in path:
            continue  # that is root's own account
        assert answer.status_code == (404 if len(wrong) < 100 and wrong != "%00" else 422), (there, answer.text)
        assert "<script>" not in answer.text.replace("<script src=", "")


def test_another_tenants_settings_are_not_found(api: Api, root: Visitor) -> None:
    other = sign_in(api, "eve", role="admin", tenant="other")
    key = api.key("default", "read")
    with api.engine.connect() as connection:
        key_id = connection.scalar(sa.select(schema.api_keys.c.id).where(schema.api_keys.c.tenant_id == tenant_of(api)))
        user_id = connection.scalar(sa.select(schema.users.c.id).where(schema.users.c.name == "root"))
    made = root.post("/console/settings/subscriptions/add", {"url": "https://93.184.216.34/hook"})
    assert made.status_code == 200
    with api.engine.connect() as connection:
        subscription = connection.scalar(sa.select(schema.subscriptions.c.id))
    root.post("/console/settings/thresholds/try", {"min_members": "5"})
    with api.engine.connect() as connection:
        run = connection.scalar(sa.select(schema.dry_runs.c.id))
    for path in (
        f"/console/settings/people/{user_id}",
        f"/console/settings/subscriptions/{subscription}",
        f"/console/settings/thresholds/runs/{run}",
    ):
        assert (root.get(path).status_code, other.get(path).status_code) == (200, 404), path
    for path in (
        f"/console/settings/keys/{key_id}/revoke",
        f"/console/settings/people/{user_id}/disable",
        f"/console/settings/people/{user_id}/reset",
        f"/console/settings/subscriptions/{subscription}/remove",
        f"/console/settings/subscriptions/{subscription}/rotate",
        f"/console/settings/thresholds/runs/{run}/cancel",
        f"/console/settings/thresholds/runs/{run}/apply",
    ):
        assert other.post(path).status_code == 404, path
    assert find_key(api.engine, key) is not None
    assert root.get("/console/clusters").status_code == 200


# --- thresholds


def ask(visitor: Visitor, **values: str) -> Any:
    return visitor.post("/console/settings/thresholds/try", values)


def done(api: Api, run: str, **found: Any) -> None:
    """What the job leaves."""
    result = {
        "until": "2026-03-08T00:00:00+00:00",
        "complaints": 1500,
        "policy_now": "2026.12",
        "policy_then": "2026.12+x",
        "seconds": 1.0,
        "cases": {
            "now": 1,
            "then": 1,
            "held_back_now": 0,
            "held_back_then": 2,
        },
        "comes_count": 1,
        "goes_count": 1,
        "exempt_count": 1,
        "restorations": {"now": 3, "then": 1},
        "comes": [
            {
                "cluster": None,
                "kind": "repeat",
                "coordination": 3.1,
                "accounts": 5,
                "target_count": 7,
                "summary": f"5 accounts {HOSTILE}",
                "first_at": "2026-03-01T00:00:00+00:00",
                "last_at": "2026-03-07T00:00:00+00:00",
            }
        ],
        "goes": [
            {
                "cluster": "k1",
                "kind": "repeat",
                "coordination": 0.4,
                "accounts": 3,
                "target_count": 4,
                "summary": "3 accounts",
                "first_at": "2026-03-01T00:00:00+00:00",
                "last_at": "2026-03-07T00:00:00+00:00",
                "why": "below",
                "claimed_by": f"bo {HOSTILE}",
                "notes": 2,
            }
        ],
        "exempt": [
            {
                "cluster": "k2",
                "kind": "repeat",
                "coordination": 9.4,
                "accounts": 8,
                "target_count": 5,
                "summary": "8 accounts",
                "first_at": "2026-03-01T00:00:00+00:00",
                "last_at": "2026-03-07T00:00:00+00:00",
                "why": "decided",
                "claimed_by": None,
                "notes": 0,
            }
        ],
        "holds": {
            "now": 4,
            "then": 3,
            "comes": 0,
            "goes": 1,
            "targets_that_come": [],
            "targets_that_go": [{"target": f"t/{HOSTILE}", "complaints": 12}],
        },
        **found,
    }
    with write(api.engine) as connection:
        assert dry_runs.note_progress(connection, tenant_of(api), run, 0.5)
        dry_runs.finish(connection, tenant_of(api), run, result, now_us=microseconds(api.app.state.api.now()))


def test_thresholds_use_readable_units_and_need_a_dry_run(api: Api, root: Visitor) -> None:
    page = root.get("/console/settings/thresholds").text
    assert 'name="window_seconds" value="14"' in page and "days" in page
    assert (
        'name="flag_score"' in page
        and 'name="neighbours"' in page
        and 'name="weights"' not in page
        and 'name="lag_scales"' not in page
    )
    there = ask(root, window_seconds="21", flag_score="0.5", min_members="", default_threshold="8").headers["location"]
    run = there.rpartition("/")[2]
    waiting = root.get(there)
    assert "Dry run: queued" in waiting.text and 'hx-trigger="every 1s"' in waiting.text
    with api.engine.connect() as connection:
        assert overrides_of(connection, tenant_of(api)) == {}
        found = dry_runs.read(connection, tenant_of(api), run)
        assert found.values == {"window_seconds": 21 * 86_400, "flag_score": 0.5} and found.by == "root"
    with write(api.engine) as connection:
        dry_runs.note_progress(connection, tenant_of(api), run, 0.25)
    part = root.get(there, htmx=True)
    assert "<html" not in part.text and 'value="0.25"' in part.text and "every 1s" in part.text


def test_a_dry_run_result_is_shown_and_can_be_applied(api: Api, root: Visitor) -> None:
    there = ask(root, flag_score="0.5").headers["location"]
    done(api, there.rpartition("/")[2])
    page = root.get(there).text
    assert "<b>1 case</b> would be added, <b>1 case</b> would be dropped" in page
    assert 'href="/console/clusters/k1"' in page and "too little evidence" in page
    assert "claimed by bo &lt;script&gt;" in page and "2 notes" in page, "somebody works on what would be dropped"
    assert "<b>1 case</b> is exempt" in page and "decided by a person" in page and "/console/clusters/k2" in page
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    assert "every 1s" not in page and "Apply these thresholds" in page
    assert root.post(f"{there}/apply").headers["location"] == "/console/settings/thresholds"
    page = root.get("/console/settings/thresholds").text
    assert (
        "These thresholds are now active (version 2026.12+" in page
        and "changed" in page
        and "Dry run with the defaults" in page
    )
    with api.engine.connect() as connection:
        assert overrides_of(connection, tenant_of(api)) == {"flag_score": 0.5}
    assert [(actor, subject) for actor, _, subject, _ in trail_of(api, "policy")] == [("root", "tenant")]
    assert "These thresholds are active." in root.get(there).text
    root.post(f"{there}/apply")
    assert "have been changed since" in root.get(there).text
    back = ask(root, defaults="yes").headers["location"]
    with api.engine.connect() as connection:
        assert dry_runs.read(connection, tenant_of(api), back.rpartition("/")[2]).values == {}


def test_a_dry_run_says_what_acts_on_later_cases_only_and_an_old_result_is_not_shown(api: Api, root: Visitor) -> None:
    there = ask(root, flags_per_day="1", warn_share="0.9", warn_unfounded="20").headers["location"]
    done(api, there.rpartition("/")[2])
    page = root.get(there).text
    assert "The daily limit is for new cases" in page and page.count("Warnings are considered when") == 1
    there = ask(root, flag_score="0.7").headers["location"]
    done(api, there.rpartition("/")[2], restorations=None)
    page = root.get(there).text
    assert "computed by an earlier version" in page and "Apply these thresholds" not in page


def test_an_invalid_threshold_shows_an_error_at_its_field_and_keeps_the_entry(api: Api, root: Visitor) -> None:
    answer = ask(
        root,
        min_members="2",
        window_seconds="0.3",
        flag_score="high",
        flags_per_day="1.5",
        prior_unfounded="nan",
        default_threshold="9" * 30,
    )
    assert answer.status_code == 422
    for name in (
        "min_members",
        "window_seconds",
        "flag_score",
        "flags_per_day",
        "prior_unfounded",
        "default_threshold",
    ):
        assert f'id="t-{name}-error"' in answer.text, name
    assert 'value="high"' in answer.text and "between 3 and 20" in answer.text and "between 1 and 90" in answer.text
    for typed in (HOSTILE, "1" * 5_000, "1e400", "-inf", "٣", " "):
        answer = ask(root, reporter_cap=typed)
        assert answer.status_code == 422 and "<script>alert" not in answer.text
    assert "nothing would change" in ask(root).text
    with api.engine.connect() as connection:
        assert dry_runs.newest(connection, tenant_of(api)) is None


def test_a_dry_run_can_be_stopped_and_a_failed_one_shows_the_reason(api: Api, root: Visitor) -> None:
    there = ask(root, flag_score="0.5").headers["location"]
    root.post(f"{there}/cancel")
    assert "was stopped. Nothing was changed" in root.get("/console/settings/thresholds").text
    assert "replaced by a newer one" in root.get(there).text
    there = ask(root, flag_score="0.5").headers["location"]
    assert "is in progress" in root.get("/console/settings/thresholds").text
    with write(api.engine) as connection:
        dry_runs.finish(
            connection, tenant_of(api), there.rpartition("/")[2], None, error="it failed: MemoryError", now_us=NOW_US
        )
    assert "it failed: MemoryError" in root.get(there).text
    root.post(f"{there}/apply")
    assert "only one that is done can be put in force" in root.get(there).text


# --- good patrols


def test_a_patrol_is_added_after_a_preview_and_removed_again(api: Api, root: Visitor) -> None:
    asked = root.get("/console/settings/patrols?reporter=r%2F1").text
    assert "Add to the list?" in asked and "Changes nothing now" in asked and "no complaints so far" in asked
    assert (
        root.post(
            "/console/settings/patrols/add", {"reporter": "r/1", "note": f"spam since 2019 {HOSTILE}"}
        ).status_code
        == 303
    )
    page = root.get("/console/settings/patrols").text
    assert "is now a good patrol" in page and 'href="/console/reporters/r%2F1"' in page and "<script>alert" not in page
    again = root.post("/console/settings/patrols/add", {"reporter": "r/1"})
    assert again.status_code == 422 and "on the list already" in again.text
    assert "Remove from the list?" in root.get("/console/settings/patrols?reporter=r%2F1").text
    assert root.post("/console/settings/patrols/remove", {"reporter": "r/1"}).status_code == 303
    assert root.post("/console/settings/patrols/remove", {"reporter": "r/1"}).status_code == 422
    assert [
        (actor, action, subject) for actor, action, subject, _ in trail_of(api, "allowed", "allowed no longer")
    ] == [("root", "allowed", "reporter:r/1"), ("root", "allowed no longer", "reporter:r/1")]
    for wrong in ("", "x" * 129, "a\nb", "\0"):
        assert root.post("/console/settings/patrols/add", {"reporter": wrong}).status_code == 422
    assert root.get("/console/settings/patrols", params={"reporter": "x" * 129}).status_code == 422


def test_with_pseudonyms_a_patrol_is_entered_by_platform_id_and_stored_by_pseudonym(api: Api) -> None:
    put_user(api, "ann")
    with write(api.engine) as connection:
        change_settings(connection, tenant_of(api), actor="test", now_us=NOW_US, pseudonyms=True)
    root = sign_in(api, "root", role="admin")
    assert "pseudonym of the ID you entered" in root.get("/console/settings/patrols?reporter=vera").text
    root.post("/console/settings/patrols/add", {"reporter": "vera"})
    with api.engine.connect() as connection:
        (kept,) = connection.scalars(sa.select(schema.allowed_reporters.c.reporter_id)).all()
    assert kept.startswith("p-") and "vera" not in str(trail_of(api, "allowed"))
    assert root.post("/console/settings/patrols/remove", {"reporter": kept}).status_code == 303


# --- people


def test_a_new_account_gets_a_one_time_password_that_is_shown_once(api: Api, root: Visitor) -> None:
    answer = root.post("/console/settings/people/add", {"name": "bert", "role": "moderator"})
    password = shown_once(answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert (
        password not in root.get("/console/settings/people").text
        and "one-time password not used yet" in root.get("/console/settings/people").text
    )
    bert = Visitor(api)
    assert bert.sign_in("default", "bert", password).status_code == 303
    assert bert.get("/console/clusters").headers["location"] == "/console/password"
    assert root.post("/console/settings/people/add", {"name": "bert", "role": "viewer"}).status_code == 422
    for name, role in (
        ("", "viewer"),
        ("a\nb", "viewer"),
        ("x" * 129, "viewer"),
        ("carl", "owner"),
        (HOSTILE * 5, "viewer"),
    ):
        refused = root.post("/console/settings/people/add", {"name": name, "role": role})
        assert refused.status_code == 422 and "<script>alert" not in refused.text, name
    assert len({new_password() for _ in range(50)}) == 50 and all(
        re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", new_password()) for _ in range(20)
    )


def test_roles_are_changed_accounts_disabled_and_passwords_reset(api: Api, root: Visitor) -> None:
    anna = sign_in(api, "anna", role="moderator")
    with api.engine.connect() as connection:
        there = f"/console/settings/people/{users.find_user(connection, tenant_of(api), 'anna').id}"
    assert "moderator" in root.get(there).text
    assert root.post(f"{there}/role", {"role": "admin"}).status_code == 303
    assert anna.get("/console/settings/keys").status_code == 200
    assert root.post(f"{there}/role", {"role": "god"}).status_code == 409
    link, password = shown_once(root.post(f"{there}/reset").text), "chosen by anna herself"
    assert anna.get("/console/clusters").status_code == 303, "sessions have ended"
    assert Visitor(api).sign_in("default", "anna", PASSWORD).status_code == 401
    path = link.removeprefix("http://testserver")
    assert anna.post(path, {"fresh": password, "again": password}).status_code == 200
    assert anna.sign_in("default", "anna", password).status_code == 303
    root.post(f"{there}/disable")
    assert anna.get("/console/password").headers["location"].startswith("/console/sign-in")
    assert "disabled" in root.get("/console/settings/people").text
    root.post(f"{there}/enable")
    assert Visitor(api).sign_in("default", "anna", password).status_code == 303
    assert [
        (actor, action)
        for actor, action, *_ in trail_of(
            api, "user-role", "user-reset-link", "user-password", "user-disabled", "user-enabled"
        )
    ] == [
        ("root", "user-role"),
        ("root", "user-reset-link"),
        ("anna", "user-password"),
        ("root", "user-disabled"),
        ("root", "user-enabled"),
    ]


def test_nobody_locks_out_themselves_or_the_last_admin(api: Api, root: Visitor) -> None:
    with api.engine.connect() as connection:
        own = f"/console/settings/people/{users.find_user(connection, tenant_of(api), 'root').id}"
    for action, data in (("role", {"role": "viewer"}), ("disable", {}), ("reset", {})):
        answer = root.post(f"{own}/{action}", data)
        assert answer.status_code == 409, action
    put_user(api, "second", role="admin")
    second = Visitor(api)
    second.sign_in("default", "second")
    second.get("/console/clusters")
    assert second.post(f"{own}/disable").status_code == 303
    with api.engine.connect() as connection:
        last = users.find_user(connection, tenant_of(api), "second")
    with write(api.engine) as connection:  # root was disabled after this page was loaded
        users.enable_user(connection, users.find_user(connection, tenant_of(api), "root"), actor="test", now_us=NOW_US)
    root.sign_in("default", "root")
    root.get("/console/clusters")
    assert root.post(f"/console/settings/people/{last.id}/disable").status_code == 303
    assert root.get("/console/settings/people").status_code == 200


# --- keys


def test_a_key_is_created_shown_once_used_and_revoked(api: Api, root: Visitor) -> None:
    answer = root.post("/console/settings/keys/add", {"name": f"comments {HOSTILE}", "scope": ["read", "ingest"]})
    key = shown_once(answer.text)
    found = find_key(api.engine, key)
    assert found is not None and found.scopes == {"read", "ingest"} and found.tenant == "default"
    page = root.get("/console/settings/keys").text
    assert key not in page and "<script>alert" not in page and "comments" in page
    assert root.post(f"/console/settings/keys/{found.id}/revoke").status_code == 303
    assert find_key(api.engine, key) is None
    assert root.post(f"/console/settings/keys/{found.id}/revoke").status_code == 404
    assert [(actor, action, subject) for actor, action, subject, _ in trail_of(api, "key-created", "key-revoked")] == [
        ("root", "key-created", f"key:{found.id}"),
        ("root", "key-revoked", f"key:{found.id}"),
    ]
    for wrong in (
        {"name": "", "scope": "read"},
        {"name": "x", "scope": []},
        {"name": "x", "scope": "root"},
        {"name": "x" * 129, "scope": "read"},
        {"name": "a\0", "scope": "read"},
    ):
        assert root.post("/console/settings/keys/add", wrong).status_code == 422, wrong


# --- webhooks out


def test_a_subscription_is_created_changed_rotated_disabled_and_deleted(api: Api, root: Visitor) -> None:
    answer = root.post(
        "/console/settings/subscriptions/add",
        {"url": "https://93.184.216.34/hook", "description": HOSTILE, "event": ["cluster.flagged", "target.hold"]},
    )
    first = shown_once(answer.text)
    assert first.startswith("whsec_")
    with api.engine.connect() as connection:
        ((made,), _) = subscriptions.list_page(connection, tenant_of(api), after=None, limit=10)
        assert made.events == ("cluster.flagged", "target.hold")
    there = f"/console/settings/subscriptions/{made.id}"
    page = root.get(there).text
    assert first not in page and "<script>alert" not in page and "&lt;script&gt;" in page
    assert (
        root.post(f"{there}/change", {"url": made.url, "description": "chat", "event": list(DEFAULT_TYPES)}).status_code
        == 303
    )
    second = shown_once(root.post(f"{there}/rotate").text)
    assert second != first and "Old secret still signs" in root.get(there).text
    root.post(f"{there}/disable")
    with api.engine.connect() as connection:
        now = subscriptions.read(connection, tenant_of(api), made.id)
    assert now.events == () and now.description == "chat" and now.disabled_because == "disabled by root"
    root.post(f"{there}/enable")
    assert "enabled" in root.get("/console/settings/subscriptions").text
    assert root.post(f"{there}/remove").headers["location"] == "/console/settings/subscriptions"
    assert root.get(there).status_code == 404
    assert [
        action
        for _, action, *_ in trail_of(
            api,
            *(
                f"subscription.{what}"
                for what in ("created", "changed", "secret_rotated", "disabled", "enabled", "deleted")
            ),
        )
    ] == [f"subscription.{what}" for what in ("created", "changed", "secret_rotated", "disabled", "enabled", "deleted")]


def test_internal_addresses_and_unknown_events_are_refused(api: Api, root: Visitor) -> None:
    for url in (
        "http://127.0.0.1/x",
        "http://169.254.169.254/latest",
        "https://localhost/",
        "ftp://x.example",
        "javascript:alert(1)",
        "",
        HOSTILE,
        "https://u:p@x.example/",
    ):
        answer = root.post("/console/settings/subscriptions/add", {"url": url})
        assert answer.status_code == 422 and "<script>alert" not in answer.text, url
    assert (
        root.post(
            "/console/settings/subscriptions/add", {"url": "https://93.184.216.34/", "event": "cluster.exploded"}
        ).status_code
        == 422
    )
    assert (
        root.post(
            "/console/settings/subscriptions/add", {"url": "https://93.184.216.34/", "description": "x" * 257}
        ).status_code
        == 422
    )


def test_the_delivery_log_is_paged_filtered_and_can_resend(api: Api, root: Visitor) -> None:
    root.post("/console/settings/subscriptions/add", {"url": "https://93.184.216.34/hook"})
    number = tenant_of(api)
    with write(api.engine) as connection:
        made = connection.scalar(sa.select(schema.subscriptions.c.id))
        outbox.record(connection, number, [Event("cluster.flagged", f"k{k}", {"n": k}) for k in range(60)], NOW_US)
        d = schema.deliveries
        first = connection.scalar(sa.select(d.c.id).order_by(d.c.id).limit(1))
        connection.execute(sa.update(d).where(d.c.id == first).values(state="failed", next_us=None, finished_us=NOW_US))
        connection.execute(
            sa.insert(schema.delivery_attempts).values(
                delivery_id=first, tenant_id=number, at_us=NOW_US, seconds=0.2, status=None, error=f"refused {HOSTILE}"
            )
        )
    there, seen = f"/console/settings/subscriptions/{made}", 0
    while True:
        page = root.get(there).text
        seen += page.count("/replay")
        more = re.search(r'href="([^"]+)" rel="next"', page)
        if more is None:
            break
        there = more[1].replace("&amp;", "&")
    assert seen == 60
    there = f"/console/settings/subscriptions/{made}"
    failed = root.get(f"{there}?state=failed").text
    assert failed.count("/replay") == 1 and "refused &lt;script&gt;" in failed
    assert root.get(f"{there}?cursor=nonsense").status_code == 400
    assert root.get(f"{there}?state=nonsense").status_code == 200
    assert "<b>1</b>" in root.get("/console/settings/subscriptions").text
    assert root.post(f"{there}/deliveries/{first}/replay").status_code == 303
    with api.engine.connect() as connection:
        assert connection.scalar(sa.select(d.c.state).where(d.c.id == first)) == "pending"
    root.post(f"{there}/disable")
    root.post(f"{there}/deliveries/{first}/replay")
    assert "Enable it before" in root.get(there).text
    assert root.post(f"{there}/deliveries/dlv_none/replay").status_code == 404


def test_a_test_event_is_sent_on_request_and_refused_while_disabled(api: Api, root: Visitor) -> None:
    root.post("/console/settings/subscriptions/add", {"url": "https://93.184.216.34/hook", "event": "cluster.decided"})
    with api.engine.connect() as connection:
        made = connection.scalar(sa.select(schema.subscriptions.c.id))
    there = f"/console/settings/subscriptions/{made}"
    assert root.post(f"{there}/ping").status_code == 303
    page = root.get(there).text
    assert "is on its way" in page and "<code>ping</code>" in page
    root.post(f"{there}/disable")
    assert root.post(f"{there}/ping").status_code == 303
    page = root.get(there).text
    assert "Enable it before" in page and page.count("<code>ping</code>") == 1
    assert root.post("/console/settings/subscriptions/sub_none/ping").status_code == 404
    assert sign_in(api, "anna", role="moderator").post(f"{there}/ping").status_code == 403


# --- connections in


def one_source(api: Api) -> sources.Source:
    with api.engine.connect() as connection:
        (found,) = sources.list_sources(connection, tenant_of(api))
    return found


def test_a_platform_is_connected_its_url_shown_once_its_secret_changed_and_removed(api: Api, root: Visitor) -> None:
    answer = root.post("/console/settings/sources/add", {"platform": "discourse", "secret": "first secret"})
    path = shown_once(answer.text)
    source = one_source(api)
    assert path == f"http://testserver{source.path}"
    listed = root.get("/console/settings/sources").text
    assert source.id not in listed and "first secret" not in listed
    (there,) = set(re.findall(r'href="(/console/settings/sources/[0-9a-f]{20})"', listed))
    assert source.id not in root.get(there).text
    assert root.post(f"{there}/rotate", {"secret": "second secret"}).status_code == 303
    box = SecretBox(api.settings)
    assert sources.open_secrets(one_source(api), box, NOW_US) == ("second secret", "first secret")
    root.post(f"{there}/rotate", {"secret": "third secret", "at_once": "yes"})
    assert sources.open_secrets(one_source(api), box, NOW_US) == ("third secret",)
    assert root.post(f"{there}/rotate", {"secret": ""}).status_code == 422
    assert root.post(f"{there}/remove").status_code == 303
    assert root.get(there).status_code == 404
    assert [
        (actor, action) for actor, action, *_ in trail_of(api, "source added", "source rotated", "source removed")
    ] == [("root", "source added"), ("root", "source rotated"), ("root", "source rotated"), ("root", "source removed")]


def test_an_unsigned_connection_shows_a_warning_and_a_polled_one_needs_a_public_url(api: Api, root: Visitor) -> None:
    assert "UNSIGNED" in root.post("/console/settings/sources/add", {"platform": "discourse"}).text
    assert "unsigned" in root.get("/console/settings/sources").text
    asked = root.post(
        "/console/settings/sources/add", {"platform": "lemmy", "url": "https://93.184.216.34", "secret": "token"}
    )
    assert asked.headers["location"] == "/console/settings/sources"
    assert "polled at https://93.184.216.34" in root.get("/console/settings/sources").text
    for wrong in (
        {"platform": "lemmy", "secret": "token"},
        {"platform": "lemmy", "url": "http://127.0.0.1", "secret": "t"},
        {"platform": "mastodon"},
        {"platform": "myspace", "secret": "x"},
        {"platform": "generic", "secret": "whsec_!!", "mapping": "{}"},
        {"platform": "generic", "secret": "x", "mapping": "[1]"},
        {"platform": "generic", "secret": "x", "mapping": "{" * 2_000},
        {"platform": "discourse", "secret": "a\nb"},
        {"platform": HOSTILE, "secret": "x"},
        {"platform": "discourse", "secret": "x", "mapping": "{}"},
        {"platform": "discourse", "url": HOSTILE},
    ):
        answer = root.post("/console/settings/sources/add", wrong)
        assert (
            answer.status_code == 422
            and "<script>alert" not in answer.text
            and "--" not in re.sub(r"<[^>]*>", "", answer.text)
        ), wrong


def test_a_second_installation_is_connected_under_a_namespace(api: Api, root: Visitor) -> None:
    add, here = "/console/settings/sources/add", "/console/settings/sources"
    form = {"platform": "discourse", "secret": "a secret"}
    root.post(add, form)
    assert "Connected without a namespace" not in root.get(here).text
    refused = root.post(add, form | {"namespace": " "})
    assert refused.status_code == 422 and "Discourse is already connected without a namespace" in refused.text
    wrong = root.post(add, form | {"namespace": "Forum <2>"})
    assert wrong.status_code == 422 and 'value="Forum &lt;2&gt;"' in wrong.text
    assert "is not a valid namespace: use 1 to 32 lowercase letters" in wrong.text
    assert root.post(add, form | {"namespace": " forum2 "}).status_code == 200
    listed = root.get(here).text
    assert '<span class="id">forum2</span>' in listed and "Connected without a namespace" not in listed
    assert root.post(add, form | {"same_installation": "yes"}).status_code == 200
    assert "Connected without a namespace: discourse (2 times)." in root.get(here).text
    shown = [
        root.get(there).text for there in set(re.findall(r'href="(/console/settings/sources/[0-9a-f]{20})"', listed))
    ]
    assert sum('<span class="id">forum2</span>' in page for page in shown) == 1
    assert [detail["namespace"] for *_, detail in trail_of(api, "source added")] == [None, "forum2", None]


# --- privacy and limits


def test_privacy_and_limits_are_saved_shown_and_audited(api: Api, root: Visitor) -> None:
    assert (
        root.post(
            "/console/settings/privacy/change",
            {"pseudonyms": "on", "keep_text": "on", "retention_days": "", "rate": "12.5"},
        ).status_code
        == 303
    )
    page = root.get("/console/settings/privacy").text
    assert "Complaints already stored keep their IDs" in page and 'value="12.5"' in page
    with api.engine.connect() as connection:
        now = settings_of(connection, tenant_of(api))
    assert (now.pseudonyms, now.keep_text, now.retention_days, now.rate_per_second) == (True, True, None, 12.5)
    assert len(trail_of(api, "settings")) == 1
    root.post(
        "/console/settings/privacy/change",
        {"pseudonyms": "on", "keep_text": "on", "retention_days": "", "rate": "12.5"},
    )
    assert "Nothing was changed" in root.get("/console/settings/privacy").text and len(trail_of(api, "settings")) == 1
    for wrong in (
        {"retention_days": "13"},
        {"retention_days": "ten"},
        {"retention_days": "9" * 40},
        {"rate": "0"},
        {"rate": "nan"},
        {"rate": "-1"},
        {"rate": HOSTILE},
        {"pseudonyms": "maybe"},
    ):
        answer = root.post(
            "/console/settings/privacy/change",
            {"pseudonyms": "on", "keep_text": "on", "confirmed": str(wrong.get("retention_days", "")), **wrong},
        )
        assert answer.status_code == 422 and "<script>alert" not in answer.text, wrong
        assert "`off`" not in answer.text, "a form must not name the value that the command line takes"


def test_a_shorter_retention_shows_what_it_deletes_and_needs_a_confirmation(api: Api, root: Visitor) -> None:
    number = tenant_of(api)
    now_us = int(api.app.state.api.now().timestamp() * 1e6)
    with write(api.engine) as connection:
        for k, days in enumerate((400, 90, 5), 1):
            received = now_us - days * 86_400_000_000
            connection.execute(
                sa.insert(schema.feed).values(
                    tenant_id=number,
                    last_seq=k * 1_000,
                    first_seq=k,
                    last_position=k * 1_000,
                    items=1_000,
                    oldest_received_us=received,
                    received_us=received,
                    payload=b"",
                )
            )
    values = {"pseudonyms": "off", "keep_text": "off", "retention_days": "30"}
    asked = root.post("/console/settings/privacy/change", values)
    assert asked.status_code == 200 and "about <b>2,000 older items</b>" in asked.text
    with api.engine.connect() as connection:
        assert settings_of(connection, number).retention_days is None
    assert root.post("/console/settings/privacy/change", {**values, "confirmed": "60"}).status_code == 200, (
        "confirmed was another number"
    )
    assert root.post("/console/settings/privacy/change", {**values, "confirmed": "30"}).status_code == 303
    assert root.post("/console/settings/privacy/change", {**values, "retention_days": "100"}).status_code == 303, (
        "a longer one deletes nothing"
    )
    assert root.post("/console/settings/privacy/change", {**values, "retention_days": ""}).status_code == 303
    with api.engine.connect() as connection:
        assert settings_of(connection, number).retention_days is None


# --- the audit trail


def test_the_audit_trail_is_paged_filtered_and_available_as_csv(api: Api, root: Visitor) -> None:
    number = tenant_of(api)
    with write(api.engine) as connection:
        for k in range(120):
            connection.execute(
                sa.insert(schema.audit_trail).values(
                    tenant_id=number,
                    at_us=NOW_US + k * 86_400_000_000,
                    actor=f"=cmd|{k % 2}",
                    action="decision",
                    subject=f"cluster:k{k}",
                    detail=json.dumps({"verdict": HOSTILE, "score": {"before": 1, "after": None}}),
                )
            )
        connection.execute(
            sa.insert(schema.audit_trail).values(
                tenant_id=number + 1_000, at_us=NOW_US, actor="eve", action="spying", subject="tenant", detail="{}"
            )
        )
    there, seen = "/console/settings/audit?action=decision", 0
    while True:
        page = root.get(there).text
        assert "<script>alert" not in page and "spying" not in page
        seen += page.count('class="id small" href="/console/clusters/')
        more = re.search(r'href="([^"]+)" rel="next"', page)
        if more is None:
            break
        there = more[1].replace("&amp;", "&")
    assert seen == 120
    assert "1 → none" in page
    assert root.get("/console/settings/audit?actor=%3Dcmd%7C1&subject=k11").text.count('href="/console/clusters/') == 6
    some = root.get(
        "/console/settings/audit", params={"action": "decision", "since": "2026-12-01", "until": "2026-12-02"}
    ).text
    assert some.count('href="/console/clusters/') == 2
    table = root.get("/console/settings/audit.csv?action=decision")
    assert table.headers["content-type"].startswith("text/csv") and len(table.text.splitlines()) == 121
    assert ",'=cmd|" in table.text and "\n=cmd" not in table.text
    assert sign_in(api, "anna").get("/console/settings/audit.csv").status_code == 403
    for wrong in ("since=yesterday", "until=9999-12-31", "cursor=x", "since=%00", "actor=%00", f"actor={'x' * 300}"):
        assert root.get(f"/console/settings/audit?{wrong}").status_code in (200, 400, 422), wrong
        assert root.get(f"/console/settings/audit.csv?{wrong}").status_code in (200, 409, 422), wrong


# --- retention that waits


def test_the_run_that_retention_waits_with_is_shown_and_consented_to_once(api: Api, root: Visitor) -> None:
    number, now_us = tenant_of(api), int(api.app.state.api.now().timestamp() * 1e6)
    with write(api.engine) as connection:
        outbox.record(connection, number, [Event("target.hold", str(k), {}) for k in range(300)], 1)
        change_settings(connection, number, actor="cli", now_us=now_us, retention_days=30)
        before_us = now_us - 30 * 86_400_000_000
        assert retention_guard.refusal_for(connection, number, before_us, agree=True) == "amount"
        assert retention_guard.refuse(connection, number, "amount", before_us, now_us)
        assert not retention_guard.refuse(connection, number, "amount", before_us, now_us), "known already"
    for page in ("/console/settings/privacy", "/console/ops"):
        text = root.get(page).text
        assert "Retention is waiting" in text and "Delete 300 records once" in text
    wrong = root.post("/console/settings/privacy/consent", {"records": "20"})
    assert wrong.status_code == 422 and "retention would delete 300 records now" in wrong.text.lower()
    assert root.post("/console/settings/privacy/consent", {"records": "300"}).status_code == 303
    with api.engine.connect() as connection:
        assert retention_guard.refusal_for(connection, number, before_us, agree=True) is None
        assert retention_guard.refusal_for(connection, number, before_us, agree=False) == "clocks"
    assert "agreed that retention deletes 300 records once" in root.get("/console/settings/audit").text


def test_confirming_a_shorter_retention_is_the_consent_to_the_amount_shown(api: Api, root: Visitor) -> None:
    number, now_us = tenant_of(api), int(api.app.state.api.now().timestamp() * 1e6)
    with write(api.engine) as connection:
        outbox.record(connection, number, [Event("target.hold", str(k), {}) for k in range(300)], 1)
    values = {"pseudonyms": "off", "keep_text": "off", "retention_days": "30", "confirmed": "30"}
    many = root.post("/console/settings/privacy/change", {**values, "records": "900"})
    assert many.status_code == 422, "the form showed another amount"
    with api.engine.connect() as connection:
        assert settings_of(connection, number).retention_days is None, "nothing is stored then"
    asked = root.post("/console/settings/privacy/change", {**values, "confirmed": ""})
    assert 'name="records" value="300"' in asked.text
    assert root.post("/console/settings/privacy/change", {**values, "records": "300"}).status_code == 303
    with api.engine.connect() as connection:
        assert settings_of(connection, number).retention_days == 30
        assert retention_guard.refusal_for(connection, number, now_us - 30 * 86_400_000_000, agree=True) is None


def test_a_chat_room_is_added_without_showing_its_address_again(api: Api, root: Visitor) -> None:
    there = "/console/settings/subscriptions"
    fields = {
        "format": "slack",
        "url": "https://93.184.216.34/services/T000/B000/XXXXXXXXsecret",
        "description": "moderators' room",
        "event": list(DEFAULT_TYPES),
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "time_zone": "Europe/Berlin",
    }
    wrong = root.post(f"{there}/add", {**fields, "time_zone": "Berlin"})
    assert wrong.status_code == 422 and "unknown time zone" in wrong.text.lower() and "XXXXXXXX" not in wrong.text
    made = root.post(f"{there}/add", fields)
    assert made.status_code == 303
    page = root.get(made.headers["location"]).text
    assert "XXXXXXXX" not in page and "https://93.184.216.34/…cret" in page and "22:00–07:00, Europe/Berlin" in page
    assert "Send a test message" in page and "New secret" not in page
    assert root.post(f"{made.headers['location']}/rotate").status_code == 409
    with api.engine.connect() as connection:
        ((one,), _) = subscriptions.list_page(connection, tenant_of(api), after=None, limit=10)
        sealed = connection.scalar(sa.select(schema.subscriptions.c.secret))
    assert one.events == ("cluster.flagged", "target.hold") and one.format == "slack"
    # a change that leaves the shown part of the address leaves the address
    kept = {"url": one.url, "description": "chat", "event": ["target.hold"], "quiet_from": "", "quiet_until": ""}
    assert root.post(f"{made.headers['location']}/change", kept).status_code == 303
    with api.engine.connect() as connection:
        now = subscriptions.read(connection, tenant_of(api), one.id)
        assert connection.scalar(sa.select(schema.subscriptions.c.secret)) == sealed
    assert (now.events, now.quiet_hours, now.url) == (("target.hold",), None, one.url)
    assert (
        root.post(f"{made.headers['location']}/change", {**kept, "url": "https://10.0.0.1/a/b/c/d"}).status_code == 422
    )
