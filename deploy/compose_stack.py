"""The stack of docker-compose.yml, started under its own project name and ports, and removed with its volumes at the
end.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 600.0  # a first start, images unpacked and the database made
PORTS = {"BRIGADEWATCH_PORT": "api", "BRIGADEWATCH_OPS_PORT": "ops", "PROMETHEUS_PORT": "prometheus"}
OURS = ("api", "worker-ingest", "worker-detect", "worker-sweep", "worker-deliver", "worker-chores", "clock")


class Failed(Exception):
    """An expected step did not succeed; the message says which."""


def run(
    *command: str, environment: dict[str, str] | None = None, given: str | None = None, seconds: float = 1_800.0
) -> str:
    """Run the command and return its output. Raises Failed with the end of its output when it fails."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | (environment or {}),
        input=given,
        timeout=seconds,
        cwd=ROOT,
    )
    if done.returncode != 0:
        raise Failed(
            f"{' '.join(command[:8])} ... exited with {done.returncode}: {(done.stderr or done.stdout)[-1500:].strip()}"
        )
    return done.stdout


def compose_command() -> list[str] | None:
    """How Compose is called here: `docker compose` or `docker-compose`; None if it is not installed."""
    if not shutil.which("docker"):
        return None
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def why_no_engine() -> str | None:
    """Why the stack cannot run here; None if it can."""
    if compose_command() is None:
        return "neither `docker compose` nor `docker-compose` is installed"
    info = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, text=True)
    if info.returncode != 0 or not info.stdout.strip():
        return f"no Docker engine answers (set DOCKER_HOST to its address): {info.stderr.strip()[-200:]}"
    return None


def until(true: Callable[[], bool], what: str, seconds: float = 120.0, pause: float = 0.25) -> float:
    """Wait until it holds; returns the seconds. Raises Failed after `seconds`."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise Failed(f"{what}: took more than {seconds:.0f} s")
        time.sleep(pause)
    return time.monotonic() - began


@dataclass
class Stack:
    """One project of Compose."""

    project: str
    files: Sequence[Path]
    environment: dict[str, str]
    ports: dict[str, int] = field(default_factory=dict)

    def compose(self, *arguments: str, given: str | None = None) -> str:
        """Run Compose for this project."""
        command = compose_command()
        assert command is not None
        files = [part for file in self.files for part in ("-f", str(file))]
        return run(
            *command,
            "--project-directory",
            str(ROOT),
            "-p",
            self.project,
            *files,
            *arguments,
            environment=self.environment,
            given=given,
        )

    def container(self, service: str) -> str:
        """The id of the service's only container."""
        found = self.compose("ps", "-q", service).split()
        if len(found) != 1:
            raise Failed(f"{service} has {len(found)} containers instead of one")
        return found[0]

    def execute(self, service: str, *command: str, given: str | None = None) -> str:
        """Run a command inside the service's container."""
        return run("docker", "exec", "-i", self.container(service), *command, given=given or "")

    def state(self, service: str) -> str:
        """healthy, starting, unhealthy, or the state of a container without a check."""
        state = json.loads(run("docker", "inspect", self.container(service)))[0]["State"]
        return str(state.get("Health", {}).get("Status") or state["Status"])

    def running(self, services: Sequence[str], seconds: float = READY_SECONDS) -> float:
        """Wait until each is healthy; returns the seconds."""
        return until(
            lambda: all(self.state(service) in ("healthy", "running") for service in services),
            f"health of {', '.join(services)}",
            seconds,
            pause=1.0,
        )

    def url(self, what: str) -> str:
        """The address of api, ops or prometheus."""
        return f"http://127.0.0.1:{self.ports[what]}"

    def ready(self) -> bool:
        """Whether every dependency is ready."""
        try:
            return httpx.get(f"{self.url('ops')}/readyz", timeout=3).status_code == 200
        except httpx.TransportError:
            return False

    def key(self, tenant: str) -> str:
        """A new API key for the tenant, which is created if it does not exist."""
        return self.execute(
            "api",
            "brigadewatch",
            "keys",
            "create",
            "--tenant",
            tenant,
            "--create",
            "--scope",
            "ingest",
            "--scope",
            "read",
        ).strip()

    def logs(self, service: str) -> list[str]:
        """The log lines of its container."""
        done = subprocess.run(["docker", "logs", self.container(service)], capture_output=True, text=True)
        return (done.stdout + done.stderr).splitlines()

    def memory(self, services: Sequence[str]) -> dict[str, str]:
        """The memory that each container uses now, with its limit."""
        ids = {self.container(service): service for service in services}
        stats = run("docker", "stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", *ids)
        return {ids[identity]: used for identity, used in (line.split(" ", 1) for line in stats.splitlines())}


@contextmanager
def stack(overrides: Sequence[Path]) -> Iterator[Stack]:
    """docker-compose.yml as a project; containers, networks and volumes are always removed at the end."""
    ports = {name: free_port() for name in PORTS}
    with tempfile.TemporaryDirectory(prefix="brigadewatch-secrets-") as secrets:
        environment = {
            "BRIGADEWATCH_SECRETS": secrets,
            "COMPOSE_PROFILES": "",
            **{name: str(port) for name, port in ports.items()},
        }
        run("sh", str(ROOT / "deploy" / "make_secrets.sh"), environment=environment)
        found = Stack(
            f"brigadewatch-try-{os.getpid()}",
            [ROOT / "docker-compose.yml", *overrides],
            environment,
            {PORTS[name]: port for name, port in ports.items()},
        )
        try:
            yield found
        except BaseException:
            tell_logs(found)
            raise
        finally:
            found.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


@contextmanager
def second_host(first: Stack) -> Iterator[Stack]:
    """deploy/second-host.yml beside it, as a project of its own that reaches the first one's stores over their
    network.
    """
    with tempfile.TemporaryDirectory(prefix="brigadewatch-compose-") as scratch:
        override = Path(scratch) / "second.json"
        database = first.execute("worker-detect", "printenv", "DATABASE_URL").strip()
        override.write_text(json.dumps(_beside(first.project, database)))
        environment = {**first.environment, "REDIS_URL": "redis://valkey:6379/0", "DATABASE_URL": database}
        found = Stack(f"{first.project}-second", [ROOT / "deploy" / "second-host.yml", override], environment)
        try:
            found.compose("up", "-d", "worker-detect")
            yield found
        except BaseException:
            tell_logs(found)
            raise
        finally:
            # those of the first host are external here, and stay
            found.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def _beside(project: str, database: str) -> dict[str, object]:
    # Both hosts are one machine here: the networks of the first one's stores stand for the cable between them. SQLite
    # needs the same disk, too.
    networks = ("queue", "database")
    worker: dict[str, object] = {"networks": list(networks)}
    beside: dict[str, object] = {
        "services": {"worker-detect": worker},
        "networks": {name: {"external": True, "name": f"{project}_{name}"} for name in networks},
    }
    if database.startswith("sqlite"):
        worker["volumes"] = ["data:/data"]
        beside["volumes"] = {"data": {"external": True, "name": f"{project}_data"}}
    return beside


def tell_logs(of: Stack) -> None:
    """Print the last log lines of all containers, for finding out why it failed."""
    try:
        print(of.compose("ps"), of.compose("logs", "--no-color", "--tail=6"), file=sys.stderr)
    except (Failed, subprocess.SubprocessError) as error:
        print(f"cannot read the logs: {error}", file=sys.stderr)


def free_port() -> int:
    """A free port on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fields_of(line: str) -> dict[str, str]:
    """The pairs of a logfmt line."""
    return {name: value.strip('"') for name, value in re.findall(r'([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)', line)}
