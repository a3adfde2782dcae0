"""The JavaScript libraries of Standard Webhooks and Svix: they verify what we deliver, and we accept what they sign."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import Api
from loopback import Receiver, serving
from platforms.node_programs import INSTALLED, ask
from platforms.table import ROW_BY_PLATFORM

from service.outbound.client import outbound_client
from service.settings import read_settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.engine import write
from service.storage.webhooks.sources import add_source
from service.webhooks.attempt import WebhookMessage, attempt
from service.webhooks.signing import new_secret

LIBRARIES = {"standardwebhooks": "Standard Webhooks (JavaScript)", "svix": "Svix (JavaScript)"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_version_in_the_table_is_the_one_installed(library: str) -> None:
    manifest = json.loads((INSTALLED / "node_modules" / library / "package.json").read_text())
    assert ROW_BY_PLATFORM[LIBRARIES[library]].version == f"{library} {manifest['version']}"


def test_they_verify_what_is_really_delivered_also_while_a_secret_is_rotated(tmp_path: Any) -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    with serving(Receiver()) as receiver:
        settings = read_settings(tmp_path, {"BRIGADEWATCH_OUTBOUND_ALLOW": receiver.opening})
        event = WebhookMessage("evt_1", "cluster.flagged", time.time_ns() // 1_000, '{"summary":"ä 😀"}', receiver.url)
        with outbound_client(settings, timeout_seconds=10, max_bytes=10_000) as client:
            assert attempt(client, event, [new, old], time.time_ns() // 1_000).delivered
        (asked,) = receiver.asked
    questions = [
        {"library": library, "secret": secret, "headers": asked.headers, "body": asked.body.decode() + tail}
        for library in LIBRARIES
        for secret, tail in ((old, ""), (new, ""), (other, ""), (new, " "))
    ]
    said = ask("webhooks.mjs", questions)
    assert [each is True for each in said] == [True, True, False, False] * len(LIBRARIES), said


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_they_sign_is_accepted(library: str, api: Api, seen: dict[str, Counter[str]]) -> None:
    secret, now = new_secret(), datetime.now(UTC)
    api.key()
    box = SecretBox(api.settings)
    with write(api.engine) as connection:
        made = add_source(connection, box, 1, "generic", secret=secret, url=None, now_us=time.time_ns() // 1_000)
    complaint = {
        "id": "c-1",
        "occurred_at": now.isoformat(),
        "reporter": {"id": "r"},
        "target": {"id": "t"},
        "text": "ä 😀",
    }
    body, seconds = json.dumps(complaint, ensure_ascii=False), int(now.timestamp())
    question = {"library": library, "secret": secret, "id": "msg_1", "seconds": seconds, "body": body}
    (signature,) = ask("webhooks.mjs", [question])
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(seconds), "webhook-signature": signature}
    for path, more in ((made.path, {}), ("/v1/complaints", {"webhook-source": made.id})):
        answer = api.redis.run(
            api.client.post(
                path, content=body.encode(), headers={"Content-Type": "application/json", **headers, **more}
            )
        )
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1), answer.text
    tampered = api.redis.run(
        api.client.post(
            made.path, content=body.encode() + b" ", headers={"Content-Type": "application/json", **headers}
        )
    )
    assert tampered.status_code == 401
    seen[LIBRARIES[library]] = Counter(complaints=1)
    assert set(seen[LIBRARIES[library]]) == ROW_BY_PLATFORM[LIBRARIES[library]].arrives
