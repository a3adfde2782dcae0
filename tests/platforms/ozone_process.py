"""A real Ozone in a Node process, and what people and moderators do there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from platforms.node_programs import INSTALLED, PROGRAMS, node
from up import end_with_the_tests

Json = dict[str, Any]
SPAM = "com.atproto.moderation.defs#reasonSpam"
CID = "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


@dataclass
class RealOzone:
    """A running Ozone; `secret` is what a source that polls it has."""

    url: str
    secret: str
    version: str
    moderator: str
    control: httpx.Client
    admin: httpx.Client
    database: str

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def _control(self, path: str, **body: Any) -> Json:
        answer = self.control.post(path, json=body)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def person(self) -> str:
        """The DID of a new account."""
        return str(self._control("/people")["did"])

    def report(self, by: str, subject: Json, reason: str = SPAM, **more: Any) -> int:
        """A report of that account, by com.atproto.moderation.createReport; the event's id."""
        return int(self._control("/report", did=by, subject=subject, reasonType=reason, **more)["id"])

    def token(self) -> str:
        """A moderator's token for queryEvents."""
        return str(self._control("/token")["token"])

    def route(self) -> None:
        """What Ozone's daemon does every minute: rows for reports that are new, which can be closed from then on."""
        self._control("/route")

    def emit(self, kind: str, subject: Json, by: str | None = None, **more: Any) -> int:
        """A moderation event; its id. `modTool` is the event's tool, everything else belongs to the event."""
        tool = more.pop("modTool", None)
        body = {
            "event": {"$type": f"tools.ozone.moderation.defs#{kind}", **more},
            "subject": subject,
            "createdBy": by or self.moderator,
            **({} if tool is None else {"modTool": tool}),
        }
        return int(self.call("tools.ozone.moderation.emitEvent", body)["id"])

    def call(self, method: str, body: Json) -> Json:
        """Any procedure, as its administrator."""
        answer = self.admin.post(f"/xrpc/{method}", json=body)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def reports_of_one_millisecond(self, count: int, subjects: list[Json], at: str) -> list[int]:
        """So many reports, each of another account, all of them made at `at` for Ozone; their ids.

        One about each subject goes through Ozone, the others are copies of its row.
        """
        made = [self.emit("modEventReport", subject, "did:plc:first", reportType=SPAM) for subject in subjects]
        with psycopg.connect(self.database) as connection:
            columns = [
                row[0]
                for row in connection.execute(
                    "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ozone'"
                    " AND table_name = 'moderation_event' AND column_name <> 'id'"
                )
            ]
            names = ", ".join(f'"{column}"' for column in columns)
            values = names.replace('"createdBy"', "'did:plc:' || lpad(n::text, 24, '0')")
            copied = connection.execute(
                f"INSERT INTO ozone.moderation_event ({names}) SELECT {values} FROM ozone.moderation_event,"
                " generate_series(1, %s) n WHERE id = ANY(%s) ORDER BY n RETURNING id",
                (count // len(subjects) - 1, made),
            ).fetchall()
            made += [row[0] for row in copied]
            connection.execute('UPDATE ozone.moderation_event SET "createdAt" = %s WHERE id = ANY(%s)', (at, made))
        assert len(made) == count
        return made


def account(did: str) -> Json:
    return {"$type": "com.atproto.admin.defs#repoRef", "did": did}


def post(did: str, key: str) -> Json:
    return {"$type": "com.atproto.repo.strongRef", "uri": f"at://{did}/app.bsky.feed.post/{key}", "cid": CID}


def conversation(did: str, key: str) -> Json:
    return {"$type": "chat.bsky.convo.defs#convoRef", "did": did, "convoId": key}


def message(did: str, convo: str, key: str) -> Json:
    return {"$type": "chat.bsky.convo.defs#messageRef", "did": did, "convoId": convo, "messageId": key}


@contextmanager
def real_ozone(database: str) -> Iterator[RealOzone]:
    """Ozone, running, with its tables in a schema of this database."""
    with subprocess.Popen(
        [node(), str(PROGRAMS / "ozone.mjs"), str(INSTALLED), database],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "LOG_ENABLED": "false"},
        preexec_fn=end_with_the_tests,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("{"), "Ozone did not start"
        made = json.loads(line)
        try:
            with (
                httpx.Client(base_url=made["control"], timeout=30) as control,
                httpx.Client(base_url=made["ozone"], auth=("admin", made["password"]), timeout=30) as admin,
            ):
                secret = f"admin:{made['password']}"
                yield RealOzone(made["ozone"], secret, made["version"], made["moderator"], control, admin, database)
        finally:
            process.kill()
