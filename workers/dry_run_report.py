"""Compare a dry run's two policies, as the document that the console shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from service.model import JsonObject, moment
from service.moderation.cluster_scoring import rescore_all
from service.moderation.cluster_state import ClusterState
from service.moderation.usual import ALWAYS_US, usual_of
from service.moderation.what_if import Comparison, compare, held_targets, is_case, paired, targets_of, with_verdicts
from service.storage.cases import clusters
from service.storage.complaints.archive_reader import ids_by_key, totals_of
from workers.dry_run_windows import DAY_US, DryRunWindows

LISTED = 100  # cases and targets that are named in the result


def report(windows: DryRunWindows, connection: Connection) -> JsonObject:
    """The differences between the two runs, with names."""
    stored = {i: s for i, s in clusters.load(connection, windows.number).items() if s.disposition != "merged"}
    overlap = windows.now.policy.identity_overlap
    names, sides = [], []
    for side in (windows.now, windows.then):
        usual = usual_of(windows.verdicts.until(ALWAYS_US), side.states.values(), side.policy.prior_unfounded)
        final = rescore_all(side.states.values(), windows.outcomes, windows.watermark_us, side.policy, usual)
        mine = paired([s for s in final.values() if s.disposition != "merged"], stored.values(), overlap)
        names.append(mine)
        sides.append(with_verdicts(final, stored, mine))
    compared = compare(sides[0], sides[1], windows.watermark_us - windows.days * DAY_US, overlap)
    return {
        "days": windows.days,
        "until": moment(windows.watermark_us).isoformat(),
        "complaints": len(windows.rows),
        "policy_now": windows.now.policy.version,
        "policy_then": windows.then.policy.version,
        "seconds": round(windows.seconds, 1),
        **_cases(compared, *names),
        "holds": _holds(windows, connection, sides),
    }


def _holds(windows: DryRunWindows, connection: Connection, sides: Sequence[dict[str, ClusterState]]) -> JsonObject:
    """The effect on targets held at the tenant's threshold."""
    totals = totals_of(
        connection,
        windows.number,
        {
            t
            for side in sides
            for t in targets_of(s for s in side.values() if is_case(s) or s.disposition == "held_back")
        },
    )
    now, then = (
        held_targets(side, totals, policy.default_threshold)
        for side, policy in zip(sides, (windows.now.policy, windows.then.policy), strict=True)
    )
    _, names = ids_by_key(connection, windows.number, reporters=(), targets=now ^ then)

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


def _cases(compared: Comparison, names_now: Mapping[str, str], names_then: Mapping[str, str]) -> JsonObject:
    return {
        "cases": {
            "now": compared.now,
            "then": compared.then,
            "stay": compared.stay,
            "decided": compared.decided,
            "new_now": compared.new[0],
            "new_then": compared.new[1],
            "held_back_now": compared.held_back[0],
            "held_back_then": compared.held_back[1],
        },
        "comes_count": len(compared.comes),
        "goes_count": len(compared.goes),
        "comes": [_case(state, names_then) for state in compared.comes[:LISTED]],
        "goes": [{**_case(gone.state, names_now), "why": gone.why} for gone in compared.goes[:LISTED]],
    }


def _case(state: ClusterState, names: Mapping[str, str]) -> JsonObject:
    return {
        "cluster": names.get(state.id),
        "kind": state.kind,
        "score": round(state.score, 2),
        "accounts": len(state.members),
        "target_count": len(state.author_by_target),
        "summary": state.summary,
        "first_at": moment(state.first_us).isoformat(),
        "last_at": moment(state.last_us).isoformat(),
    }
