"""What a change of thresholds does, as the document that the console shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from service.model import JsonObject, moment
from service.moderation.cluster_state import ClusterState
from service.moderation.restorations import Restoration
from service.moderation.score import coordination
from service.moderation.what_if import Comparison, compare
from service.storage.cases import claims, notes
from service.storage.complaints.archive_reader import ids_by_key
from workers.threshold_effect import ThresholdEffect

LISTED = 100  # cases and targets that are named in the result


def report(connection: Connection, tenant_id: int, effect: ThresholdEffect, seconds: float) -> JsonObject:
    """The differences, with names."""
    compared = compare(effect.before, effect.after, since_us=effect.window_us, finds_alike=effect.finds_alike)
    return {
        "until": moment(effect.watermark_us).isoformat(),
        "complaints": effect.complaints,
        "window_seconds": effect.then.window_seconds,
        "policy_now": effect.now.version,
        "policy_then": effect.then.version,
        "seconds": round(seconds, 1),
        **_cases(connection, tenant_id, compared, effect.before.keys()),
        "holds": _holds(connection, tenant_id, effect),
        "restorations": {"now": _open(effect.restorations_before), "then": _open(effect.restorations_after)},
    }


def _cases(connection: Connection, tenant_id: int, compared: Comparison, stored: Collection[str]) -> JsonObject:
    goes, exempt, comes = compared.goes[:LISTED], compared.exempt[:LISTED], compared.comes[:LISTED]
    named = [*(one.state.id for one in goes), *(one.state.id for one in exempt)]
    claimed, noted = claims.claims_of(connection, tenant_id, named), notes.counts_of(connection, tenant_id, named)

    def touched(identity: str) -> JsonObject:
        return {
            "claimed_by": claimed[identity].by if identity in claimed else None,
            "notes": noted.get(identity, 0),
        }

    return {
        "cases": {
            "now": compared.waiting[0],
            "then": compared.waiting[1],
            "held_back_now": compared.held_back[0],
            "held_back_then": compared.held_back[1],
        },
        "comes_count": len(compared.comes),
        "goes_count": len(compared.goes),
        "exempt_count": len(compared.exempt),
        # a cluster that is not stored yet has no address
        "comes": [{**_case(state), "cluster": state.id if state.id in stored else None} for state in comes],
        "goes": [{**_case(one.state), "why": one.why, **touched(one.state.id)} for one in goes],
        "exempt": [{**_case(one.state), "why": one.why, **touched(one.state.id)} for one in exempt],
    }


def _holds(connection: Connection, tenant_id: int, effect: ThresholdEffect) -> JsonObject:
    """The effect on targets held at the tenant's threshold."""
    now, then, totals = effect.held_before, effect.held_after, effect.totals
    _, names = ids_by_key(connection, tenant_id, reporters=(), targets=now ^ then)

    def named(targets: set[int]) -> list[JsonObject]:
        listed = sorted(((totals.get(t, 0), names[t]) for t in targets if t in names), key=lambda x: (-x[0], x[1]))
        return [{"target": name, "complaints": total} for total, name in listed[:LISTED]]

    return {
        "now": len(now),
        "then": len(then),
        "comes": len(then - now),
        "goes": len(now - then),
        "targets_that_come": named(then - now),
        "targets_that_go": named(now - then),
    }


def _open(restorations: Mapping[int, Restoration]) -> int:
    return sum(r.state == "open" for r in restorations.values())


def _case(state: ClusterState) -> JsonObject:
    return {
        "cluster": state.id,
        "kind": state.kind,
        "coordination": round(coordination(state.evidence), 2),
        "accounts": len(state.members),
        "target_count": len(state.author_by_target),
        "summary": state.summary,
        "first_at": moment(state.first_us).isoformat(),
        "last_at": moment(state.last_us).isoformat(),
    }
