"""The documents of the contract, as far as a platform reads or writes them. Times are aware; naive ones are refused,
where they are not optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

FinalRecommendation = Literal["hold", "review", "none"]
Recommendation = Literal["wait", "hold", "review", "none"]
WhenUnreachable = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint of one reporter about one target. `id` is the idempotency key: sent again, it changes nothing.

    `part_of` is the id of another complaint by the same reporter, sent before or with this one, where one report names
    several targets: it counts for each of them, and is one act. Needs a service after version 0.2.
    Only the first four are needed. What helps most beyond them: `context` (article or thread), `account_created_at`,
    and `fingerprint`, a *keyed hash* of device or network, never an address itself.
    `url` and `excerpt`, `context_title` and `context_url` show moderators what it is about. The last two need a service
    after version 0.2.
    """

    id: str
    occurred_at: datetime
    reporter: str
    target: str
    account_created_at: datetime | None = None
    fingerprint: str | None = None
    trusted: bool = False
    kind: str | None = None
    author: str | None = None
    context: str | None = None
    url: str | None = None
    excerpt: str | None = None
    attributes: Mapping[str, str | int | float | bool] | None = None
    reason: str | None = None
    text: str | None = None
    notice_type: Literal["terms", "illegal_content"] | None = None
    part_of: str | None = None
    context_title: str | None = None
    context_url: str | None = None

    def document(self) -> dict[str, Any]:
        """As it is posted. Raises ValueError for an `occurred_at` without an offset.

        An `account_created_at` without one goes out as it is: to the service it is unknown, with a note.
        """
        created = self.account_created_at
        reporter = {
            "id": self.reporter,
            "account_created_at": None if created is None else created.isoformat(),
            "fingerprint": self.fingerprint,
            "trusted": self.trusted or None,
        }
        target = {
            "id": self.target,
            "kind": self.kind,
            "author_id": self.author,
            "context_id": self.context,
            "context_title": self.context_title,
            "context_url": self.context_url,
            "url": self.url,
            "excerpt": self.excerpt,
            "attributes": None if self.attributes is None else dict(self.attributes),
        }
        return _without_nulls(
            {
                "id": self.id,
                "occurred_at": time_text(self.occurred_at),
                "reporter": _without_nulls(reporter),
                "target": _without_nulls(target),
                "reason": self.reason,
                "text": self.text,
                "notice_type": self.notice_type,
                "part_of": self.part_of,
            }
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the platform decided about a target. Needs at least one of verdict, action and retracts.

    `decided_by` "automatic" is for removals by a count or a filter: they tell what is removed and teach nothing. Sent
    as a person's, they would tell brigadewatch that the brigade which caused them was right.
    `retracts` is the id of an earlier outcome about the same target that is taken back: it counts as if it had never
    been sent. `verdict` and `action`, if any, take its place. Needs a service after version 0.2.
    """

    id: str
    target: str
    decided_at: datetime
    verdict: Literal["upheld", "rejected"] | None = None
    action: Literal["removed", "kept", "restored"] | None = None
    decided_by: Literal["person", "automatic", "appeal"] = "person"
    complaint_id: str | None = None
    retracts: str | None = None

    def document(self) -> dict[str, Any]:
        """As it is posted. Raises ValueError for a time without an offset."""
        return _without_nulls(
            {
                "id": self.id,
                "target_id": self.target,
                "decided_at": time_text(self.decided_at),
                "verdict": self.verdict,
                "action": self.action,
                "decided_by": self.decided_by,
                "complaint_id": self.complaint_id,
                "retracts": self.retracts,
            }
        )


@dataclass(frozen=True, slots=True)
class ClusterOnTarget:
    """One cluster's part in the complaints about one target."""

    id: str
    complaints: int
    probability: float
    unfounded_probability: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """How many people complained about a target, and how many of them independently. `document` is the whole answer.

    `wait`: only complaints that are not analysed yet carry it over the threshold, or members of a known group are among
    them: leave the target up and ask again in `retry_after_ms` milliseconds. Only questions with `after` or `wait` are
    answered with it; others get `hold`. `unseen`: accepted complaints about it that are not analysed yet, at most; None
    from a service of version 0.2, which does not say. `trusted_notices`: of the complaints, notices of illegal content
    by trusted flaggers (DSA Art. 22), which have priority; None where the service does not say (yet).
    """

    target_id: str
    complaints: int
    independent_complaints: float
    coordinated_probability: float
    recommendation: Recommendation
    clusters: tuple[ClusterOnTarget, ...]
    without_clusters: Mapping[str, float]
    as_of: datetime
    pending: bool
    document: Mapping[str, Any] = field(repr=False, compare=False)
    unseen: int | None = None
    retry_after_ms: int | None = None
    trusted_notices: int | None = None

    @classmethod
    def read(cls, document: Any) -> Assessment:
        """From the service's answer; fields that this version does not know are left in `document`. Raises ValueError
        for anything else.
        """
        try:
            recommendation: Recommendation = document["recommendation"]
            if recommendation not in get_args(Recommendation):
                raise ValueError(f"recommendation {recommendation!r}")
            clusters = tuple(
                ClusterOnTarget(
                    str(c["id"]), int(c["complaints"]), float(c["probability"]), float(c["unfounded_probability"])
                )
                for c in document["clusters"]
            )
            return cls(
                target_id=str(document["target_id"]),
                complaints=int(document["complaints"]),
                independent_complaints=float(document["independent_complaints"]),
                coordinated_probability=float(document["coordinated_probability"]),
                recommendation=recommendation,
                clusters=clusters,
                without_clusters={str(k): float(v) for k, v in document["without_clusters"].items()},
                as_of=datetime.fromisoformat(document["as_of"]),
                pending=bool(document["pending"]),
                document=document,
                unseen=_count(document.get("unseen")),
                retry_after_ms=_count(document.get("retry_after_ms")),
                trusted_notices=_count(document.get("trusted_notices")),
            )
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise ValueError(f"the answer is not a valid assessment: {type(error).__name__}: {error}") from None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a target whose complaints reached the platform's threshold.

    `hold`: do not remove by count; a person looks first. `review`: remove as ever, and let a person look at the
    cluster. `none`: as ever. `reached` is False when brigadewatch gave no answer, or only said to wait until `patience`
    was over: then `recommendation` is what `when_unreachable` says, and `why` says what went wrong. `assessment` is the
    last one, None without an answer.

    `below` is for `report_and_ask`, which is asked at every complaint: as far as is known, the threshold is not reached
    yet, and there is nothing to remove.
    """

    target_id: str
    recommendation: FinalRecommendation
    reached: bool
    assessment: Assessment | None = None
    why: str = ""
    below: bool = False

    @property
    def remove(self) -> bool:
        """Whether the platform's own rule may go ahead."""
        return self.recommendation != "hold" and not self.below


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that was not taken. `index` is its place in what was given, from 0."""

    index: int
    id: str | None
    detail: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """An item that was taken although an optional field could not be used: it is unknown, or it was cut. `index` is the
    item's place in what was given, from 0.
    """

    index: int
    id: str | None
    detail: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the items sent.

    `rejected` and `notes` list at most 100 a batch each; a service of version 0.2 has no notes. `position` is that of
    the last item taken, None if none was: give it as `after` to have an answer that contains the items. `assessments`:
    of the targets, from `report_and_ask` alone; None where the items are stored and the service could not assess their
    targets.
    """

    accepted: int = 0
    rejected: tuple[Rejected, ...] = ()
    rejected_count: int = 0
    position: int | None = None
    assessments: tuple[Assessment, ...] | None = None
    notes: tuple[Noted, ...] = ()
    notes_count: int = 0

    def __add__(self, later: Receipt) -> Receipt:
        position = self.position if later.position is None else later.position
        if self.assessments is None:
            assessments = later.assessments
        else:
            assessments = self.assessments + (later.assessments or ())
        return Receipt(
            self.accepted + later.accepted,
            self.rejected + later.rejected,
            self.rejected_count + later.rejected_count,
            position,
            assessments,
            self.notes + later.notes,
            self.notes_count + later.notes_count,
        )


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of complaints, and what to do about their targets.

    `receipt` is None when brigadewatch did not answer: send the complaints again, their ids make it harmless. `advice`
    has one entry a target of the complaints that were taken, or of all of them without an answer.
    """

    receipt: Receipt | None
    advice: Mapping[str, Advice]

    @property
    def removable(self) -> tuple[str, ...]:
        """The targets that reached the threshold and may be removed."""
        return tuple(target_id for target_id, advice in self.advice.items() if advice.remove)


def time_text(value: datetime | None) -> str | None:
    """RFC 3339 with an offset. Raises ValueError for a time without one: whose noon it is cannot be guessed."""
    if value is None:
        return None
    if value.utcoffset() is None:
        raise ValueError(f"{value!r} has no offset: give an aware time, such as datetime.now(UTC)")
    return value.isoformat()


def _count(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r:.60} where a count is expected")
    return value


def _without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
