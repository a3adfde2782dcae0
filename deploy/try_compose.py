"""Run docker-compose.yml for real, and print a table of the results.

    .venv/bin/python deploy/try_compose.py [--override FILE...] [--no-build] [--complaints N]

Needs Compose and a Docker engine (set DOCKER_HOST to its address). Starts the stack under its own project name and
ports; replays a generated world and checks that its campaigns are found; kills and restarts every container in turn
while another tenant's complaints come in, and checks that everything acknowledged is archived exactly once and the
clusters are unchanged; has three tenants analysed by two hosts, and kills one; queries Prometheus. Removes everything
at the end, also after a failure. Exit codes: 0 success, 1 failure (stderr says what), 3 no Docker engine here.
"""

from __future__ import annotations

import argparse
import gzip
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from compose_stack import OURS, Failed, Stack, fields_of, run, second_host, stack, until, why_no_engine

from service.demo.campaigns import CAMPAIGNS
from service.demo.documents import World
from service.demo.world import draw_world
from service.replay import Replay

STORES = ("valkey", "postgres")
PASSWORD = "REDISCLI_AUTH=$(cat /run/secrets/valkey_password)"
# from the start of a killed container until everything is acknowledged, archived and analysed again
HEAL_SECONDS = 60.0
TAKE_OVER_SECONDS = 60.0
PAUSE_SECONDS = 0.25  # between two batches beside the kills
BATCH = 25
LEAST_COMPLAINTS = 9_000  # in a smaller world the campaigns are most of it

Groups = frozenset[tuple[frozenset[str], frozenset[str]]]


class Seen:
    """The results, as rows of the table in docs/deploy.md."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, what: str, found: str) -> None:
        """One row."""
        print(f"| {what} | {found} |", flush=True)

    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


class Tenant:
    """A platform that posts to the stack, with retries, and remembers what was acknowledged."""

    def __init__(self, of: Stack, name: str) -> None:
        self.name, self.key = name, of.key(name)
        self.url = of.url("api")
        self.acknowledged: set[str] = set()
        self.position, self.refusals = 0, 0
        self._client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=10)

    def replay(self, world: World, scratch: Path) -> float:
        """Send the whole world, wait until it is swept; how many seconds it took."""
        files = [scratch / f"{self.name}-{kind}.ndjson.gz" for kind in ("complaints", "outcomes")]
        for file, documents in zip(files, (world.complaints, world.outcomes), strict=True):
            with gzip.open(file, "wt", compresslevel=1) as lines:
                lines.writelines(json.dumps(document) + "\n" for document in documents)
        summary = Replay(self.url, self.key).run(files[:1], files[1:])
        if summary.rejected:
            raise Failed(f"{summary.rejected} lines of a generated world were rejected: {summary.first_errors}")
        self.acknowledged |= {complaint["id"] for complaint in world.complaints}
        return summary.total_seconds

    def post(self, complaints: list[dict[str, Any]], seconds: float = 120.0) -> None:
        """Until they are acknowledged, however often that is refused meanwhile."""
        body = "\n".join(map(json.dumps, complaints))
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self._client.post(
                    "/v1/complaints", content=body, headers={"Content-Type": "application/x-ndjson"}
                )
                if answer.status_code == 202:
                    self.position = answer.json()["position"]
                    self.acknowledged |= {complaint["id"] for complaint in complaints}
                    return
                problem = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code not in (429, 502, 503):
                    raise Failed(f"{self.name}: {problem}")
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            self.refusals += 1
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: nothing was accepted for {seconds:.0f} s: {problem}")
            time.sleep(0.2)

    def get(self, path: str, **parameters: Any) -> Any:
        """A document."""
        return self._client.get(path, params=parameters).raise_for_status().json()

    def done(self, *, swept: bool = False) -> bool:
        """Whether all that was acknowledged is analysed (and swept)."""
        try:
            state = self.get("/v1/pipeline")
        except httpx.HTTPError:
            return False
        return bool(
            state["pending"] == 0 and state["swept_position" if swept else "analysed_position"] >= self.position
        )

    def groups(self) -> Groups:
        """The flagged clusters, as members and targets."""
        found: set[tuple[frozenset[str], frozenset[str]]] = set()
        cursor: dict[str, Any] = {"status": "any", "limit": 100}
        while cursor:
            page = self.get("/v1/clusters", **cursor)
            for item in page["items"]:
                whole = self.get(f"/v1/clusters/{item['id']}")
                found.add((frozenset(whole["reporters"]), frozenset(whole["targets"])))
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        return frozenset(found)

    def lost_and_doubled(self, of: Stack) -> tuple[int, int]:
        """Of what was acknowledged: how many complaints the archive has not, and how many more than once."""
        of.execute("worker-chores", "brigadewatch", "export", "--tenant", self.name, "--out", f"/tmp/{self.name}")
        lines = of.execute("worker-chores", "cat", f"/tmp/{self.name}/complaints.ndjson").splitlines()
        of.execute("worker-chores", "rm", "-r", f"/tmp/{self.name}")
        ids = [json.loads(line)["id"] for line in lines]
        return len(self.acknowledged - set(ids)), len(ids) - len(set(ids))


def found_campaigns(groups: Groups, world: World) -> int:
    """How many clusters are of honest accounts.

    Failed where a planted campaign is missing, as most of the members of a cluster.
    """
    names: list[str | None] = []
    for members, _ in groups:
        planted = [world.campaign_by_account.get(member) for member in members]
        names.append(max(set(planted), key=planted.count))
    if missing := {plan.name for plan in CAMPAIGNS} - set(names):
        raise Failed(f"planted but not found: {missing}; found: {names}")
    return names.count(None)


@contextmanager
def posting(tenant: Tenant, world: World) -> Iterator[Callable[[], None]]:
    """Somebody posts a small batch every so often, on a thread; the yielded function has it end and looks whether it
    did well.
    """
    over, problem = threading.Event(), list[BaseException]()
    batches = (world.complaints[start : start + BATCH] for start in range(0, len(world.complaints), BATCH))

    def post() -> None:
        try:
            for batch in batches:
                tenant.post(batch)
                if over.wait(PAUSE_SECONDS):
                    return
        except BaseException as error:
            problem.append(error)

    def end() -> None:
        over.set()
        thread.join()
        if problem:
            raise problem[0]

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield end
    finally:
        over.set()
        thread.join()


def restart_each(of: Stack, posted: Tenant) -> dict[str, float]:
    """Kill and start every container in turn; seconds from the start until a batch sent then is analysed."""
    healed: dict[str, float] = {}
    for service in (*OURS, *STORES, "prometheus"):
        container = of.container(service)
        run("docker", "kill", "--signal", "KILL", container)
        run("docker", "start", container)
        began = time.monotonic()
        until(of.ready, f"readiness after the restart of {service}", HEAL_SECONDS)
        until(passed(posted, posted.position + 2 * BATCH), f"analysis after the restart of {service}", HEAL_SECONDS)
        healed[service] = time.monotonic() - began
        of.running([service], HEAL_SECONDS)
    return healed


def passed(tenant: Tenant, position: int) -> Callable[[], bool]:
    """Whether the position was handed out, and the tenant's items up to it are analysed."""

    def holds() -> bool:
        try:
            return tenant.position >= position and bool(tenant.get("/v1/pipeline")["analysed_position"] >= position)
        except httpx.HTTPError:
            return False

    return holds


def turns(hosts: dict[str, Stack]) -> list[tuple[str, str, float, float]]:
    """(tenant, host, begin, end) of every tick that was done, as the workers' own lines tell."""
    found = []
    for name, host in hosts.items():
        for line in host.logs("worker-detect"):
            fields = fields_of(line)
            if fields.get("work") == "detect" and fields.get("result") == "done":
                end = datetime.fromisoformat(fields["time"]).timestamp()
                found.append((fields["tenant"], name, end - float(fields["seconds"]), end))
    return sorted(found, key=lambda turn: turn[2])


def overlaps(found: list[tuple[str, str, float, float]]) -> int:
    """Ticks of one tenant on two hosts at the same time."""
    last: dict[str, tuple[str, float]] = {}
    count = 0
    for tenant, host, began, ended in found:
        before = last.get(tenant)
        if before is not None and before[0] != host and began < before[1] - 0.01:  # lines are written a moment after
            count += 1
        if before is None or ended > before[1]:
            last[tenant] = host, ended
    return count


def share_out(of: Stack, seen: Seen, complaints: int) -> None:
    """Three tenants, two hosts; one of them is killed."""
    tenants = [Tenant(of, name) for name in ("east", "north", "west")]
    worlds = [draw_world(seed, complaints) for seed in (11, 12, 13)]
    with second_host(of) as second:
        second.running(["worker-detect"])
        hosts = {"first": of, "second": second}
        since = time.time()
        for start in range(0, complaints // 2, 500):
            for tenant, world in zip(tenants, worlds, strict=True):
                tenant.post(world.complaints[start : start + 500])
        until(lambda: all(tenant.done() for tenant in tenants), "analysis by two hosts", 300)
        both = [turn for turn in turns(hosts) if turn[2] >= since and turn[0] in {tenant.name for tenant in tenants}]
        by = {
            tenant.name: {host: sum(turn[:2] == (tenant.name, host) for turn in both) for host in hosts}
            for tenant in tenants
        }
        if (count := overlaps(both)) or not all(any(has[host] for has in by.values()) for host in hosts):
            raise Failed(f"{count} ticks of a tenant ran on two hosts at once; ticks by tenant and host: {by}")
        by_host = "; ".join(
            f"{name}: {', '.join(f'{n} on the {host}' for host, n in has.items() if n)}" for name, has in by.items()
        )
        seen.say("three tenants, two detect hosts", f"{len(both)} ticks, no tenant on both at once ({by_host})")
        run("docker", "kill", second.container("worker-detect"))
        killed = time.time()
        rest = complaints // 2
        for tenant, world in zip(tenants, worlds, strict=True):
            tenant.post(world.complaints[rest : rest + 500])
        until(lambda: all(tenant.done() for tenant in tenants), "the first host's taking over", TAKE_OVER_SECONDS)
        seen.say(
            "the second one is killed",
            f"the first has all three tenants up to date {time.time() - killed:.1f} s later,"
            f" {sum(t[2] >= killed for t in turns({'first': of}))} ticks",
        )
        for start in range(rest, len(worlds[0].complaints), 500):
            for tenant, world in zip(tenants, worlds, strict=True):
                tenant.post(world.complaints[start : start + 500])
        until(lambda: all(tenant.done(swept=True) for tenant in tenants), "the sweeps of three tenants", 300)
    lost = [tenant.lost_and_doubled(of) for tenant in tenants]
    if any(map(any, lost)):
        raise Failed(f"(lost, doubled) by tenant: {lost}")
    honest = sum(found_campaigns(tenant.groups(), world) for tenant, world in zip(tenants, worlds, strict=True))
    seen.say(
        "their complaints",
        f"{sum(len(tenant.acknowledged) for tenant in tenants):,} acknowledged, each archived once; all"
        f" {len(CAMPAIGNS)} campaigns of each found, and {honest} honest crowds flagged as not judged yet: no outcomes"
        " were sent here",
    )


def ask_prometheus(of: Stack, seen: Seen) -> None:
    """Its targets are up, its rules load and can be evaluated."""
    url = of.url("prometheus")

    def targets() -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = httpx.get(f"{url}/api/v1/targets", timeout=5).json()["data"]["activeTargets"]
            return found
        except (httpx.TransportError, ValueError):
            return []

    until(
        lambda: bool(targets()) and all(target["health"] == "up" for target in targets()),
        f"targets that are up: {targets()}",
        90,
    )
    until(lambda: all(rule["health"] != "unknown" for rule in rules(url)), "the rules' first evaluation", 90)
    broken = [rule["name"] for rule in rules(url) if rule["health"] != "ok"]
    if broken or not rules(url):
        raise Failed(f"rules that cannot be evaluated: {broken or 'no rules were loaded'}")
    up = httpx.get(f"{url}/api/v1/query", params={"query": "brigadewatch_up"}, timeout=5).json()["data"]["result"]
    down = [series["metric"] for series in up if series["value"][1] != "1"]
    if down or not up:
        raise Failed(f"dependencies that are down by brigadewatch_up: {down or 'no series at all'}")
    alerts = [
        alert["labels"]["alertname"]
        for alert in httpx.get(f"{url}/api/v1/alerts", timeout=5).json()["data"]["alerts"]
        if alert["state"] == "firing"
    ]
    seen.say(
        "Prometheus",
        f"{len(targets())} target up, {len(rules(url))} rules evaluated without an error, {len(up)} dependencies up,"
        f" firing: {', '.join(alerts) or 'nothing'}",
    )


def rules(url: str) -> list[dict[str, Any]]:
    """Of all groups."""
    return [
        rule
        for group in httpx.get(f"{url}/api/v1/rules", timeout=5).json()["data"]["groups"]
        for rule in group["rules"]
    ]


def versions(of: Stack, seen: Seen) -> None:
    """What this was run with."""
    engine = run("docker", "version", "--format", "{{.Server.Version}}").strip()
    compose = of.compose("version", "--short").strip()
    python = of.execute("api", "python", "--version").strip()
    valkey = of.execute("valkey", "sh", "-c", f"{PASSWORD} redis-cli info server")
    named = dict(line.split(":", 1) for line in valkey.splitlines() if ":" in line)
    postgres = of.execute("postgres", "pg_isready", "--version").strip()
    server = f"{named.get('server_name', 'redis')} {named.get('valkey_version') or named.get('redis_version')}".replace(
        "\r", ""
    )
    seen.say("versions", f"Docker {engine}, Compose {compose}, {python}, {server}, {postgres}")
    size = int(
        run(
            "docker",
            "image",
            "inspect",
            "--format",
            "{{.Size}}",
            of.environment.get("BRIGADEWATCH_IMAGE", "brigadewatch"),
        )
    )
    own = int(of.execute("api", "sh", "-c", "du -s -B1 /opt/brigadewatch | cut -f1"))
    pip = of.execute(
        "api",
        "python",
        "-c",
        "import importlib.util as u; print(*[name for name in ('pip', 'setuptools', 'wheel', 'hatchling') if"
        " u.find_spec(name)])",
    ).strip()
    who = of.execute("api", "id", "-u").strip()
    if pip or who == "0":
        raise Failed(f"the image contains {pip or 'no build tools'}, and its user is {who}")
    seen.say(
        "image",
        f"{size / 1e6:,.0f} MB, {own / 1e6:,.0f} MB of them in /opt/brigadewatch; user {who}, no pip, setuptools,"
        " wheel or hatchling",
    )


def try_all(of: Stack, seen: Seen, complaints: int) -> None:
    """Everything, in order. Raises Failed."""
    of.compose("up", "-d")
    took = of.running([*OURS, *STORES])
    until(of.ready, "readiness", 60)
    seen.say(
        "up",
        f"{len(OURS) + len(STORES) + 1} containers, all checks healthy, {took:.0f} s after Compose had started them",
    )
    versions(of, seen)
    with tempfile.TemporaryDirectory(prefix="brigadewatch-worlds-") as scratch:
        world, first = draw_world(5, complaints), Tenant(of, "first")
        seconds = first.replay(world, Path(scratch))
        before = first.groups()
        if honest := found_campaigns(before, world):
            raise Failed(f"{honest} clusters of honest accounts were flagged")
        seen.say(
            "a world replayed",
            f"{len(world.complaints):,} complaints and {len(world.outcomes):,} outcomes, analysed and swept after"
            f" {seconds:.0f} s; all {len(CAMPAIGNS)} campaigns found, in {len(before)} clusters, and no others"
            " flagged",
        )
    for service, used in of.memory((*OURS, *STORES, "prometheus")).items():
        seen.say(f"memory of {service}", used)
    posted, large = Tenant(of, "posted"), draw_world(6, 60_000)  # more than is posted meanwhile
    with posting(posted, large) as end:
        healed = restart_each(of, posted)
        end()
    until(lambda: posted.done(swept=True), "the sweep after the restarts", 120)
    for tenant in (first, posted):
        lost, doubled = tenant.lost_and_doubled(of)
        if lost or doubled:
            raise Failed(
                f"{tenant.name}: of {len(tenant.acknowledged)} acknowledged complaints {lost} are missing from the"
                f" archive, {doubled} are duplicated"
            )
    if first.groups() != before:
        raise Failed("the clusters differ from those before the restarts")
    seen.say(
        "each container killed and started",
        f"{len(healed)} in turn; analysed again after"
        f" {', '.join(f'{name} {seconds:.1f} s' for name, seconds in healed.items())}",
    )
    seen.say(
        "meanwhile",
        f"{len(posted.acknowledged):,} complaints acknowledged in batches of {BATCH} ({posted.refusals} refused"
        " and repeated), all in the archive once; the first tenant's clusters are the same",
    )
    share_out(of, seen, max(LEAST_COMPLAINTS, complaints // 2))
    ask_prometheus(of, seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--override",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="additional Compose file after docker-compose.yml, for example for other images",
    )
    parser.add_argument("--no-build", action="store_true", help="use the existing image")
    parser.add_argument(
        "--complaints", type=int, default=25_000, help="complaints in the first tenant's world (default: %(default)s)"
    )
    chosen = parser.parse_args()
    if why := why_no_engine():
        print(f"not run: {why}")
        return 3
    seen = Seen()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever ends it has the stack taken away as well
    try:
        with stack([file.resolve() for file in chosen.override]) as of:
            if not chosen.no_build:
                of.compose("build", "api")
            try_all(of, seen, chosen.complaints)
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    seen.say("in all", f"{seen.seconds() / 60:.0f} min, everything removed again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
