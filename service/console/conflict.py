"""What changed in a case since the page was loaded, when someone else changed it first. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from service.console.decision_form import reason_word
from service.console.formatting import clock
from service.model import Cluster, Decision
from service.moderation.decisions import is_plain_undo, verdict_words
from service.moderation.phrases import plural


@dataclass(frozen=True, slots=True)
class Seen:
    """The case as the page showed it."""

    version: int
    status: str
    disposition: str
    reporters: int
    targets: int


def seen_of(cluster: Cluster) -> Seen:
    """What a page loaded now shows."""
    return Seen(cluster.version, cluster.status, cluster.disposition, cluster.reporter_count, cluster.target_count)


def what_changed(seen: Seen, now: Cluster, log: Sequence[Decision], zone: tzinfo = UTC) -> list[str]:
    """The changes as sentences, moderators' decisions first. `log` is the case's decision log, oldest first."""
    by_id = {d.id: d for d in log}
    changes = [_decided(d, by_id.get(d.reverses or ""), zone) for d in log if d.version >= seen.version]
    for count, before, noun in (
        (now.reporter_count, seen.reporters, "account"),
        (now.target_count, seen.targets, "target"),
    ):
        if count != before:
            more = abs(count - before)
            changes.append(
                f"The group has {plural(more, noun)} {'more' if count > before else 'fewer'}: now {count:,}."
            )
    if now.status != seen.status:
        changes.append(f"Its status changed from {seen.status} to {now.status}.")
    if now.disposition != seen.disposition:
        old, new = seen.disposition.replace("_", " "), now.disposition.replace("_", " ")
        changes.append(f"The detector’s finding changed from {old} to {new}.")
    return changes or ["Members or targets changed; their numbers are the same."]


def _decided(decision: Decision, undone: Decision | None, zone: tzinfo) -> str:
    what = f"decided “{verdict_words(decision.verdict, decision.reason_code)}” ({reason_word(decision.reason_code)})"
    if decision.reverses:
        what = f"undid decision {decision.reverses}" + ("" if is_plain_undo(decision, undone) else f" and {what}")
    note = f" with the note “{decision.note}”" if decision.note else ""
    return f"{decision.by} {what} on {clock(decision.at, None, zone)}{note}."
