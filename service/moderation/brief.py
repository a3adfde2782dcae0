"""The brief on a target for a moderator who decides an appeal.

It is in plain words, with a fragment for a statement of reasons. PURE.

Art. 17 DSA: a statement of reasons says whether the decision was taken on a notice, and which automated means were used
to find the content and to decide. The fragment uses the terms of the Commission's transparency database where they
exist (SOURCE_*, AUTOMATED_DECISION_*). It states what this service knows from complaints and outcomes alone, and lists
what it does not know. Whether a platform may use it as it is, is a question for the platform's lawyers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from service.model import Action, DecidedBy, Decision, Disposition, Kind, Status, Verdict
from service.moderation.decisions import decision_sentence, standing_words
from service.moderation.outcomes import not_retracted
from service.moderation.restorations import RestorationState
from service.moderation.target_assessment import Assessment

AutomatedDecision = Literal[
    "AUTOMATED_DECISION_FULLY", "AUTOMATED_DECISION_PARTIALLY", "AUTOMATED_DECISION_NOT_AUTOMATED"
]
SourceType = Literal["SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER", "SOURCE_TYPE_OTHER_NOTIFICATION"]


_RANK = {"automatic": 0, "person": 1, "appeal": 2}
_UNINFORMED = (
    "A person has upheld the complaints, but not with knowledge of the group: nobody has decided since whether the"
    " removal stands."
)


@dataclass(frozen=True, slots=True)
class ComplaintFigures:
    """The archived complaints about the target."""

    standing: int = 0  # one a reporter
    repeats: int = 0
    withdrawn: int = 0
    machine: int = 0  # of another server or a filter
    illegal_content_notices: int = 0  # of the standing
    trusted: int = 0  # of the standing: by trusted flaggers
    trusted_notices: int = 0  # of the standing: notices by trusted flaggers, within area and time
    first_at: datetime | None = None  # of the standing
    last_at: datetime | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)  # the most frequent of the standing


@dataclass(frozen=True, slots=True)
class GroupOnTarget:
    """A cluster on the target, with moderators' decisions about it."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    summary: str
    verdict: str | None  # a person's, that stands
    decisions: Sequence[Decision] = ()


@dataclass(frozen=True, slots=True)
class ReceivedOutcome:
    """An outcome that the platform sent about the target, or about one complaint on it."""

    id: str
    decided_at: datetime
    received_at: datetime
    verdict: Verdict | None
    action: Action | None
    decided_by: DecidedBy
    complaint_id: str | None
    retracts: str | None = None


@dataclass(frozen=True, slots=True)
class TargetRestoration:
    """The target's restoration, if it has one."""

    state: RestorationState
    complaints: int
    independent_complaints: float
    threshold: int
    removed_at: datetime
    removed_by: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything in the archive about one target; empty for an unknown target."""

    figures: ComplaintFigures = ComplaintFigures()
    groups: Sequence[GroupOnTarget] = ()
    outcomes: Sequence[ReceivedOutcome] = ()  # in the order of their decisions, retracted ones too
    restoration: TargetRestoration | None = None

    @property
    def counting(self) -> list[ReceivedOutcome]:
        """The outcomes that none of the others retracts."""
        return not_retracted(self.outcomes)

    @property
    def verdict(self) -> Verdict | None:
        """What people found about the target as a whole; an appeal before a moderator."""
        found = [
            o for o in self.counting if o.decided_by != "automatic" and o.verdict is not None and not o.complaint_id
        ]
        last = max(found, key=lambda o: (_RANK[o.decided_by], o.decided_at, o.id), default=None)
        return None if last is None else last.verdict


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a statement of reasons can say about complaints and automation."""

    restriction: Literal["removed"] | None  # what stands by the latest action that was received
    decided_at: datetime | None
    decided_by: DecidedBy | None
    source_type: SourceType | None
    automated_detection: Literal["Yes", "No"] | None
    automated_decision: AutomatedDecision | None
    notices_of_illegal_content: int
    complaints: int
    independent_complaints: float
    discounted_complaints: float
    threshold: int
    crossed_by_complaints: bool
    crossed_by_independent: bool
    policy_version: str
    decision_facts: str


def sentences(assessment: Assessment, dossier: Dossier, threshold: int) -> list[str]:
    """The brief in plain words, most important first."""
    return [
        *_count(assessment, dossier.figures, threshold, dossier.verdict),
        *_groups(assessment, dossier.groups),
        *_notices(dossier.figures),
        *_outcomes(dossier),
        *_restoration(dossier.restoration, dossier.verdict),
    ]


def not_known(assessment: Assessment, dossier: Dossier) -> list[str]:
    """Questions that the brief does not answer."""
    beyond = ": it was not examined here" if dossier.verdict is None else ", beyond what people found about it"
    unknown = [f"Whether the content breaks a rule or a law{beyond}."]
    if not any(o.decided_by != "automatic" and o.verdict is not None for o in dossier.counting):
        unknown.append("Whether the complaints are justified: no moderator's verdict was received.")
    if dossier.figures.standing or dossier.groups:
        unknown.append("Whether the accounts that complained belong to different people.")
    if not any(o.action is not None for o in dossier.counting):
        unknown.append("Whether it was removed: no outcome with an action was received.")
    if any(group.verdict is None and group.disposition in ("flagged", "held_back") for group in dossier.groups):
        unknown.append("Whether a moderator agrees that the group is coordinated: so far that is an estimate.")
    if assessment.pending:
        unknown.append(f"Anything received after {_time(assessment.as_of)}: it is still being analysed.")
    return unknown


def fragment(assessment: Assessment, dossier: Dossier, threshold: int, policy_version: str) -> Fragment:
    """The machine-readable part."""
    outcomes = dossier.counting
    latest = _latest_action(outcomes)
    removed = latest is not None and latest.action == "removed"
    independent = assessment.independent_complaints
    discounted = round(assessment.complaints - independent, 6)
    facts = f"{_people(assessment.complaints)} complained; the independent count is {_number(independent)}."
    if discounted:
        facts += f" {_number(discounted)} were discounted as coordinated."
    facts += f" {_decided(latest)}"
    return Fragment(
        restriction="removed" if removed else None,
        decided_at=latest.decided_at if latest is not None and removed else None,
        decided_by=latest.decided_by if latest is not None and removed else None,
        source_type=_source(dossier.figures),
        automated_detection=_detection(dossier.figures),
        automated_decision=_automation(outcomes, latest) if latest is not None and removed else None,
        notices_of_illegal_content=dossier.figures.illegal_content_notices,
        complaints=assessment.complaints,
        independent_complaints=independent,
        discounted_complaints=discounted,
        threshold=threshold,
        crossed_by_complaints=assessment.complaints >= threshold,
        crossed_by_independent=independent >= threshold,
        policy_version=policy_version,
        decision_facts=facts,
    )


def _count(assessment: Assessment, figures: ComplaintFigures, threshold: int, verdict: Verdict | None) -> list[str]:
    n, independent = assessment.complaints, assessment.independent_complaints
    if not n:
        lines = ["There are no standing complaints about this target."]
    elif n == independent == 1:
        lines = ["1 person complained about this target."]
    elif independent == n:
        lines = [f"{_people(n)} complained about this target, independently of each other as far as we can tell."]
    else:
        lines = [
            (
                f"{_people(n)} complained about this target. A group that complains together counts as one person,"
                f" which leaves {_number(independent)} independent {'complaint' if independent == 1 else 'complaints'}."
            )
        ]
    if assessment.recommendation == "hold":
        whom = "having a moderator review it" if verdict is None else f"going by who has {verdict} the complaints"
        lines.append(
            f"It reaches the threshold of {threshold} only because of coordinated complaints. We recommend not removing"
            f" it by its count, and {whom}."
        )
    elif assessment.recommendation == "review":
        lines.append(
            f"Enough people complained independently to reach the threshold of {threshold}, but some of the"
            " complaints are from a flagged group: review it before you decide."
        )
    elif n >= threshold:
        lines.append(f"Enough people complained independently to reach the threshold of {threshold}.")
    elif n:
        lines.append(f"It does not reach the threshold of {threshold}.")
    if figures.withdrawn:
        lines.append(f"{_more(figures.withdrawn, 'complaint')} withdrawn and counted nowhere.")
    if figures.machine:
        lines.append(
            f"{_more(figures.machine, 'report')} sent by machines (another server or a filter) and counted nowhere."
        )
    return lines


def _groups(assessment: Assessment, groups: Sequence[GroupOnTarget]) -> list[str]:
    parts = {part.id: part for part in assessment.clusters}
    lines = []
    for group in groups:
        part = parts.get(group.id)
        whose = (
            f"{part.complaints} of the complaints are from group {group.id}"
            if part is not None
            else f"Group {group.id} is on this target"
        )
        lines.append(f"{whose} ({_standing(group)}): {group.summary}")
        lines += [decision_sentence(one, group.decisions, _time(one.at)) for one in group.decisions]
        if part is not None and assessment.without_clusters.get(group.id) is not None:
            lines.append(
                f"Without the discount for group {group.id}, {_number(assessment.without_clusters[group.id])}"
                " complaints would count."
            )
    return lines


def _standing(group: GroupOnTarget) -> str:
    if group.verdict is not None:
        return "a moderator decided: " + standing_words(group.decisions, group.verdict, group.id)
    return {
        "flagged": "flagged, no moderator has decided yet",
        "held_back": "held back by the day's quota of flags, no moderator has decided yet",
        "reliable": "coordinated, but moderators upheld its complaints: they count in full",
        "revoked": "no longer considered a group: its complaints count in full",
        "merged": "part of another group",
    }[group.disposition]


def _notices(figures: ComplaintFigures) -> list[str]:
    lines = []
    if figures.illegal_content_notices:
        lines.append(
            f"{figures.illegal_content_notices} of the complaints {_are(figures.illegal_content_notices)} a notice of"
            " illegal content: never discounted, and to be examined individually whatever the count."
        )
    if figures.trusted:
        lines.append(
            f"{figures.trusted} of the complaints {_are(figures.trusted)} by a trusted flagger: never discounted."
        )
    if figures.trusted_notices:
        lines.append(
            f"{figures.trusted_notices} of these {_are(figures.trusted_notices)} a notice of illegal content in the"
            " area of the flagger's status, to be decided with priority."
        )
    return lines


def _outcomes(dossier: Dossier) -> list[str]:
    lines, counting = [], dossier.counting
    for outcome in dossier.outcomes:
        judged = (
            "the complaints about it were"
            if outcome.complaint_id is None
            else f"complaint {outcome.complaint_id} alone was"
        )
        did = [
            word
            for word in (
                outcome.verdict and f"{judged} {outcome.verdict}",
                outcome.action and f"it was {outcome.action}",
                outcome.retracts and f"outcome {outcome.retracts} was taken back",
            )
            if word
        ]
        since = "" if outcome in counting else f" Outcome {outcome.id} was taken back and no longer counts."
        lines.append(f"{_time(outcome.decided_at)}, {_by(outcome.decided_by)}: {' and '.join(did)}.{since}")
    latest = _latest_action(counting)
    if (
        latest is not None
        and latest.action == "removed"
        and latest.decided_by == "automatic"
        and not _looked_at(counting, latest)
    ):
        lines.append("It was removed automatically, and as far as we know no moderator has reviewed it since.")
    return lines


def _restoration(restoration: TargetRestoration | None, verdict: Verdict | None) -> list[str]:
    if restoration is None:
        return []
    then = (
        f"When it was removed on {_time(restoration.removed_at)}, {restoration.complaints} complaints stood,"
        f" {_number(restoration.independent_complaints)} of them independent, at a threshold of"
        f" {restoration.threshold}."
    )
    state = {
        "open": _UNINFORMED if verdict == "upheld" else "Nobody has decided yet whether to restore it.",
        "restored": "It has been restored since.",
        "stands": "The removal has since been confirmed by a moderator or on appeal.",
    }[restoration.state]
    return [f"{then} {state}"]


def _latest_action(outcomes: Sequence[ReceivedOutcome]) -> ReceivedOutcome | None:
    acts = [o for o in outcomes if o.action is not None and o.complaint_id is None]
    return max(acts, key=lambda o: (o.decided_at, _RANK[o.decided_by], o.id), default=None)


def _looked_at(outcomes: Sequence[ReceivedOutcome], since: ReceivedOutcome) -> bool:
    return any(
        o.decided_by != "automatic"
        and (o.verdict is not None or o.action is not None)
        and o.complaint_id is None
        and o.decided_at >= since.decided_at
        for o in outcomes
    )


def _automation(outcomes: Sequence[ReceivedOutcome], latest: ReceivedOutcome) -> AutomatedDecision:
    """Of the removal that stands: by rule alone, by rule and confirmed by a person (or the other way round), or by a
    person.
    """
    if latest.decided_by == "automatic":
        return "AUTOMATED_DECISION_PARTIALLY" if _looked_at(outcomes, latest) else "AUTOMATED_DECISION_FULLY"
    helped = any(o.decided_by == "automatic" and o.action == "removed" and o.complaint_id is None for o in outcomes)
    return "AUTOMATED_DECISION_PARTIALLY" if helped else "AUTOMATED_DECISION_NOT_AUTOMATED"


def _source(figures: ComplaintFigures) -> SourceType | None:
    if figures.illegal_content_notices:
        return "SOURCE_TRUSTED_FLAGGER" if figures.trusted_notices else "SOURCE_ARTICLE_16"
    return "SOURCE_TYPE_OTHER_NOTIFICATION" if figures.standing else None


def _detection(figures: ComplaintFigures) -> Literal["Yes", "No"] | None:
    """Whether complaints alone led to the target: a platform's own filters are unknown here unless they report."""
    if figures.machine:
        return "Yes"
    return "No" if figures.standing else None


def _decided(latest: ReceivedOutcome | None) -> str:
    if latest is None or latest.action != "removed":
        return "As far as we know, it is not removed."
    return f"Removed {_by(latest.decided_by)} on {_time(latest.decided_at)}."


def _by(decided_by: str) -> str:
    return {"automatic": "automatically", "person": "by a moderator", "appeal": "on appeal"}[decided_by]


def _people(n: int) -> str:
    return "1 person" if n == 1 else f"{n} people"


def _more(n: int, noun: str) -> str:
    return f"1 more {noun} was" if n == 1 else f"{n} more {noun}s were"


def _are(n: int) -> str:
    return "is" if n == 1 else "are each"


def _number(x: float) -> str:
    return f"{round(x, 1):g}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
