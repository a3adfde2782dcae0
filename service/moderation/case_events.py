"""The events that a change of clusters and targets causes.

PURE: the caller records them in the transaction that makes the change.

- cluster.flagged  a case to look at: flagged now, and not before. A cluster that comes back after a revocation is
                   reported again.
- cluster.grown    a flagged cluster continues: a fifth more accounts or targets than at the last step, a new target in
                   another hour of event time, another cluster merged into it, or a decided case reopened by growth.
                   The steps are powers of 1.2, so that no earlier step has to be stored: a cluster causes at most one
                   event per tick, and beside the steps one per hour; going back and forth across a step causes none.
- cluster.revoked  a cluster is no longer flagged: revoked, or reliable (coordinated, but moderators upheld it).
- cluster.decided  a person's decision, a reversal included; the key is the decision's.
- target.hold      the recommendation became `hold`. Once for each target, the cluster that carries it and the
                   threshold: an independent count that moves back and forth across the threshold is one event.
- target.restore_suggested  a restoration opened; once for each removal.
- reporter.warn_suggested   see service/moderation/warnings.py.

Data is small: ids, counts, probabilities, the summary, paths for more. No complaint's text, no list of members.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from service.model import Cluster, Decision, moment
from service.moderation.assessment import TargetSummary, independent_count, recommend
from service.moderation.cluster_state import ClusterState
from service.moderation.events import Event
from service.moderation.restorations import Restoration
from service.moderation.score import coordination
from service.moderation.warnings import Suggestion

LADDER = 1.2  # growth by a fifth is reported
_HOUR_US = 3_600_000_000


def cluster_events(before: Mapping[str, ClusterState], changed: Mapping[str, ClusterState]) -> list[Event]:
    """Events for clusters that the detector changed, in the order of their ids.

    `before` holds the earlier states of those in `changed`.
    """
    absorbed: dict[str, list[str]] = defaultdict(list)
    for state in changed.values():
        earlier = before.get(state.id)
        if (
            state.disposition == "merged"
            and state.merged_into is not None
            and earlier is not None
            and earlier.disposition == "flagged"
        ):
            absorbed[state.merged_into].append(state.id)
    events = []
    for identity in sorted(changed):
        after = changed[identity]
        survivor = changed.get(after.merged_into or "")
        if after.disposition == "merged" and (survivor is None or survivor.disposition == "flagged"):
            continue  # reported as growth of its survivor
        event = _cluster_event(before.get(identity), after, sorted(absorbed.get(identity, ())))
        if event is not None:
            events.append(event)
    return events


def _cluster_event(before: ClusterState | None, after: ClusterState, absorbed: list[str]) -> Event | None:
    was_flagged = before is not None and before.disposition == "flagged"
    if after.disposition == "flagged":
        if before is None or not was_flagged:
            return Event("cluster.flagged", f"{after.id}/{after.version}", _state_data(after))
        return _growth(before, after, absorbed)
    if was_flagged:
        return Event(
            "cluster.revoked", f"{after.id}/{after.version}", {**_state_data(after), "because": _because(after)}
        )
    return None


def _growth(before: ClusterState, after: ClusterState, absorbed: list[str]) -> Event | None:
    reporters, targets = (
        len(after.members - before.members),
        len(after.author_by_target.keys() - before.author_by_target.keys()),
    )
    reopened = before.status == "decided" and after.status == "open"
    steps, had = (
        (_step(len(after.members)), _step(len(after.author_by_target))),
        (_step(len(before.members)), _step(len(before.author_by_target))),
    )
    hour = after.last_us // _HOUR_US
    climbed = (reporters > 0 and steps[0] > had[0]) or (targets > 0 and steps[1] > had[1])
    another_hour = targets > 0 and hour > before.last_us // _HOUR_US
    if not (climbed or another_hour or reopened or absorbed):
        return None
    key = f"{after.id}/{steps[0]}.{steps[1]}.{hour}" + (f"/{after.version}" if reopened or absorbed else "")
    return Event(
        "cluster.grown",
        key,
        {
            **_state_data(after),
            "gained_reporters": reporters,
            "gained_targets": targets,
            "reopened": reopened,
            "absorbed": absorbed,
        },
    )


def _step(n: int) -> int:
    return math.floor(math.log(max(n, 1)) / math.log(LADDER) + 1e-9)


def _because(state: ClusterState) -> str:
    if state.disposition == "reliable":
        return "moderators upheld its complaints"
    return f"merged into {state.merged_into}" if state.disposition == "merged" else state.revoked_because or "revoked"


def decision_events(before: str, after: Cluster, decision: Decision) -> list[Event]:
    """Events for a person's decision; `before` is the cluster's disposition until then."""
    decided = {
        "id": decision.id,
        "at": _text(decision.at),
        "by": decision.by,
        "verdict": decision.verdict,
        "reason_code": decision.reason_code,
        "reverses": decision.reverses,
        "excluded_reporters": len(decision.excluded_reporters),
    }
    events = [Event("cluster.decided", decision.id, {**_cluster_data(after), "decision": decided})]
    if after.disposition == "flagged" and before != "flagged":
        events.append(Event("cluster.flagged", f"{after.id}/{after.version}", _cluster_data(after)))
    elif before == "flagged" and after.disposition != "flagged":
        events.append(
            Event(
                "cluster.revoked",
                f"{after.id}/{after.version}",
                {**_cluster_data(after), "because": after.revoked_because or "decided"},
            )
        )
    return events


def is_held(complaints: int, summary: TargetSummary, threshold: int) -> bool:
    """Whether the recommendation is `hold`."""
    return (
        complaints >= threshold
        and recommend(complaints, independent_count(complaints, summary.discount), threshold, flagged=False) == "hold"
    )


def hold_key(target_id: int | str, summary: TargetSummary, threshold: int) -> str:
    """The identity of a hold: target, the cluster with the largest π (ties: the smaller id), threshold."""
    carrier = max(summary.clusters, key=lambda share: (share.discount_probability, [-ord(c) for c in share.id]))
    return f"{target_id}/{carrier.id}/{threshold}"


def hold_event(target_id: str, complaints: int, summary: TargetSummary, threshold: int, policy_version: str) -> Event:
    """The event for a target that reaches its threshold only because of a group."""
    return Event(
        "target.hold",
        hold_key(target_id, summary, threshold),
        {
            **_target_data(target_id),
            "complaints": complaints,
            "independent_complaints": independent_count(complaints, summary.discount),
            "threshold": threshold,
            "coordinated_probability": max(share.discount_probability for share in summary.clusters),
            "policy_version": policy_version,
            "clusters": [
                {
                    "id": s.id,
                    "complaints": s.complaints,
                    "probability": s.probability,
                    "unfounded_probability": s.unfounded_probability,
                    "url": _cluster_url(s.id),
                }
                for s in sorted(summary.clusters, key=lambda s: (-s.discount_probability, s.id))[:10]
            ],
        },
    )


def restore_event(target_id: str, restoration: Restoration, policy_version: str) -> Event:
    """The event for a restoration that opened."""
    return Event(
        "target.restore_suggested",
        f"{target_id}/{restoration.removal}",
        {
            **_target_data(target_id),
            "complaints": restoration.complaints,
            "independent_complaints": restoration.independent,
            "threshold": restoration.threshold,
            "harm": restoration.harm,
            "removed_at": _text(moment(restoration.removed_us)),
            "removed_by": restoration.removed_by,
            "clusters": list(restoration.clusters[:10]),
            "policy_version": policy_version,
            "restorations_url": "/v1/restorations",
        },
    )


def warn_event(reporter_id: str, found: Suggestion, at_us: int) -> Event:
    """The event that suggests warning a reporter; nothing happens automatically."""
    return Event(
        "reporter.warn_suggested",
        f"{reporter_id}/{at_us}",
        {
            "reporter_id": reporter_id,
            "url": f"/v1/reporters/{quote(reporter_id, safe='')}",
            "as_of": _text(moment(at_us)),
            "unfounded": found.unfounded,
            "judged": found.judged,
            "reviewed": found.reviewed,
            "share": found.share,
            "period_seconds": found.period_seconds,
            "rejected_by_outcome": found.by_outcome,
            "in_decided_brigades": found.by_decision,
            "clusters": list(found.clusters[:10]),
            "note": (
                "A suggestion to review the case (DSA Art. 23): only a person can judge whether the notices were"
                " manifestly unfounded, and with what intention. `unfounded` is the sum of those that moderators"
                " rejected and of those that were not reviewed, but belong to groups decided to be brigades."
            ),
        },
    )


def _state_data(state: ClusterState) -> dict[str, Any]:
    return _data(state, len(state.members), len(state.author_by_target), moment(state.first_us), moment(state.last_us))


def _cluster_data(cluster: Cluster) -> dict[str, Any]:
    return _data(cluster, cluster.reporter_count, cluster.target_count, cluster.first_at, cluster.last_at)


def _data(
    of: ClusterState | Cluster, reporters: int, targets: int, first_at: datetime, last_at: datetime
) -> dict[str, Any]:
    return {
        "cluster_id": of.id,
        "kind": of.kind,
        "disposition": of.disposition,
        "status": of.status,
        "version": of.version,
        "probability": of.probability,
        "unfounded_probability": of.unfounded_probability,
        "coordination_score": coordination(of.evidence),
        "score": of.score,
        "reporter_count": reporters,
        "target_count": targets,
        "first_at": _text(first_at),
        "last_at": _text(last_at),
        "summary": of.summary,
        "policy_version": of.policy_version,
        "merged_into": of.merged_into,
        "split_from": of.split_from,
        "earlier": of.earlier,
        "url": _cluster_url(of.id),
    }


def _target_data(target_id: str) -> dict[str, Any]:
    url = f"/v1/targets/{quote(target_id, safe='')}"
    return {"target_id": target_id, "url": url, "brief_url": f"{url}/brief"}


def _cluster_url(cluster_id: str) -> str:
    return f"/v1/clusters/{quote(cluster_id, safe='')}"


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
