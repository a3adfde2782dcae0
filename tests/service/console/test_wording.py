"""Plain words: the audit trail as sentences, the operations page, the sign-in error, the root, the print view."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from case_scenes import put_case
from case_world import START
from conftest import Api, RedisClients
from console_world import Visitor, put_user, sign_in

import service.console
from service.console import exports
from service.console.operations import JOB_TEXTS, QUEUE_TEXTS
from service.console.settings.audit_sentences import action_label, audit_sentence
from service.storage.accounts.tenants import tenant_id
from service.storage.redis_store.job_kinds import JOB_KINDS, QUEUES

ROOT = Path(service.console.__file__).parents[2]


@pytest.mark.parametrize(
    ("action", "subject", "detail", "sentence"),
    [
        (
            "decision",
            "cluster:k-1",
            {
                "verdict": "not_coordinated",
                "reason_code": "outrage",
                "excluded_reporters": ["a", "b"],
                "reverses": None,
            },
            "decided case k-1: not coordinated (outrage), excluding 2 accounts",
        ),
        (
            "decision",
            "cluster:k-1",
            {"verdict": "coordinated", "reason_code": "other", "reverses": "d-7"},
            "undid decision d-7 (“coordinated”) on case k-1",
        ),
        (
            "decision",
            "cluster:k-1",
            {
                "verdict": "not_coordinated",
                "reason_code": "other",
                "reverses": "d-7",
                "undone": {"verdict": "not_coordinated", "reason_code": "patrol"},
            },
            "undid decision d-7 (“acting together, but right”) on case k-1",
        ),
        (
            "decision",
            "cluster:k-1",
            {
                "verdict": "not_coordinated",
                "reason_code": "patrol",
                "reverses": "d-7",
                "undone": {"verdict": "coordinated", "reason_code": "brigade"},
            },
            "undid decision d-7 (“coordinated”) on case k-1: acting together, but right",
        ),
        ("claim", "cluster:k-1", {"from": "bea"}, "took case k-1 over from bea"),
        ("restoration", "target", {"target": "c/1", "choice": "restored"}, "marked c/1 as restored"),
        ("warning", "reporter", {"reporter": "r-1", "choice": "declined"}, "decided not to warn r-1"),
        (
            "misuse marks",
            "reporter",
            {"reporter": "r-1", "manifestly_unfounded": 2, "before": 1},
            "marked 2 notices by r-1 as manifestly unfounded (before: 1)",
        ),
        (
            "misuse marks",
            "reporter",
            {"reporter": "r-1", "manifestly_unfounded": 0, "before": 1},
            "removed the marks from all notices by r-1: none is manifestly unfounded",
        ),
        ("mail.off", "user:anna", {"because": "x"}, "ended messages by e-mail to anna"),
        (
            "settings",
            "tenant",
            {"retention_days": {"before": None, "after": 30}, "keep_text": {"before": False, "after": True}},
            "changed settings: retention days from none to 30, keep text from off to on",
        ),
        (
            "policy",
            "tenant",
            {"before": {}, "after": {"flag_score": 9.9}, "policy_version": "x"},
            "changed the thresholds: flag score from default to 9.9",
        ),
        (
            "user-role",
            "user:anna",
            {"before": "viewer", "after": "admin"},
            "changed the role of anna from viewer to admin",
        ),
        (
            "user-locked",
            "user:anna",
            {"attempts": 6, "seconds": 60, "address": "::1", "locked": "account"},
            "locked anna for 1 min after 6 wrong passwords",
        ),
        ("something.new", "thing:7", {}, "something.new: 7"),
    ],
)
def test_an_entry_of_the_audit_trail_is_a_sentence(
    action: str, subject: str, detail: dict[str, Any], sentence: str
) -> None:
    assert audit_sentence(action, subject, detail) == sentence


def test_every_action_that_is_recorded_has_a_sentence() -> None:
    recorded = set()
    for folder in ("service/storage", "service/console", "workers"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text()
            if "audit_log" in text:
                recorded |= set(re.findall(r'action="([a-z. -]+)"', text))
                recorded |= set(
                    re.findall(
                        r'"((?:subscription\.|source |sso-|factor-|recovery-code|user-|key-|import-|mail\.)[a-z_-]+'
                        r'|allowed(?: no longer)?)"',
                        text,
                    )
                )
    assert len(recorded) > 30
    plain = {name for name in recorded if action_label(name) == name.replace("-", " ").replace("_", " ").capitalize()}
    # what looks the same in plain words, or is the name of something else in those files
    assert plain <= {
        "decision",
        "settings",
        "restoration",
        "removed",
        "kept",
        "restored",
        "sso-failed",
        "user-agent",
    }, plain
    for name in recorded:
        audit_sentence(name, "thing:1", {})  # details of an older version may lack anything


def test_every_kind_of_work_has_plain_words_on_the_operations_page() -> None:
    assert JOB_TEXTS.keys() == JOB_KINDS.keys()
    assert QUEUE_TEXTS.keys() == set(QUEUES)


def test_the_operations_page_speaks_of_work_not_of_queues(api: Api) -> None:
    page = sign_in(api, "root", role="admin").get("/console/ops").text
    for word in ("Acknowledged", "Swept", ">Queue<", "In the stream"):
        assert word not in page, word


def test_the_root_leads_to_the_console(api: Api) -> None:
    answer = Visitor(api).get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/clusters")


def test_the_sign_in_error_names_what_the_form_has(api: Api) -> None:
    put_user(api)
    one = Visitor(api).sign_in("default", "anna", "wrong horse battery").text
    assert "Wrong name or password." in one and "Wrong tenant" not in one
    put_user(api, "bea", tenant="elsewhere")
    assert "Wrong tenant, name or password." in Visitor(api).sign_in("default", "anna", "wrong horse battery").text


def test_the_print_view_is_short_unless_everything_is_wanted(
    fake_redis: RedisClients, make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api(fake_redis)
    api.key("default")
    api.app.state.api.now = lambda: START + timedelta(days=9)
    put_case(api.engine, tenant_id(api.engine, "default"))
    anna = sign_in(api)
    monkeypatch.setitem(exports.PRINTED, "reporters", 3)
    page = anna.get("/console/clusters/k1/print").text
    assert "5 reporters omitted" in page
    assert 'href="/console/clusters/k1/print?whole=1"' in page
    assert "omitted" not in anna.get("/console/clusters/k1/print?whole=1").text
    assert exports.PRINTED["complaints"] <= 100
