"""Decisions about clusters: the state of a case follows from its decision log.

A decision outranks the detector, so its effect must be readable from the log alone: `standing(log)` folds the decisions
in force, and a decision is in force unless a later decision in force reverses it. Undoing an undo therefore restores
the original decision. Pure: `now`, the new id and the moderator's name are arguments. docs/decisions/020-decisions.md
explains why a reversal has a verdict of its own, and what it means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from service.errors import Refused, StaleVersion
from service.fields import is_storable
from service.model import Decision, DecisionRequest, Disposition, ReasonCode, Status
from service.moderation.cluster_state import StandingVerdict

# of a decision that was made
VERDICT_WORDS = {
    "coordinated": "coordinated",
    "not_coordinated": "not coordinated",
    "escalated": "escalated",
    "snoozed": "snoozed",
}
RIGHT_TOGETHER = "acting together, but right"  # the members are cleared, and the detector was not wrong
# clusters.revoked_because when a person, not the detector, revoked
DECIDED_NOT_COORDINATED = "decided: not coordinated"


class Unfit(Refused):
    """A field of the request does not fit this cluster; `pointer` (RFC 6901) says which."""

    def __init__(self, message: str, *, pointer: str) -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Case:
    """The fields of a cluster that a decision reads or changes."""

    id: str
    version: int
    changed_by: str
    disposition: Disposition
    status: Status
    verdict: StandingVerdict | None
    snooze_until: datetime | None
    revoked_at: datetime | None
    revoked_because: str | None
    merged_into: str | None  # the survivor at the end of the chain
    members: frozenset[str]  # all reporters ever added, including excluded ones
    excluded: frozenset[str]
    target_count: int
    decided_reporters: int | None  # sizes when the standing verdict was given: growth since then reopens
    decided_targets: int | None

    @property
    def reporter_count(self) -> int:
        """Members that are not excluded."""
        return len(self.members - self.excluded)


@dataclass(frozen=True, slots=True)
class Standing:
    """The state that a decision log results in."""

    status: Status = "open"
    verdict: StandingVerdict | None = None
    verdict_from: str | None = None  # id of the decision that gave the verdict
    snooze_until: datetime | None = None
    excluded: frozenset[str] = frozenset()


def in_force(log: Sequence[Decision]) -> list[Decision]:
    """The decisions of a log (oldest first) that no later decision in force reverses; order is kept."""
    reversed_ids: set[str] = set()
    kept: list[Decision] = []
    # Newest first: a reversal points to an earlier decision, so whether it is in force is known by then.
    for decision in reversed(log):
        if decision.id in reversed_ids:
            continue
        kept.append(decision)
        if decision.reverses is not None:
            reversed_ids.add(decision.reverses)
    return kept[::-1]


def standing(log: Sequence[Decision]) -> Standing:
    """The state after the whole log, oldest first; an empty log gives an open case without a verdict."""
    by_id = {decision.id: decision for decision in log}
    state = Standing()
    for decision in in_force(log):
        state = _after(state, decision, plain_undo=is_plain_undo(decision, by_id.get(decision.reverses or "")))
    return state


def reason_of_verdict(log: Sequence[Decision], verdict: str | None, cluster_id: str) -> ReasonCode | None:
    """The reason that was given for the verdict that stands for a cluster; None if nobody gave that verdict.

    `log` is the cluster's with those of clusters merged into it, oldest first. Of a reason that was undone nothing is
    left, and an undo has none of its own. Where several decisions give the verdict, as after a merge, the latest about
    the cluster itself counts, since a merged cluster keeps its own verdict.
    """
    by_id = {decision.id: decision for decision in log}
    given = [
        one for one in in_force(log) if one.verdict == verdict and not is_plain_undo(one, by_id.get(one.reverses or ""))
    ]
    own = [one for one in given if one.cluster_id == cluster_id]
    return next((one.reason_code for one in reversed(own or given)), None)


def is_right_together(verdict: str, reason: str | None) -> bool:
    """Whether a verdict says that the members act together and are right: their flag was not wrong."""
    return (verdict, reason) == ("not_coordinated", "patrol")


def verdict_words(verdict: str, reason: str | None) -> str:
    """What was decided, for people: who clears volunteers does not say that they do not act together."""
    if is_right_together(verdict, reason):
        return RIGHT_TOGETHER
    return VERDICT_WORDS.get(verdict, verdict.replace("_", " "))


def standing_words(log: Sequence[Decision], verdict: str | None, cluster_id: str) -> str:
    """The verdict that stands for a cluster, for people; empty without one. `log`: see reason_of_verdict."""
    return "" if verdict is None else verdict_words(verdict, reason_of_verdict(log, verdict, cluster_id))


def is_plain_undo(decision: Decision | DecisionRequest, undone: Decision | None) -> bool:
    """Whether a reversal is only an undo, without a verdict of its own.

    It is an undo if it repeats the verdict (and the snooze) of the decision that it reverses: nobody reverses
    "coordinated" in order to decide "coordinated". Any other verdict replaces the reversed one.
    """
    return undone is not None and (decision.verdict, decision.snooze_until) == (undone.verdict, undone.snooze_until)


def _after(state: Standing, decision: Decision, *, plain_undo: bool) -> Standing:
    state = replace(state, excluded=state.excluded | frozenset(decision.excluded_reporters))
    if plain_undo:
        return state
    if decision.verdict == "escalated":
        return replace(state, status="escalated", snooze_until=None)
    if decision.verdict == "snoozed":
        return replace(state, status="snoozed", snooze_until=decision.snooze_until)
    return replace(state, status="decided", verdict=decision.verdict, verdict_from=decision.id, snooze_until=None)


def effective_status(status: Status, snooze_until: datetime | None, now: datetime) -> Status:
    """The status as people see it: a case whose snooze has ended is open."""
    if status == "snoozed" and (snooze_until is None or snooze_until <= now):
        return "open"
    return status


def decide(
    case: Case, log: Sequence[Decision], request: DecisionRequest, *, decision_id: str, by: str, now: datetime
) -> tuple[Case, Decision]:
    """The case after the request, and the entry for its log.

    `log` is the cluster's log, oldest first, including those of clusters merged into it. Raises Refused for a merged
    cluster, StaleVersion if the case has changed meanwhile, Unfit for an invalid field.
    """
    if case.disposition == "merged":
        raise Refused(f"cluster {case.id} was merged into {case.merged_into}: decide on {case.merged_into}")
    if request.version != case.version:
        raise StaleVersion(
            f"cluster {case.id} is at version {case.version}, changed by {case.changed_by}; the decision was made on"
            f" version {request.version}: read it again",
            current_version=case.version,
            changed_by=case.changed_by,
        )
    undone = _undone(case, log, request)
    _check_fields(case, request, undone, now)
    entry = Decision(
        id=decision_id,
        cluster_id=case.id,
        at=now,
        by=by,
        verdict=request.verdict,
        reason_code=request.reason_code,
        note=request.note,
        excluded_reporters=sorted(set(request.excluded_reporters)),
        snooze_until=request.snooze_until,
        reverses=request.reverses,
        version=request.version,
    )
    if undone is None:
        # Not the fold: the detector may have reopened the case (growth, conflicting merge) without a log entry.
        before = Standing(
            status=case.status, verdict=case.verdict, snooze_until=case.snooze_until, excluded=case.excluded
        )
        return (
            _with(
                case,
                _after(before, entry, plain_undo=False),
                verdict_is_new=entry.verdict in ("coordinated", "not_coordinated"),
                by=by,
                now=now,
            ),
            entry,
        )
    before, after = standing(log), standing([*log, entry])
    return _with(case, after, verdict_is_new=after.verdict_from != before.verdict_from, by=by, now=now), entry


def _undone(case: Case, log: Sequence[Decision], request: DecisionRequest) -> Decision | None:
    if request.reverses is None:
        return None
    if not any(decision.id == request.reverses for decision in log):
        raise Unfit(
            f"cluster {case.id} has no decision {request.reverses}: its log is at /v1/clusters/{case.id}/decisions",
            pointer="/reverses",
        )
    for decision in in_force(log):
        if decision.id == request.reverses:
            return decision
    raise Unfit(
        f"decision {request.reverses} is reversed already: reverse the reversal to bring it back", pointer="/reverses"
    )


def _check_fields(case: Case, request: DecisionRequest, undone: Decision | None, now: datetime) -> None:
    if request.note is not None and not is_storable(request.note):
        raise Unfit("the note contains a NUL character, which not every database can store", pointer="/note")
    for index, reporter in enumerate(request.excluded_reporters):
        if reporter not in case.members:
            raise Unfit(
                f"{reporter!r} is not a member of cluster {case.id}: only its reporters can be excluded",
                pointer=f"/excluded_reporters/{index}",
            )
    # Undoing a snooze repeats its end, which may have passed meanwhile.
    if request.snooze_until is not None and request.snooze_until <= now and not is_plain_undo(request, undone):
        raise Unfit(
            f"snooze_until is {request.snooze_until.isoformat()}; it must be later than now ({now.isoformat()})",
            pointer="/snooze_until",
        )


def _with(case: Case, after: Standing, *, verdict_is_new: bool, by: str, now: datetime) -> Case:
    case = replace(
        case,
        status=after.status,
        verdict=after.verdict,
        snooze_until=after.snooze_until,
        excluded=after.excluded & case.members,
        version=case.version + 1,
        changed_by=by,
    )
    if case.verdict is None:
        case = replace(case, decided_reporters=None, decided_targets=None)
    elif verdict_is_new:
        case = replace(case, decided_reporters=case.reporter_count, decided_targets=case.target_count)
    return _disposed(case, now)


def _disposed(case: Case, now: datetime) -> Case:
    """Apply the standing verdict to the disposition; without one, only a moderator's revocation is undone."""
    if case.verdict == "not_coordinated":
        # possibly revoked by the detector: keep its reason, so that an undo does not flag the cluster again
        if case.disposition == "revoked":
            return case
        return replace(case, disposition="revoked", revoked_at=now, revoked_because=DECIDED_NOT_COORDINATED)
    if case.verdict == "coordinated" or (
        case.disposition == "revoked" and case.revoked_because == DECIDED_NOT_COORDINATED
    ):
        return replace(case, disposition="flagged", revoked_at=None, revoked_because=None)
    return case


def decision_sentence(decision: Decision, log: Sequence[Decision], when: str) -> str:
    """A decision about a group in a sentence; what only undoes another has no verdict and no reason of its own."""
    undone = next((one for one in log if one.id == decision.reverses), None)
    if is_plain_undo(decision, undone):
        return f"{decision.by} undid decision {decision.reverses} about this group on {when}."
    reversing = f", reversing decision {decision.reverses}" if decision.reverses else ""
    return (
        f"{decision.by} decided about this group on {when}:"
        f" {verdict_words(decision.verdict, decision.reason_code)} ({decision.reason_code}){reversing}."
    )
