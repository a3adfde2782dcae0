"""A service that has really worked: every kind of thing that its metrics tell of has happened in it once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from console_installation import PASSWORD, Installation, Tenant, start, town
from listening import listening
from loopback import Receiver, serving
from polled_platforms import Coral

from service.data_folder import redis_url
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.engine import write
from service.storage.webhooks.sources import add_source
from workers import selfcheck
from workers.resources import open_resources

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
_HAPPENED = (  # what comes last, of each of the ways
    "brigadewatch_selfcheck_finished_timestamp_seconds",
    'brigadewatch_delivery_attempts_total{result="delivered"',
    'brigadewatch_polls_total{platform="coral",result="ok"',
    "brigadewatch_decisions_total",
    'brigadewatch_restorations{state="open"',
    "brigadewatch_sweep_finished_timestamp_seconds",
    'brigadewatch_process_resident_memory_bytes{process="clock"',
)


@contextmanager
def worked(folder: Path, *, complaints_of: int = 1) -> Iterator[Installation]:
    """The service, until the end of the block: with a tenant whose brigade was found, decided about, told of and
    restored after.
    """
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        receiver = stack.enter_context(serving(Receiver()))
        coral = stack.enter_context(listening(Coral().app()))
        installation, end = start(
            folder, BRIGADEWATCH_OUTBOUND_ALLOW=f"127.0.0.1/32:{receiver.port},127.0.0.1/32:{coral}"
        )
        stack.callback(end)
        tenant = installation.add("news", [])
        with write(installation.engine) as connection:
            add_source(
                connection,
                SecretBox(installation.settings),
                tenant.id,
                "coral",
                secret="secret-token",
                url=f"http://127.0.0.1:{coral}/",
                now_us=time.time_ns() // 1_000,
            )
        with installation.client(tenant) as client:
            client.post("/v1/subscriptions", json={"url": receiver.url}).raise_for_status()
            installation.send(tenant, "complaints", town(5, brigades=complaints_of))
            ask(client)
        _sign_in(installation, tenant)
        installation.up.wait(lambda: installation.cases(tenant), seconds=120)
        _decide(installation, tenant)
        _check_itself(installation, tenant)
        installation.up.wait(lambda: not missing(installation), seconds=120)
        yield installation


def metrics(installation: Installation) -> str:
    """The page as Prometheus would read it now."""
    return httpx.get(f"{installation.up.ops}/metrics", timeout=10).raise_for_status().text


def missing(installation: Installation) -> list[str]:
    """What has not happened yet."""
    page = metrics(installation)
    return [sample for sample in _HAPPENED if f"\n{sample}" not in page]


def ask(client: httpx.Client) -> None:
    """Questions, and posts that are refused."""
    client.get("/v1/targets/t1").raise_for_status()
    client.post("/v1/targets/assess", json={"target_ids": ["t1", "t2"]}).raise_for_status()
    assert client.post("/v1/complaints", json={"id": "no complaint"}).status_code == 422
    assert client.post("/v1/webhooks/generic/src_0", json={}).status_code == 401
    assert client.get("/v1/clusters", headers={"Authorization": "Bearer wrong"}).status_code == 401


def _sign_in(installation: Installation, tenant: Tenant) -> None:
    with httpx.Client(base_url=installation.base, timeout=30) as browser:
        for password, status in (("wrong", 401), (PASSWORD, 303)):
            page = browser.get("/console/sign-in")
            token = _TOKEN.search(page.text)
            assert token, page.text
            assert (
                browser.post(
                    "/console/sign-in",
                    data={"tenant": tenant.name, "name": "admin", "password": password, "csrf": token[1]},
                ).status_code
                == status
            )


def _decide(installation: Installation, tenant: Tenant) -> None:
    """The platform removed what the found brigade was after; a person says that it is one."""
    case = installation.case(tenant, installation.cases(tenant)[0]["id"])
    now = datetime.now(UTC).isoformat()
    installation.send(
        tenant,
        "outcomes",
        [
            {
                "id": f"removal-{n}",
                "target_id": target,
                "decided_at": now,
                "action": "removed",
                "decided_by": "automatic",
            }
            for n, target in enumerate(case["targets"])
        ],
    )
    with installation.client(tenant) as client:

        def decided() -> bool:  # it may change in between: the window is still filling
            version = installation.case(tenant, case["id"])["version"]
            return (
                client.post(
                    f"/v1/clusters/{case['id']}/decisions",
                    json={"verdict": "coordinated", "reason_code": "brigade", "version": version},
                ).status_code
                == 201
            )

        installation.up.wait(decided, seconds=60)


def _check_itself(installation: Installation, tenant: Tenant) -> None:
    """The daily self-check, without waiting for the service to be idle."""
    resources = open_resources(replace(installation.settings, redis_url=redis_url(installation.settings)))
    try:
        selfcheck.run(tenant.name, resources)
    finally:
        resources.close()
