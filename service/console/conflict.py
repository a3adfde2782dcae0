"""Somebody else changed the case first: what changed since the page was read? PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.console.formatting import plural
from service.model import Cluster, Decision


@dataclass(frozen=True, slots=True)
class Seen:
    """The case as the page showed it."""

    version: int
    status: str
    disposition: str
    reporters: int
    targets: int


def seen_of(cluster: Cluster) -> Seen:
    """What a page that is read now shows."""
    return Seen(cluster.version, cluster.status, cluster.disposition, cluster.reporter_count, cluster.target_count)


def what_changed(seen: Seen, now: Cluster, log: Sequence[Decision]) -> list[str]:
    """In plain sentences, people's decisions first; `log` is the case's, oldest first."""
    said = [_decided(d) for d in log if d.version >= seen.version]
    for count, before, noun in (
        (now.reporter_count, seen.reporters, "account"),
        (now.target_count, seen.targets, "target"),
    ):
        if count != before:
            more = abs(count - before)
            said.append(f"The group has {plural(more, noun)} {'more' if count > before else 'fewer'}: {count:,} now.")
    if now.status != seen.status:
        said.append(f"Its status is {now.status}, it was {seen.status}.")
    if now.disposition != seen.disposition:
        said.append(f"It is {now.disposition.replace('_', ' ')}, it was {seen.disposition.replace('_', ' ')}.")
    return said or ["Members or targets were exchanged for others; their numbers are the same."]


def _decided(decision: Decision) -> str:
    what = (
        f"took decision {decision.reverses} back"
        if decision.reverses
        else f"decided “{decision.verdict.replace('_', ' ')}” ({decision.reason_code})"
    )
    note = f" and noted: “{decision.note}”" if decision.note else ""
    return f"{decision.by} {what} on {decision.at:%d %b %Y at %H:%M} UTC{note}."
