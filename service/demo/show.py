"""`brigadewatch demo`: replay a generated world into a new installation and print the results on one screen."""

from __future__ import annotations

import gzip
import json
import secrets
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from service.data_folder import prepare
from service.demo.documents import World
from service.demo.newspaper import DAYS, REMOVAL_COUNT
from service.demo.world import draw_world_until
from service.replay import Replay, Summary
from service.settings import Settings, read_settings
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.tenant_settings import change_settings
from service.storage.accounts.tenants import create_key, ensure_tenant
from service.storage.accounts.users import Role, create_user, enable_user, list_users, set_password
from service.storage.sql.engine import write
from service.supervisor import Addresses, one_interrupt, running
from service.wall_clock import now, now_us

INTERRUPTED = 130  # exit code, as shells use it
REPLAY_SECONDS = 30.0  # about how long sending the default world takes
LEAST_RATE = 900.0  # items per second: smaller worlds take less time
TENANT = "default"
PEOPLE: dict[str, Role] = {"demo-moderator": "moderator", "demo-admin": "admin"}
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters that look alike; 16 of them are 79 bits


def run_demo(data: Path | None, *, seed: int, complaints: int, stay: bool) -> int:
    """Run the demo and return its exit code; leaves no process behind, and no folder unless `data` names one.

    Expected failures are raised as BrigadewatchError. The replay refuses a folder that already has later complaints.
    """
    console = Console(width=None if sys.stdout.isatty() else 140)
    finished = False
    try:
        with one_interrupt(), ExitStack() as stack:
            folder = data or Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="brigadewatch-demo-", ignore_cleanup_errors=True)
                )
            )
            settings = read_settings(folder, {})  # never play with what REDIS_URL and DATABASE_URL name
            world, files, key, people = _prepare(
                settings,
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="brigadewatch-world-"))),
                seed,
                complaints,
            )
            _say("Starting Redis, the API, the workers and the clock ...")
            addresses = stack.enter_context(
                running(settings, host="127.0.0.1", port=None, ops_port=None, say=_say)
            ).addresses
            _say(f"Replaying {len(world.complaints):,} complaints and {len(world.outcomes):,} moderation outcomes ...")
            replay = Replay(
                addresses.api, key, rate=max(LEAST_RATE, (len(world.complaints) + len(world.outcomes)) / REPLAY_SECONDS)
            )
            summary = replay.run(*files)
            protected = show(console, world, summary, list(replay.flagged()), _Reader(addresses.api, key))
            show_addresses(
                console, addresses, key, people, settings, in_example=protected or next(iter(world.campaign_by_target))
            )
            finished = True
            if stay:
                _say("Press Ctrl-C to stop.")
                threading.Event().wait()
    except KeyboardInterrupt:
        _say("Stopped." if finished else "Interrupted.")
        return 0 if finished else INTERRUPTED
    return 0


def _prepare(
    settings: Settings, scratch: Path, seed: int, complaints: int
) -> tuple[World, tuple[list[Path], list[Path]], str, dict[str, str]]:
    _say(f"Generating a world of {DAYS} days (seed {seed}) ...")
    world = draw_world_until(seed, complaints, now())
    key, people = _make_access(settings)
    return world, _write(world, scratch), key, people


class _Reader:
    """Reads clusters and assessments from the API."""

    def __init__(self, api: str, key: str) -> None:
        self._client = httpx.Client(base_url=api, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def cluster(self, cluster_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"/v1/clusters/{cluster_id}").raise_for_status().json()
        return found

    def assess(self, targets: list[str]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for at in range(0, len(targets), 500):
            request = {"target_ids": targets[at : at + 500], "threshold": REMOVAL_COUNT}
            answers += self._client.post("/v1/targets/assess", json=request).raise_for_status().json()["items"]
        return answers


def show(
    console: Console, world: World, summary: Summary, flagged: list[dict[str, Any]], reader: _Reader
) -> str | None:
    """Print the flagged clusters beside what was planted, and one target that removal by count would have hit.

    Returns that target's id, None if there is none.
    """
    console.print(
        f"\n[bold]{summary.accepted:,} items[/bold] accepted and analysed in {summary.total_seconds:.0f} s,"
        f" {summary.rejected:,} rejected.\n"
    )
    clusters = sorted((reader.cluster(item["id"]) for item in flagged), key=lambda cluster: -cluster["score"])
    table = Table(title="Flagged clusters, highest priority first", show_lines=True, title_justify="left")
    for column, justify in (
        ("priority", "right"),
        ("coordination", "right"),
        ("accounts", "right"),
        ("targets", "right"),
        ("what was found", "left"),
        ("what was planted", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for cluster in clusters:
        table.add_row(
            f"{cluster['score']:.1f}",
            f"{cluster['coordination_score']:.1f}",
            str(cluster["reporter_count"]),
            str(cluster["target_count"]),
            cluster["summary"],
            planted(world, cluster["reporters"]),
        )
    console.print(table)
    console.print(_tally(world, clusters))
    targets = sorted({target for cluster in clusters for target in cluster["targets"]})
    protected = protected_target(reader.assess(targets))
    if protected is None:
        return None
    _show_protected(console, world, protected)
    return str(protected["target_id"])


def planted(world: World, reporters: Iterable[str]) -> str:
    """What these accounts were planted as in the generated world."""
    planted = world.group_by_account | world.campaign_by_account
    names = Counter(planted.get(reporter, "honest readers") for reporter in reporters)
    return ", ".join(f"{name}: {count}" for name, count in names.most_common())


def protected_target(assessments: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The held target with the most complaints that do not count as independent; None if no target is held."""
    held = [a for a in assessments if a["recommendation"] == "hold"]
    return max(held, key=lambda a: (a["complaints"] - a["independent_complaints"], a["target_id"]), default=None)


def _tally(world: World, clusters: list[dict[str, Any]]) -> str:
    members = {reporter for cluster in clusters for reporter in cluster["reporters"]}
    lines = []
    for name, count in Counter(world.campaign_by_account.values()).items():
        found = sum(world.campaign_by_account.get(member) == name for member in members)
        lines.append(f"  {name}: {found} of {count} accounts flagged")
    groups = Counter(world.group_by_account[member] for member in members if member in world.group_by_account)
    honest = sum(member not in world.campaign_by_account and member not in world.group_by_account for member in members)
    crowds = ", ".join(sorted({*world.crowd_by_target.values()} - {*world.group_by_account.values()}))
    if groups:
        flagged = ", ".join(f"{name} ({count} accounts)" for name, count in groups.most_common())
        lines.append(f"  honest groups that do act together, for a person to decide about: {flagged}")
    return "\n".join(
        [
            "",
            "Planted campaigns, and how much of each was found:",
            *lines,
            f"  other honest accounts flagged: {honest} (honest crowds in this world: {crowds})",
            "",
        ]
    )


def _show_protected(console: Console, world: World, assessment: dict[str, Any]) -> None:
    excerpt = next(c["target"]["excerpt"] for c in world.complaints if c["target"]["id"] == assessment["target_id"])
    console.print(f'[bold]One comment[/bold], {assessment["target_id"]}: "{excerpt}"')
    console.print(
        f"  complaints                {assessment['complaints']:>6}"
        f"    ({REMOVAL_COUNT} are enough for an automatic removal)"
    )
    console.print(
        f"  independent complaints    {assessment['independent_complaints']:>6.1f}    -> recommendation:"
        f" {assessment['recommendation']}; a moderator should look first\n"
    )


def show_addresses(
    console: Console, addresses: Addresses, key: str, people: dict[str, str], settings: Settings, *, in_example: str
) -> None:
    """Print where to continue: the console with its accounts first, then two calls that work as printed."""
    plain: dict[str, Any] = {"soft_wrap": True, "highlight": False, "markup": False}
    console.print(
        f"console  {addresses.api}/console   (for moderators: open it in a browser and sign in as one of these)",
        **plain,
    )
    for name, password in people.items():
        console.print(f"         {name:<15} {password}", **plain)
    console.print("", **plain)
    console.print(f"API      {addresses.api}   (documentation: {addresses.api}/docs)", **plain)
    console.print(f"metrics  {addresses.ops}/metrics", **plain)
    console.print(f"data     {settings.data}", **plain)
    console.print(f"key      {key}   (valid for this run)\n", **plain)
    console.print(
        f"curl -H 'Authorization: Bearer {key}' '{addresses.api}/v1/targets/{in_example}?threshold={REMOVAL_COUNT}'",
        **plain,
    )
    console.print(f"curl -H 'Authorization: Bearer {key}' '{addresses.api}/v1/clusters?sort=-score&limit=3'\n", **plain)


def _make_access(settings: Settings) -> tuple[str, dict[str, str]]:
    """Create an API key, and console accounts with new passwords. Returns the key and the passwords by name."""
    engine = prepare(settings)
    number = ensure_tenant(engine, TENANT, now_us())
    people = {name: "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4)) for name in PEOPLE}
    hashes = {name: hash_password(password) for name, password in people.items()}
    try:
        with write(engine) as connection:
            # the texts are invented, and the evidence for copied texts is clearer beside them
            change_settings(connection, number, actor="demo", now_us=now_us(), keep_text=True)
            existing = {user.name: user for user in list_users(connection, number)}
            for name, role in PEOPLE.items():
                if name in existing:
                    set_password(connection, existing[name], hashes[name], actor="demo", now_us=now_us())
                    enable_user(connection, existing[name], actor="demo", now_us=now_us())
                else:
                    create_user(connection, number, name, role, hashes[name], actor="demo", now_us=now_us())
        return create_key(engine, TENANT, ["ingest", "read", "moderate"], "demo", now_us()), people
    finally:
        engine.dispose()


def _write(world: World, folder: Path) -> tuple[list[Path], list[Path]]:
    written = []
    for name, documents in (("complaints", world.complaints), ("outcomes", world.outcomes)):
        path = folder / f"{name}.ndjson.gz"
        with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
            file.writelines(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
        written.append([path])
    return written[0], written[1]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
