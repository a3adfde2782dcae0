"""A running service for the tests in a browser: `brigadewatch up` in a temporary folder, with tenants whose cases were
really found.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine
from up import Up
from worlds import document, draw_town

from service.settings import Settings, read_settings
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import create_key, create_tenant
from service.storage.accounts.users import Role, create_user
from service.storage.sql.engine import open_database, write

PASSWORD = "correct horse battery staple 7"
PEOPLE: dict[str, Role] = {"viewer": "viewer", "moderator": "moderator", "second": "moderator", "admin": "admin"}
BATCH = 1_000
HOSTILE = '<script>alert("{0}")</script><img src=x onerror=alert(1)>'


@dataclass(frozen=True)
class Tenant:
    """One tenant with a viewer, two moderators (`moderator`, `second`) and an admin, all with PASSWORD."""

    name: str
    id: int
    key: str
    least_cases: int  # that detection has to find before the tests begin


@dataclass
class Installation:
    """The running service, its database, and its tenants by name."""

    up: Up
    settings: Settings
    engine: Engine
    tenants: dict[str, Tenant] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return self.up.api

    def add(
        self,
        name: str,
        documents: Sequence[dict[str, Any]],
        *,
        outcomes: Sequence[dict[str, Any]] = (),
        least_cases: int = 0,
    ) -> Tenant:
        """A tenant that keeps texts, with people, and what it was sent; `wait` waits until its cases are found."""
        now_us = time.time_ns() // 1_000
        number = create_tenant(self.engine, name, now_us) if name != "default" else 1
        with write(self.engine) as connection:
            change_settings(connection, number, actor="test", now_us=now_us, keep_text=True)
        for person, role in PEOPLE.items():
            self.add_person(number, person, role)
        made = Tenant(
            name,
            number,
            create_key(self.engine, name, ["ingest", "read", "moderate", "admin"], "test", now_us),
            least_cases,
        )
        self.tenants[name] = made
        self.send(made, "complaints", documents)
        self.send(made, "outcomes", outcomes)
        return made

    def add_person(self, tenant_id: int, name: str, role: Role) -> None:
        """One more account, with PASSWORD."""
        with write(self.engine) as connection:
            create_user(
                connection, tenant_id, name, role, hash_password(PASSWORD), actor="test", now_us=time.time_ns() // 1_000
            )

    def send(self, tenant: Tenant, kind: str, documents: Iterable[dict[str, Any]]) -> None:
        """Post documents in batches, in their order."""
        lines = [json.dumps(document) for document in documents]
        with self.client(tenant) as client:
            for start in range(0, len(lines), BATCH):
                answer = client.post(
                    f"/v1/{kind}",
                    content="\n".join(lines[start : start + BATCH]),
                    headers={"Content-Type": "application/x-ndjson"},
                )
                assert answer.status_code == 202 and answer.json()["rejected_count"] == 0, answer.text[:500]

    def client(self, tenant: Tenant) -> httpx.Client:
        """A client of the JSON API with the tenant's key."""
        return httpx.Client(base_url=self.base, headers={"Authorization": f"Bearer {tenant.key}"}, timeout=30)

    def cases(self, tenant: Tenant, **filters: str) -> list[dict[str, Any]]:
        """The tenant's cases as the JSON API lists them, highest score first."""
        with self.client(tenant) as client:
            found: list[dict[str, Any]] = (
                client.get("/v1/clusters", params={"sort": "-score", "limit": "100", **filters})
                .raise_for_status()
                .json()["items"]
            )
        return found

    def case(self, tenant: Tenant, cluster_id: str) -> dict[str, Any]:
        """One case as the JSON API shows it."""
        with self.client(tenant) as client:
            found: dict[str, Any] = client.get(f"/v1/clusters/{cluster_id}").raise_for_status().json()
        return found

    def wait(self) -> None:
        """Until all is analysed and swept, and each tenant has its cases."""
        for tenant in self.tenants.values():
            self.settle(tenant)
            assert len(self.cases(tenant)) >= tenant.least_cases, (
                tenant.name,
                [c["summary"] for c in self.cases(tenant, disposition="any")],
            )

    def settle(self, tenant: Tenant) -> None:
        """Until nothing waits and a sweep has covered all."""
        with self.client(tenant) as client:

            def swept() -> bool:
                now = client.get("/v1/pipeline").raise_for_status().json()
                return bool(now["pending"] == 0 and now["swept_position"] >= now["accepted"])

            self.up.wait(swept, seconds=120)


def start(folder: Path, **variables: str) -> tuple[Installation, Callable[[], None]]:
    """The service on a free port, and how it is ended."""
    stack = ExitStack()
    up = Up(str(folder / "data"), folder / "up.log", **variables)

    def end() -> None:
        up.process.terminate()
        up.process.wait(timeout=30)

    stack.callback(end)
    settings = read_settings(folder / "data", {})
    engine = open_database(settings.database_url)
    stack.callback(engine.dispose)
    return Installation(up, settings, engine), stack.close


def town(seed: int, brigades: int, *, members: int = 9, hits: int = 14) -> list[dict[str, Any]]:
    """Readers of a small newspaper and so many brigades among them, as documents."""
    rows = draw_town(seed, brigades=brigades, members=members, hits=hits, complaints=2_000, articles=120, days=12).rows
    return [
        document(row)
        | {"reason": ("insult", "spam", "hate")[row.reporter % 3], "text": f"please remove {row.target % 5}"}
        for row in rows
    ]


def hostile_town(seed: int) -> list[dict[str, Any]]:
    """A town in which every field that anybody can choose holds a script: one brigade of 12 on 40 comments."""

    def changed(one: dict[str, Any]) -> dict[str, Any]:
        target = one["target"]
        return {
            **one,
            "id": HOSTILE.format(one["id"]),
            "reporter": one["reporter"]
            | {"id": HOSTILE.format(one["reporter"]["id"]), "fingerprint": HOSTILE.format("f")},
            "target": {
                "id": HOSTILE.format(target["id"]),
                "kind": HOSTILE.format("k"),
                "author_id": HOSTILE.format(target["author_id"]),
                "context_id": HOSTILE.format(target["context_id"]),
                "context_title": f"\u202e{HOSTILE.format('title')}{'w' * 300}"[:300],
                "context_url": f"https://evil.example/{target['context_id']}.png",
                "url": f"javascript:alert('{target['id']}')",
                "excerpt": f"{HOSTILE.format('excerpt')} \u202e{{{{7*7}}}}",
                "attributes": {HOSTILE.format("a"): HOSTILE.format("v")},
            },
            "reason": HOSTILE.format("reason")[:64],
            "text": f"{HOSTILE.format('text')} ]]> --> {{{{ 7*7 }}}}",
        }

    rows = draw_town(seed, brigades=1, members=12, hits=40, complaints=1_500, articles=80, days=8).rows
    return [changed(document(row)) for row in rows]
