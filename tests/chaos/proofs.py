"""The guarantees that must hold at the end, each checked against the stores themselves."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import backup
from clock_steps import time_goes_on
from installation import TENANT, Installation
from posting import Document, Journal
from sqlalchemy import Engine, func, select
from up import environment

from service.settings import read_settings
from service.storage.accounts.tenants import tenant_id
from service.storage.sql import schema
from service.storage.sql.engine import open_database
from workers.detection.window_digest import window_digest
from workers.resources import open_resources
from workers.window_build import build_analyzer

_WINDOW_LINE = re.compile(rf"tenant {TENANT}: window of (\d+) complaints up to seq (\d+), digest (\w+)")
Found = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """One guarantee, whether it held (None: nothing happened that could have broken it), and what was counted."""

    claim: str
    held: bool | None
    counted: str

    @property
    def verdict(self) -> str:
        """For a report."""
        return {True: "yes", False: "**no**", None: "not tried"}[self.held]


def prove(
    installation: Installation, journal: Journal, documents: Sequence[Document], folder: Path, copy: Path
) -> list[Proof]:
    """Check every guarantee. The installation must be at rest: everything acknowledged, analysed and swept. `copy` is a
    backup that was taken while it ran.
    """
    settings = read_settings(installation.data, environment(**installation.variables))
    engine = open_database(settings.database_url)
    try:
        checks: dict[str, Callable[[], Found]] = {
            "every answer was 202, 429 or 503": lambda: (
                not journal.unexpected,
                f"{journal.calls:,} calls: "
                + ", ".join(f"{n:,} × {name}" for name, n in journal.answers.most_common())
                + "".join(journal.unexpected[:3]),
            ),
            "the archive contains every complaint that was answered 202 exactly once, and nothing else": lambda: (
                _archived(engine, journal, documents)
            ),
            "everything was sent until it was acknowledged": lambda: _sent(journal, documents),
            "every acknowledged withdrawal and outcome was applied": lambda: _outcomes_and_withdrawals(engine, journal),
            "the archive has reached the acknowledged position, and there are no dead letters": lambda: _positions(
                installation, journal
            ),
            "while a fault lasted that stops writes, both ports said that they are not ready": lambda: _readiness(
                installation
            ),
            "at the end both ports say that they are ready": lambda: _ready_again(installation),
            "a backup taken while it ran holds exactly what was archived by then": lambda: backup.held(
                installation, copy
            ),
            "after clock steps retention waits for nobody, polls go on, and no plan lies beyond its longest": lambda: (
                time_goes_on(installation, engine, TENANT)
            ),
            "the detect worker's window equals one rebuilt from the archive": lambda: _window(installation),
            "the clusters equal those of an audit of the exported archive": lambda: _clusters(
                installation, engine, folder
            ),
        }
        return [Proof(claim, *check()) for claim, check in checks.items()]
    finally:
        engine.dispose()


def _archived(engine: Engine, journal: Journal, documents: Sequence[Document]) -> Found:
    c = schema.complaints.c
    with engine.connect() as connection:
        number = tenant_id(engine, TENANT)
        rows = connection.execute(select(c.id, c.reporter_id, c.target_id).where(c.tenant_id == number)).all()
    sent = {d["id"]: (d["reporter"]["id"], d["target"]["id"]) for d in documents if "reporter" in d}
    archived = {row.id: (row.reporter_id, row.target_id) for row in rows}
    lost, twice, strange = (
        journal.acknowledged - archived.keys(),
        len(rows) - len(archived),
        sum(sent.get(i) != content for i, content in archived.items()),
    )
    held = not lost and not twice and not strange and bool(archived)
    return (
        held,
        (
            f"{len(journal.acknowledged):,} acknowledged, {len(rows):,} rows; {len(lost)} lost, {twice} duplicated,"
            f" {strange} unknown or changed"
        ),
    )


def _sent(journal: Journal, documents: Sequence[Document]) -> Found:
    """A poster that ended early would leave less to lose."""
    there = {
        "complaints": ({d["id"] for d in documents if "reporter" in d}, journal.acknowledged),
        "outcomes": ({d["id"] for d in documents if "target_id" in d and "reporter" not in d}, journal.outcomes),
        "withdrawals": ({d["withdraws"] for d in documents if "withdraws" in d}, journal.withdrawn),
    }
    return (
        all(wanted and wanted == acknowledged for wanted, acknowledged in there.values()),
        ", ".join(f"{len(acknowledged):,} of {len(wanted):,} {what}" for what, (wanted, acknowledged) in there.items()),
    )


def _outcomes_and_withdrawals(engine: Engine, journal: Journal) -> Found:
    number, c = tenant_id(engine, TENANT), schema.complaints.c
    with engine.connect() as connection:
        gone = set(connection.scalars(select(c.id).where(c.tenant_id == number, c.state == schema.WITHDRAWN)))
        outcomes = connection.scalar(
            select(func.count()).select_from(schema.outcomes).where(schema.outcomes.c.tenant_id == number)
        )
    held = gone == journal.withdrawn and outcomes == len(journal.outcomes)
    return (
        held,
        (
            f"{len(journal.withdrawn):,} withdrawals acknowledged, {len(gone):,} complaints withdrawn;"
            f" {len(journal.outcomes):,} outcomes acknowledged, {outcomes:,} rows"
        ),
    )


def _positions(installation: Installation, journal: Journal) -> Found:
    state = installation.pipeline()
    assert state is not None
    held = (
        state["pending"] == 0
        and state["dead_letters"] == 0
        and state["analysed_position"] == state["swept_position"] == state["accepted"] >= journal.position
    )
    return (
        held,
        ", ".join(
            f"{name} {state[name]:,}"
            for name in (
                "accepted",
                "archived",
                "duplicates",
                "analysed_position",
                "swept_position",
                "pending",
                "dead_letters",
            )
        )
        + f"; highest acknowledged position {journal.position:,}",
    )


def _readiness(installation: Installation) -> Found:
    """An API process that another fault of the volley had killed says nothing, so a single miss may pass."""
    found = installation.readiness
    silent = [fault for fault, said, _ in found if not said]
    longest = max((seconds for _, _, seconds in found), default=0.0)
    return (
        len(silent) <= len(found) // 10 if found else None,
        (
            f"{len(found)} faults, {len(silent)} unnoticed {silent or ''}; slowest answer {longest:.1f} s;"
            f" {installation.letters_sent_again:,} dead letters sent again"
        ),
    )


def _ready_again(installation: Installation) -> Found:
    """A refused write makes unready for a minute."""
    began = time.monotonic()
    while time.monotonic() - began < 90:
        found = [installation.status(port, "/readyz") for port in (installation.port, installation.ops_port)]
        if found == [200, 200]:
            break
        time.sleep(0.2)
    return found == [200, 200], f"{found[0]} and {found[1]} after {time.monotonic() - began:.1f} s"


def _window(installation: Installation) -> Found:
    worker = installation.parts()["worker-detect"]
    before = len(_WINDOW_LINE.findall(installation.log("worker-detect")))
    worker.send_signal(signal.SIGUSR1)
    installation.wait(
        lambda: len(_WINDOW_LINE.findall(installation.log("worker-detect"))) > before,
        20,
        "the detect worker logs its window",
    )
    live, seq, digest = _WINDOW_LINE.findall(installation.log("worker-detect"))[-1]
    resources = open_resources(read_settings(installation.data, environment(**installation.variables)))
    try:
        rebuilt = build_analyzer(TENANT, resources)
    finally:
        resources.close()
    held = (int(live), int(seq), digest) == (
        rebuilt.detector.window.live,
        rebuilt.state.cursor_seq,
        window_digest(rebuilt.detector.window),
    ) and int(live) > 0
    return (
        held,
        (
            f"{int(live):,} complaints up to seq {int(seq):,}, digest {digest}; rebuilt:"
            f" {rebuilt.detector.window.live:,}, {window_digest(rebuilt.detector.window)}"
        ),
    )


def _clusters(installation: Installation, engine: Engine, folder: Path) -> Found:
    out, report = folder / "export", folder / "report.json"
    installation.run("export", "--tenant", TENANT, "--out", str(out), "--data", str(installation.data))
    installation.run(
        "audit", str(out / "complaints.ndjson"), "--outcomes", str(out / "outcomes.ndjson"), "--out", str(report)
    )
    audited = {
        (frozenset(c["reporters"]), frozenset(c["targets"]), c["disposition"])
        for c in json.loads(report.read_text())["clusters"]
        if c["disposition"] in _STANDING
    }
    number = tenant_id(engine, TENANT)
    with engine.connect() as connection:
        stored = {
            row.id: row.disposition
            for row in connection.execute(
                select(schema.clusters.c.id, schema.clusters.c.disposition).where(schema.clusters.c.tenant_id == number)
            )
        }
        members = _by_cluster(
            connection.execute(
                select(schema.cluster_members.c.cluster_id, schema.cluster_members.c.reporter_id).where(
                    schema.cluster_members.c.tenant_id == number
                )
            )
        )
        targets = _by_cluster(
            connection.execute(
                select(schema.cluster_targets.c.cluster_id, schema.cluster_targets.c.target_id).where(
                    schema.cluster_targets.c.tenant_id == number
                )
            )
        )
    live = {(members[i], targets[i], disposition) for i, disposition in stored.items() if disposition in _STANDING}
    counted = f"{len(live)} live clusters, {len(audited)} in the audit" + "".join(
        f"; only {where}: {len(m)} reporters × {len(t)} targets, {d}"
        for where, some in (("live", live - audited), ("audited", audited - live))
        for m, t, d in some
    )
    return live == audited and bool(live), counted


_STANDING = ("flagged", "held_back", "reliable")


def _by_cluster(rows: Any) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for cluster, name in rows:
        found.setdefault(cluster, set()).add(name)
    return {cluster: frozenset(names) for cluster, names in found.items()}
