"""The pods' commands, variables and probes are tried on this machine: everything about them but Kubernetes."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from helm_chart.rendered import CHART, MINIMAL, Manifest, container_of, deployments, environment_of, pod_of, render
from listening import free_port

pytestmark = pytest.mark.timeout(300)  # whole processes start and end
START_SECONDS = 90.0
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def variables(deployment: Manifest, part: str, folder: Path, redis_url: str) -> dict[str, str]:
    """As in the pod, with the image's own; stores, secrets and folders are this machine's."""
    key = folder / "brigadewatch_secret_key"
    given = {name: value for name, value in environment_of(deployment).items() if not name.endswith("PASSWORD_FILE")}
    return {
        **given,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "REDIS_URL": redis_url,
        "DATABASE_URL": f"sqlite:///{folder / 'brigadewatch.sqlite3'}",
        "BRIGADEWATCH_SECRET_KEY_FILE": str(key),
        "BRIGADEWATCH_DATA": str(folder),
        "BRIGADEWATCH_ALIVE_FILE": str(folder / f"{part}.alive"),
    }


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as output,
        subprocess.Popen(["brigadewatch", *command], env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def asked(probe: Manifest, environment: dict[str, str], ports: dict[str, str]) -> bool:
    """What the kubelet would make of it."""
    if "exec" in probe:
        return subprocess.run(probe["exec"]["command"], env=environment, capture_output=True).returncode == 0
    try:
        return httpx.get(f"http://{ports[probe['httpGet']['port']]}{probe['httpGet']['path']}").status_code == 200
    except httpx.TransportError:
        return False


class Parts:
    """Processes of one installation."""

    def __init__(self, stack: ExitStack, folder: Path, redis_url: str) -> None:
        self._stack, self._folder, self._redis_url = stack, folder, redis_url
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "brigadewatch_secret_key").write_text(secrets.token_hex(32) + "\n")

    def start(self, part: str, deployment: Manifest) -> None:
        """Start it, and let its probes say when it has."""
        container, fixed = container_of(deployment), {"8000": str(free_port()), "8001": str(free_port())}
        command = [LOOPBACK.get(one, fixed.get(one, one)) for one in container["args"]]
        host = "[::1]" if "::1" in command else "127.0.0.1"
        ports = {"http": f"{host}:{fixed['8000']}", "ops": f"{host}:{fixed['8001']}"}
        environment = variables(deployment, part, self._folder, self._redis_url)
        process = self._stack.enter_context(running(command, environment, self._log(part)))
        self._processes[part] = process
        until = time.monotonic() + START_SECONDS
        while not asked(container["startupProbe"], environment, ports):
            assert process.poll() is None and time.monotonic() < until, self._log(part).read_text()
            time.sleep(0.5)  # each try is a process that competes with the one that starts
        for probe in ("livenessProbe", "readinessProbe"):
            assert probe not in container or asked(container[probe], environment, ports), f"{part}: {probe}"

    def end(self, grace: dict[str, int]) -> None:
        """End all of them at once, each within its time."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for part, process in self._processes.items():
            # uvicorn passes the signal on to itself once it has finished
            assert process.wait(grace[part]) in (0, -signal.SIGTERM), self._log(part).read_text()

    def _log(self, part: str) -> Path:
        return self._folder / f"{part}.log"


@pytest.mark.parametrize("values", [MINIMAL, CHART / "ci" / "ipv6.yaml"], ids=lambda path: path.stem)
def test_the_parts_start_answer_their_probes_and_end_in_time(values: Path, tmp_path: Path, real_redis: Any) -> None:
    # One of each kind; the workers of the other queues are started alike. With IPv6 no other part listens.
    tried = ("api", "clock", "worker-detect") if values == MINIMAL else ("api",)
    found = {part: one for part, one in deployments(render(values)).items() if part in tried}
    with ExitStack() as stack:
        parts = Parts(stack, tmp_path, real_redis.url)
        for part, deployment in found.items():
            parts.start(part, deployment)
        parts.end({part: pod_of(one)["terminationGracePeriodSeconds"] for part, one in found.items()})
