"""A running service at its most talkative, with every kind of secret going through it, rightly and wrongly: none of
them is in a log, in a store, or on a command line.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from loopback import Answer, Receiver, serving
from up import Up, environment, make_key

from service.moderation.events import Event
from service.storage.accounts.tenants import tenant_id
from service.storage.sql.engine import open_database, write
from service.storage.webhooks import outbox

PASSWORD = "a password that nobody guesses 4711"
WRONG_PASSWORD = "a password that was mistyped 4712"
SIGNING = "the secret that discourse signs with 4713"
STANDARD = "whsec_" + "c2VjcmV0IG9mIHRoZSBnZW5lcmljIHNvdXJjZSA0NzE0"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.token-of-a-moderator-4715.sig"
SECRET_KEY = "5e471600" * 8
GUESS = "bw_" + "guessed4717" * 3 + "x" * 10
REPORTER, WORDS, FINGERPRINT = "reporter-whose-name-is-4718", "words-of-a-reporter-4719", "fingerprint-4720"


class Talkative:
    """The service, and every secret that was ever given to it or by it."""

    def __init__(self, data: str, up: Up, receiver: Receiver) -> None:
        self.data, self.up, self.receiver = data, up, receiver
        self.secrets: dict[str, str] = {
            "password": PASSWORD,
            "a wrong password": WRONG_PASSWORD,
            "signing secret": SIGNING,
            "standard secret": STANDARD,
            "token": TOKEN,
            "key for stored secrets": SECRET_KEY,
            "guessed key": GUESS,
            "reporter's name": REPORTER,
            "reporter's words": WORDS,
            "fingerprint": FINGERPRINT,
        }

    def command(self, *words: str, given: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *words, "--data", self.data],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment(),
        )
        assert done.returncode == 0, done.stderr
        assert not given or given not in done.stderr + done.stdout
        return done.stdout.strip()

    def environment(self) -> dict[str, str]:
        return environment(
            BRIGADEWATCH_SECRET_KEY=SECRET_KEY,
            BRIGADEWATCH_OUTBOUND_ALLOW=self.receiver.opening,
            BRIGADEWATCH_LOG_LEVEL="DEBUG",
            BRIGADEWATCH_POLL_SECONDS="1",
        )

    def logs(self) -> str:
        written = [self.up.log, *sorted((Path(self.data) / "logs").glob("*"))]
        return "\n".join(path.read_text(errors="replace") for path in written)


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[Talkative]:
    data = str(tmp_path / "data")
    with serving(Receiver(lambda asked: Answer(500, body=b"no: " + json.dumps(asked.headers).encode()))) as receiver:
        variables = {
            "BRIGADEWATCH_SECRET_KEY": SECRET_KEY,
            "BRIGADEWATCH_OUTBOUND_ALLOW": receiver.opening,
            "BRIGADEWATCH_LOG_LEVEL": "DEBUG",
            "BRIGADEWATCH_POLL_SECONDS": "1",
        }
        up = Up(data, tmp_path / "up.log", **variables)
        try:
            yield Talkative(data, up, receiver)
        finally:
            up.process.terminate()
            up.process.wait(30)


def test_no_secret_appears_in_logs_stores_or_command_lines(talkative: Talkative) -> None:
    set_up(talkative)
    post_and_ask(talkative)
    sign_in(talkative)
    # Two ways out: a poller with its token, a webhook with its signature; both are told 500, with all that they sent in
    # the answer.
    talkative.up.wait(lambda: {asked.path.split("/")[1] for asked in talkative.receiver.asked} >= {"hook", "api"})
    talkative.up.wait(lambda: "deliver" in talkative.logs() and "poll" in talkative.logs())
    found = talkative.logs()
    assert "level=debug" in found and "request" in found, "it was talkative indeed"
    for name, secret in talkative.secrets.items():
        assert secret not in found, f"the log tells the {name}"
        for process in talkative.up.children():
            assert secret not in " ".join(process.cmdline()), f"the command line tells the {name}"
    stored = stores(talkative)
    del talkative.secrets["path of a source"]  # is shown to administrators, and is nothing without the secret
    for name, secret in talkative.secrets.items():
        assert secret.encode() not in stored, f"a store holds the {name}"


def set_up(talkative: Talkative) -> None:
    """Keys, people, sources and a subscription, made by commands and calls."""
    key = make_key(talkative.data, "ingest", "read", "moderate", "admin")
    talkative.command("tenants", "set", "default", "--pseudonyms", "on", "--keep-text", "off")
    talkative.command(
        "users", "create", "--tenant", "default", "--role", "admin", "--password-file", "-", "anna", given=PASSWORD
    )
    path = talkative.command(
        "sources", "add", "--tenant", "default", "--platform", "discourse", "--secret-file", "-", given=SIGNING
    )
    talkative.command(
        "sources", "add", "--tenant", "default", "--platform", "generic", "--secret-file", "-", given=STANDARD
    )
    talkative.command(
        "sources",
        "add",
        "--tenant",
        "default",
        "--platform",
        "lemmy",
        "--url",
        talkative.receiver.url,
        "--secret-file",
        "-",
        given=TOKEN,
    )
    made = (
        httpx.post(
            f"{talkative.up.api}/v1/subscriptions",
            json={"url": f"{talkative.receiver.url}/hook"},
            headers={"Authorization": f"Bearer {key}"},
        )
        .raise_for_status()
        .json()
    )
    talkative.secrets |= {"API key": key, "webhook secret": made["secret"], "path of a source": path.rpartition("/")[2]}


def post_and_ask(talkative: Talkative) -> None:
    """Posts and questions: right ones, wrong ones, and secrets where none belong."""
    s, ok = talkative.secrets, {"Authorization": f"Bearer {talkative.secrets['API key']}"}
    item = {
        "id": "c-1",
        "occurred_at": datetime.now(UTC).isoformat(),
        "reporter": {"id": REPORTER, "fingerprint": FINGERPRINT},
        "target": {"id": "t-1"},
        "text": " ".join([WORDS] * 3 + ["and", "some", "other", "ones", "too"]),
    }
    webhook = f"/v1/webhooks/discourse/{s['path of a source']}"
    body = b'{"ping":"OK"}'
    signature = "sha256=" + hmac.new(SIGNING.encode(), body, hashlib.sha256).hexdigest()
    with httpx.Client(base_url=talkative.up.api, timeout=30) as client:
        assert client.post("/v1/complaints", json=item, headers=ok).status_code == 202
        assert (
            client.post("/v1/complaints", json={**item, "id": "c-2", "extra": s["API key"]}, headers=ok).status_code
            == 422
        )
        assert (
            client.post(
                "/v1/complaints", content=b"{" + PASSWORD.encode(), headers=ok | {"Content-Type": "application/json"}
            ).status_code
            == 400
        )
        assert client.get("/v1/targets/t-1", headers={"Authorization": f"Bearer {GUESS}"}).status_code == 401
        assert client.get("/v1/targets/t-1", headers={"Authorization": s["API key"]}).status_code == 401
        assert client.get("/v1/pipeline", params={"key": s["API key"]}, headers=ok).status_code == 422
        assert client.get(f"/v1/{s['API key']}", headers=ok).status_code == 404
        assert client.get(f"/v1/reporters/{REPORTER}", headers=ok).status_code in (200, 404)
        assert client.get("/v1/clusters", params={"reporter": REPORTER}, headers=ok).status_code == 200
        assert (
            client.post(
                webhook,
                content=body,
                headers={"Content-Type": "application/json", "X-Discourse-Event-Signature": signature},
            ).status_code
            == 202
        )
        assert (
            client.post(
                webhook,
                content=body,
                headers={"Content-Type": "application/json", "X-Discourse-Event-Signature": signature[:-1] + "x"},
            ).status_code
            == 401
        )
        assert (
            client.post(
                "/v1/complaints",
                json=item,
                headers={
                    "webhook-id": "e",
                    "webhook-timestamp": "1",
                    "webhook-signature": f"v1,{STANDARD}",
                    "webhook-source": webhook.rpartition("/")[2],
                },
            ).status_code
            == 401
        )
        assert (
            client.post(
                "/v1/subscriptions", json={"url": f"http://user:{PASSWORD.replace(' ', '')}@example.org/"}, headers=ok
            ).status_code
            == 422
        )
    engine = open_database(f"sqlite:///{talkative.data}/brigadewatch.sqlite3")
    with write(engine) as connection:
        outbox.record(
            connection,
            number_of(talkative),
            [Event("cluster.flagged", "k-1", {"cluster_id": "k-1"})],
            int(datetime.now(UTC).timestamp() * 1e6),
        )
    engine.dispose()


def number_of(talkative: Talkative) -> int:
    engine = open_database(f"sqlite:///{talkative.data}/brigadewatch.sqlite3")
    try:
        return tenant_id(engine, "default")
    finally:
        engine.dispose()


def sign_in(talkative: Talkative) -> None:
    """Through the form, wrongly and rightly; then a form with the session's token."""
    with httpx.Client(
        base_url=talkative.up.api, timeout=30, headers={"Origin": talkative.up.api, "Sec-Fetch-Site": "same-origin"}
    ) as client:
        for password, expected in ((WRONG_PASSWORD, 401), (PASSWORD, 303)):
            form = client.get("/console/sign-in").text
            token = re.findall(r'name="csrf" value="([^"]+)"', form)[0]
            talkative.secrets[f"token of the form for {expected}"] = token
            assert (
                client.post(
                    "/console/sign-in", data={"tenant": "default", "name": "anna", "password": password, "csrf": token}
                ).status_code
                == expected
            )
        talkative.secrets["session"] = client.cookies["brigadewatch"]
        assert client.get("/console/clusters").status_code == 200
        assert client.get("/console/nothing").status_code == 404
        assert client.post("/console/preferences", data={"theme": "dark", "csrf": "wrong"}).status_code == 403


def stores(talkative: Talkative) -> bytes:
    """Every byte of the database's files, of Redis' append-only files, and of what Redis holds."""
    files = [path for path in Path(talkative.data).rglob("*") if path.is_file() and path.parent.name != "logs"]
    assert any(path.suffix == ".sqlite3" for path in files) and any("aof" in path.name for path in files)
    client: Any = redis.Redis.from_url((Path(talkative.data) / "redis.url").read_text().strip())
    held = b"\n".join(key + b" " + (client.dump(key) or b"") for key in client.scan_iter("*"))
    client.close()
    return b"\n".join(path.read_bytes() for path in files) + held
