"""The whole way out: an event in SQL, the clock, a worker's process, and the receiver of the documentation, each a
process of its own.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from service.moderation.events import Event
from service.settings import Settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import create_tenant
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.outbox_rows import event_id
from service.storage.webhooks import subscriptions
from service.storage.webhooks.outbox import record
from service.webhooks.signing import new_secret

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "integrations" / "webhooks.md"


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes, and ends them."""
    with ExitStack() as stack:

        def started(*arguments: str, **variables: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
            return process

        yield started


def test_the_receiver_of_the_documentation_is_told_by_real_processes(
    start: Callable[..., Any], settings: Settings, engine: Engine, valkey_url: str, tmp_path: Path
) -> None:
    code = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert code is not None
    (tmp_path / "receiver.py").write_text(code.group(1))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    tenant, secrets = create_tenant(engine, "paper", 1), [new_secret(), new_secret()]
    store = tmp_path / "events.sqlite3"
    for number, secret in enumerate(secrets):  # the second one's receiver is configured with the first one's secret
        with write(engine) as connection:
            subscriptions.create(
                connection,
                tenant,
                url=f"http://127.0.0.1:{port}/{number}",
                events=(),
                description="",
                sealed_secret=SecretBox(settings).seal(secret),
                by="test",
                now_us=1,
            )
    environment = {
        "REDIS_URL": valkey_url,
        "DATABASE_URL": settings.database_url,
        "BRIGADEWATCH_DATA": str(settings.data),
        "BRIGADEWATCH_OUTBOUND_ALLOW": f"127.0.0.1:{port}",
        "BRIGADEWATCH_SECRET_KEY": "",
        "BRIGADEWATCH_LOG_LEVEL": "ERROR",
    }
    start("-m", "workers", "clock", **environment)
    worker = start("-m", "workers", "deliver", **environment)
    happened = [
        Event("target.hold", str(number), {"target_id": f"comment/{number}", "text": "ä 😀"}) for number in range(3)
    ]
    now_us = time.time_ns() // 1_000
    with write(engine) as connection:
        record(connection, tenant, happened[:1], now_us)

    def attempts() -> dict[str, list[int | None]]:
        with engine.connect() as connection:
            rows = connection.execute(
                select(schema.deliveries.c.event_id, schema.delivery_attempts.c.status).join(
                    schema.delivery_attempts, schema.delivery_attempts.c.delivery_id == schema.deliveries.c.id
                )
            ).all()
        found: dict[str, list[int | None]] = {}
        for row in rows:
            found.setdefault(row.event_id, []).append(row.status)
        return found

    until(lambda: len(attempts().get(event_id(tenant, happened[0]), [])) >= 2)  # nobody listens yet: both were tried
    start(str(tmp_path / "receiver.py"), PORT=str(port), WEBHOOK_SECRET=secrets[0], EVENTS_DB=str(store))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    start("-m", "workers", "deliver", **environment)
    with write(engine) as connection:
        record(connection, tenant, happened, now_us)
    until(lambda: all({204, 401} <= set(attempts().get(event_id(tenant, event), [])) for event in happened))
    with closing(sqlite3.connect(store)) as kept:
        assert {row[0] for row in kept.execute("SELECT id FROM events")} == {
            event_id(tenant, event) for event in happened
        }
