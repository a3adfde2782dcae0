"""The nouns: what platforms send, what detection finds, what moderators decide.

Everything here is frozen, holds aware UTC times and knows no I/O. Names and descriptions of the fields are public: the
OpenAPI document shows them. A model that is accepted from outside forbids unknown fields.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.fields import (
    CUT,
    REASON_CHARACTERS,
    TITLE_CHARACTERS,
    UNKNOWN,
    Attributes,
    Id,
    LongText,
    Time,
    Whole,
    otherwise,
)

JsonObject = dict[str, Any]


class Frozen(BaseModel):
    """Immutable, strict about types, closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


NoticeType = Literal["terms", "illegal_content"]


class Reporter(Frozen):
    """The account that complains."""

    id: Id = Field(description="The platform's id of the account.")
    account_created_at: Time | None = Field(
        None,
        description=(
            "When the account was created. Null or absent: unknown, as is a time before 1971 or later than the"
            " complaint. Young accounts count as evidence."
        ),
        json_schema_extra=UNKNOWN,
    )
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = Field(
        None,
        description="Opaque keyed hash of the device or network, never a raw address. Null or absent: unknown.",
        json_schema_extra=UNKNOWN,
    )
    trusted: bool = Field(
        False,
        description="True: by a trusted flagger; always counts in full. An entry in the tenant's registry outranks it.",
        json_schema_extra=otherwise("false"),
    )


class Target(Frozen):
    """The content that is complained about."""

    id: Id = Field(description="The platform's id of the content.")
    kind: Annotated[str, StringConstraints(min_length=1, max_length=REASON_CHARACTERS)] | None = Field(
        None,
        description="What sort of content it is, in the platform's own words, such as `comment`.",
        json_schema_extra=CUT,
    )
    author_id: Id | None = Field(
        None, description="The platform's id of the author's account. Null: unknown.", json_schema_extra=UNKNOWN
    )
    context_id: Id | None = Field(
        None,
        description=(
            "The article or thread that the target belongs to. Readers of one article are expected to complain about"
            " the same targets, so sending it prevents false alarms. Null: unknown."
        ),
        json_schema_extra=UNKNOWN,
    )
    context_title: Annotated[str, StringConstraints(max_length=TITLE_CHARACTERS)] | None = Field(
        None, description="Title of the article or thread. Shown, never compared.", json_schema_extra=CUT
    )
    context_url: LongText | None = Field(
        None, description="Address of the article or thread. Shown, never requested.", json_schema_extra=UNKNOWN
    )
    url: LongText | None = Field(
        None, description="Where a moderator can see the target. Shown, never requested.", json_schema_extra=UNKNOWN
    )
    excerpt: LongText | None = Field(
        None, description="The beginning of the target's text, shown to moderators.", json_schema_extra=CUT
    )
    attributes: Attributes | None = Field(
        None,
        description=(
            "Up to 32 further properties: text, numbers or booleans by name, such as `is_reply`. Used to describe what"
            " a group's targets have in common. Of more, the first 32 by name are kept; null, lists, objects and texts"
            " of more than 1,024 characters are left out."
        ),
        json_schema_extra=otherwise("what can be used of it is kept, the rest is left out"),
    )


class Complaint(Frozen):
    """One complaint by one reporter about one target."""

    id: Id = Field(
        description="Idempotency key, unique within the tenant: sending the same complaint again changes nothing."
    )
    occurred_at: Time = Field(
        description="When the reporter complained, in RFC 3339 with an offset; at most five minutes in the future."
    )
    reporter: Reporter = Field(description="Who complains.")
    target: Target = Field(description="What the complaint is about.")
    reason: Annotated[str, StringConstraints(max_length=REASON_CHARACTERS)] | None = Field(
        None,
        description="The reason that the reporter picked, in the platform's own words. Null: none.",
        json_schema_extra=CUT,
    )
    text: LongText | None = Field(
        None,
        description=(
            "What the reporter wrote. Only a signature of it is kept, unless the tenant keeps texts. Null: nothing."
        ),
        json_schema_extra=CUT,
    )
    notice_type: NoticeType | None = Field(
        None,
        description=(
            "`terms`: the reporter claims a breach of the platform's rules. `illegal_content`: a notice of illegal"
            " content (DSA Art. 16), which always counts in full. Null: unknown."
        ),
        json_schema_extra=UNKNOWN,
    )
    part_of: Id | None = Field(
        None,
        description=(
            "The id of another complaint by the same reporter, sent before or with this one, if one report named both"
            " targets. This one counts for its target, but is not compared with others' complaints, and a verdict on it"
            " does not judge the reporter a second time. Null, or no such complaint: an act of its own."
        ),
        json_schema_extra=UNKNOWN,
    )


Verdict = Literal["upheld", "rejected"]
Action = Literal["removed", "kept", "restored"]
DecidedBy = Literal["person", "automatic", "appeal"]


class Outcome(Frozen):
    """What the platform decided about a target or, with `complaint_id`, about one complaint. At least one of `verdict`,
    `action` and `retracts` is required.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("verdict", "action", "retracts")
            ]
        }
    )

    id: Id = Field(description="Idempotency key, unique within the tenant.")
    target_id: Id = Field(description="The target that was decided on.")
    decided_at: Time = Field(description="When it was decided, in RFC 3339 with an offset.")
    verdict: Verdict | None = Field(
        None,
        description="`upheld`: the complaints were right. `rejected`: they were wrong. Null: not judged.",
    )
    action: Action | None = Field(
        None, description="What happened to the target: `removed`, `kept` or `restored`. Null: nothing, or unknown."
    )
    decided_by: DecidedBy = Field(
        "person",
        description=(
            "`person`: a moderator. `automatic`: a threshold or a filter; it says what was removed, but never counts"
            " as a judgement. `appeal`: a decision on appeal."
        ),
    )
    complaint_id: Id | None = Field(
        None, description="The only complaint that was decided on. Null: all complaints about the target up to then."
    )
    retracts: Id | None = Field(
        None,
        description=(
            "The id of another outcome about the same target that the platform takes back: it counts as if it had never"
            " been sent, in whichever order the two arrive. `verdict` and `action`, if any, take its place. Without"
            " effect if there is no such outcome about this target. A retraction cannot be taken back, only its verdict"
            " and action can. Null: nothing is taken back."
        ),
    )

    @model_validator(mode="after")
    def _says_something(self) -> Outcome:
        if self.verdict is None and self.action is None and self.retracts is None:
            raise ValueError("an outcome needs at least one of verdict, action and retracts")
        if self.retracts == self.id:
            raise ValueError("retracts must be the id of another outcome, not this outcome's own id")
        return self


Kind = Literal["repeat", "one_shot"]
Disposition = Literal["flagged", "reliable", "revoked", "merged", "held_back"]
Status = Literal["open", "escalated", "snoozed", "decided"]
DecisionVerdict = Literal["coordinated", "not_coordinated", "escalated", "snoozed"]
ReasonCode = Literal["brigade", "patrol", "outrage", "duplicate", "other"]


class Evidence(Frozen):
    """One signal of a cluster: what was measured, what is usual, and what it adds to its question."""

    signal: str = Field(description="Name of the signal, such as `lockstep`.")
    value: float = Field(description="What was measured, in the signal's own unit.")
    usual: float = Field(description="What would be expected without coordination, in the same unit.")
    p_value: float | None = Field(
        None, description="Probability of at least this value by chance, 0 to 1. Null: the signal has no such test."
    )
    contribution: float = Field(
        description="What the signal adds to its question's answer, in log-odds; 0 for signals that are only shown."
    )
    text: str = Field(description="The signal as a sentence for people.")


class ClusterItem(Frozen):
    """A cluster in a list: everything except its reporters and targets."""

    id: str = Field(description="The cluster's id; it stays the same while the cluster grows.")
    kind: Kind = Field(
        description="`repeat`: the same accounts on many targets. `one_shot`: many accounts on one target."
    )
    disposition: Disposition = Field(
        description=(
            "`flagged`: shown to moderators. `reliable`: its complaints have proved right, so they count in full."
            " `revoked`: no longer supported by the data. `merged`: part of the cluster in `merged_into`."
            " `held_back`: beyond the tenant's daily quota of flags."
        )
    )
    status: Status = Field(
        description=(
            "`open`: waiting for a moderator. `escalated`: waiting for a colleague. `snoozed`: put off until a set"
            " time. `decided`: a person has decided."
        )
    )
    coordination_score: float = Field(
        description="Log-odds (natural logarithm) that the accounts are coordinated. `flag_score` is its bound."
    )
    score: float = Field(
        description=(
            "Priority: `coordination_score` plus the log-odds that the complaints are unfounded, the sum of all"
            " contributions. Lists are sorted by it; nothing is flagged by it."
        )
    )
    probability: float = Field(
        ge=0, le=1, description="Probability that the accounts are coordinated. Outcomes do not enter into it."
    )
    unfounded_probability: float = Field(
        ge=0, le=1, description="Probability that the members' complaints are unfounded, given the outcomes so far."
    )
    settle_with: list[str] = Field(
        default_factory=list,
        description="Targets to judge first: their outcomes would settle soonest whether the complaints are unfounded.",
    )
    first_at: datetime = Field(description="Time of the earliest complaint in the cluster.")
    last_at: datetime = Field(description="Time of the latest complaint in the cluster.")
    reporter_count: int = Field(description="Number of member accounts.")
    tags: list[str] = Field(default_factory=list, description="Words that moderators put on the case.")
    target_count: int = Field(description="Number of targets.")
    summary: str = Field(description="One sentence for people: who did what, and why it is unusual.")
    evidence: list[Evidence] = Field(description="The signals that make up both scores.")
    policy_version: str = Field(description="Version of the thresholds that the cluster was scored with.")
    version: int = Field(description="Increases with every change. Send it with a decision.")
    merged_into: str | None = Field(None, description="Id of the cluster that this one was merged into. Null: none.")
    split_from: str | None = Field(None, description="Id of the cluster that this one was split from. Null: none.")
    earlier: str | None = Field(
        None, description="Id of an earlier cluster of mostly the same accounts. Null: none is known."
    )
    revoked_at: datetime | None = Field(None, description="When it was revoked. Null: it was not.")
    revoked_because: str | None = Field(None, description="Why it was revoked, for people. Null: it was not.")
    campaign: str | None = Field(None, description="Id of the campaign that it is part of. Null: it is part of none.")


class Cluster(ClusterItem):
    """A group of reporters that complain together, with its reporters and targets."""

    reporters: list[str] = Field(description="Ids of the member accounts (pseudonyms if the tenant uses them).")
    targets: list[str] = Field(description="Ids of the targets.")


class DecisionRequest(Frozen):
    """A moderator's decision on a cluster."""

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

    verdict: DecisionVerdict = Field(
        description=(
            "`coordinated`: the members' complaints count as one. `not_coordinated`: each of them counts again."
            " `escalated`: a colleague should look. `snoozed`: back in the queue at `snooze_until`."
        )
    )
    reason_code: ReasonCode = Field(
        description=(
            "`brigade`: a campaign. `patrol`: volunteers who keep watch. `outrage`: many people, each on their own."
            " `duplicate`: already handled elsewhere. `other`."
        )
    )
    note: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        None, description="A comment for colleagues, kept in the log. Null: none."
    )
    excluded_reporters: Annotated[list[Id], Field(max_length=10_000)] = Field(
        default_factory=list,
        description="Members that do not belong to the group. They stay out until the decision is reversed.",
    )
    snooze_until: Time | None = Field(
        None, description="When the cluster returns to the queue. Required for `snoozed`, and only allowed there."
    )
    reverses: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None,
        description=(
            "Id of the decision to reverse. With that decision's own verdict it is only taken back; with another"
            " verdict it is replaced."
        ),
    )
    version: Annotated[int, Field(ge=0, le=2**53), Whole] = Field(
        description="The cluster's `version` that the moderator saw; 409 if the cluster has changed since."
    )

    @model_validator(mode="after")
    def _snooze_has_an_end(self) -> DecisionRequest:
        if (self.verdict == "snoozed") != (self.snooze_until is not None):
            raise ValueError("snooze_until is required with the verdict snoozed, and not allowed with any other")
        return self


class Decision(Frozen):
    """One entry of a cluster's decision log. Entries are never changed."""

    id: str = Field(description="The decision's id.")
    cluster_id: str = Field(description="The cluster that was decided on, which may have been merged since.")
    at: datetime = Field(description="When it was decided.")
    by: str = Field(description="Name of the key or the user that decided.")
    verdict: DecisionVerdict = Field(description="What was decided; see DecisionRequest.")
    reason_code: ReasonCode = Field(description="Why; see DecisionRequest.")
    note: str | None = Field(None, description="A comment for colleagues. Null: none.")
    excluded_reporters: list[str] = Field(default_factory=list, description="Members that this decision took out.")
    snooze_until: datetime | None = Field(None, description="Until when it was snoozed. Null: it was not.")
    reverses: str | None = Field(None, description="Id of the decision that this one reverses. Null: none.")
    version: int = Field(description="The cluster's version that the decision was based on.")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE = "Line of the NDJSON document or place in the array, from 1. Null: a single object."


class RejectedItem(Frozen):
    """Why one item of a request was refused."""

    line: int | None = Field(None, description=_LINE)
    id: str | None = Field(None, description="The item's id. Null: it could not be read.")
    detail: str = Field(description="What is wrong, for people.")
    pointer: str = Field(description="JSON pointer to the field, relative to the item; empty: the item as a whole.")


class ItemNote(Frozen):
    """What could not be used of one item that was accepted: an optional field is unknown, or cut."""

    line: int | None = Field(None, description=_LINE)
    id: str | None = Field(None, description="The item's id.")
    detail: str = Field(description="What became of the field and why, for people.")
    pointer: str = Field(description="JSON pointer to the field, relative to the item.")


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 of an aware time; exact, unlike `timestamp()`."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment(us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)
