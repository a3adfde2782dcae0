"""The nouns: what platforms send, what detection finds, what moderators decide.

Everything here is frozen, holds aware UTC times and knows no I/O. The field names are the
contract's; a model that is accepted from outside forbids unknown fields.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

# C0, DEL, C1 and lone surrogates: never part of an id (they break logs, terminals and UTF-8).
_FORBIDDEN_IN_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)  # a day inside datetime's range: conversions to UTC cannot overflow
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def _checked_id(value: str) -> str:
    if _FORBIDDEN_IN_ID.search(value):
        raise ValueError("an id holds no control characters and no surrogates")
    return value


def _time(value: object) -> datetime:
    """RFC 3339 text, or an aware datetime, to UTC. One call for both, since it runs for every complaint."""
    if isinstance(value, str) and _RFC3339.match(value):
        text = value.upper()
        try:
            value = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text[:40]!r} is no time of the calendar: {error}") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("a time is RFC 3339 with an offset, like 2021-12-23T14:02:11Z")
    # Compared before converting: at the ends of the calendar the conversion itself overflows.
    if value.replace(tzinfo=UTC) < EARLIEST or value.replace(tzinfo=UTC) > LATEST:
        raise ValueError(f"a time lies between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}")
    return value.astimezone(UTC)


ID_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"  # for the OpenAPI document; JSON has no lone surrogates
Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, strict=True),
    AfterValidator(_checked_id),
    Field(json_schema_extra={"pattern": ID_PATTERN}),
]
Time = Annotated[datetime, BeforeValidator(_time)]
# of an integer: 8.0 is one in JSON
Whole = BeforeValidator(lambda value: int(value) if isinstance(value, float) and value.is_integer() else value)
Attribute = (
    Annotated[str, StringConstraints(max_length=1024, strict=True)]
    | Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
)


class Frozen(BaseModel):
    """Immutable, strict about types, closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Reporter(Frozen):
    """Who complains."""

    id: Id
    account_created_at: Time | None = None
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = Field(
        None, description="opaque keyed hash of device or network, never a raw address"
    )
    trusted: bool = Field(False, description="trusted flagger: shown, never discounted")


class Target(Frozen):
    """What is complained about."""

    id: Id
    kind: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    author_id: Id | None = None
    context_id: Id | None = Field(None, description="thread or article that the target belongs to")
    url: Annotated[str, StringConstraints(max_length=4096)] | None = None
    excerpt: Annotated[str, StringConstraints(max_length=4096)] | None = None
    attributes: (
        Annotated[
            dict[Annotated[str, StringConstraints(min_length=1, max_length=128)], Attribute], Field(max_length=32)
        ]
        | None
    ) = None


class Complaint(Frozen):
    """One complaint of one reporter about one target. `id` is the idempotency key of its tenant."""

    id: Id
    occurred_at: Time
    reporter: Reporter
    target: Target
    reason: Annotated[str, StringConstraints(max_length=64)] | None = None
    text: Annotated[str, StringConstraints(max_length=4096)] | None = None
    notice_type: Literal["terms", "illegal_content"] | None = None


Verdict = Literal["upheld", "rejected"]
Action = Literal["removed", "kept", "restored"]
DecidedBy = Literal["person", "automatic", "appeal"]


class Outcome(Frozen):
    """What the platform decided about a target (or, with `complaint_id`, about one complaint)."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("verdict", "action")]
        }
    )

    id: Id
    target_id: Id
    decided_at: Time
    verdict: Verdict | None = None
    action: Action | None = None
    decided_by: DecidedBy = "person"
    complaint_id: Id | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Outcome:
        if self.verdict is None and self.action is None:
            raise ValueError("an outcome needs a verdict, an action or both")
        return self


Kind = Literal["repeat", "one_shot"]
Disposition = Literal["flagged", "reliable", "revoked", "merged", "held_back"]
Status = Literal["open", "escalated", "snoozed", "decided"]
DecisionVerdict = Literal["coordinated", "not_coordinated", "escalated", "snoozed"]
ReasonCode = Literal["brigade", "patrol", "outrage", "duplicate", "other"]


class Evidence(Frozen):
    """One signal of a cluster: what was measured, what is usual, and what it added to the score."""

    signal: str
    value: float
    usual: float
    p_value: float | None = None
    contribution: float = Field(description="what the signal adds to the score; 0 for what is only shown")
    text: str


class ClusterItem(Frozen):
    """A cluster in a list: everything but the id lists."""

    id: str
    kind: Kind
    disposition: Disposition
    status: Status
    score: float
    probability: float = Field(ge=0, le=1, description="of coordination; outcomes are not in it")
    unfounded_probability: float = Field(ge=0, le=1)
    settle_with: list[str] = Field(
        default_factory=list, description="targets whose judgement would settle the question soonest"
    )
    first_at: datetime
    last_at: datetime
    reporter_count: int
    target_count: int
    summary: str
    evidence: list[Evidence]
    policy_version: str
    version: int
    merged_into: str | None = None
    split_from: str | None = None
    earlier: str | None = None
    revoked_at: datetime | None = None
    revoked_because: str | None = None


class Cluster(ClusterItem):
    """A group of reporters that complain together, with its members."""

    reporters: list[str]
    targets: list[str]


class ClusterOnTarget(Frozen):
    """One cluster's part in the complaints about one target."""

    id: str
    complaints: int
    probability: float
    unfounded_probability: float


Recommendation = Literal["hold", "review", "none"]


class Assessment(Frozen):
    """The answer to the question before a removal."""

    target_id: str
    complaints: int
    independent_complaints: float
    coordinated_probability: float
    recommendation: Recommendation
    clusters: list[ClusterOnTarget]
    without_clusters: dict[str, float]
    as_of: datetime
    pending: bool


class DecisionRequest(Frozen):
    """What a moderator posts about a cluster."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["snooze_until"],
                    "properties": {"verdict": {"const": "snoozed"}, "snooze_until": {"type": "string"}},
                },
                {
                    "properties": {
                        "verdict": {"enum": ["coordinated", "not_coordinated", "escalated"]},
                        "snooze_until": {"type": "null"},
                    }
                },
            ]
        }
    )

    verdict: DecisionVerdict
    reason_code: ReasonCode
    note: Annotated[str, StringConstraints(max_length=4096)] | None = None
    excluded_reporters: Annotated[list[Id], Field(max_length=10_000)] = Field(default_factory=list)
    snooze_until: Time | None = None
    reverses: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    version: Annotated[int, Field(ge=0, le=2**53), Whole]

    @model_validator(mode="after")
    def _snooze_has_an_end(self) -> DecisionRequest:
        if (self.verdict == "snoozed") != (self.snooze_until is not None):
            raise ValueError("snooze_until is required for the verdict snoozed, and only for it")
        return self


class Decision(Frozen):
    """One entry of a cluster's decision log; nothing is ever changed in it."""

    id: str
    cluster_id: str
    at: datetime
    by: str
    verdict: DecisionVerdict
    reason_code: ReasonCode
    note: str | None = None
    excluded_reporters: list[str] = Field(default_factory=list)
    snooze_until: datetime | None = None
    reverses: str | None = None
    version: int = Field(description="the cluster's version that the decision was made on")


class RejectedItem(Frozen):
    """Why one line or item of a batch was refused."""

    line: int | None = None
    id: str | None = None
    detail: str
    pointer: str


class Accepted(Frozen):
    """The answer to a batch."""

    accepted: int
    rejected: list[RejectedItem]
    rejected_count: int
    position: int


class Pipeline(Frozen):
    """Where the tenant's items are; counters are monotonic and in items."""

    accepted: int
    archived: int
    duplicates: int
    conflicting: int
    late: int
    analysed: int
    pending: int
    dead_letters: int
    analysed_position: int
    swept_position: int
    lag_seconds: float
    watermark: datetime | None


class Problem(BaseModel):
    """RFC 9457 problem+json."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[RejectedItem] = Field(default_factory=list)
    rejected_count: int | None = None
    request_id: str | None = Field(
        None, description="names this request in the service's logs; the same as the header X-Request-ID"
    )


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 of an aware time; exact, unlike `timestamp()`."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment(us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


JsonObject = dict[str, Any]
