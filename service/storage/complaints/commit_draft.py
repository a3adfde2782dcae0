"""Decide what one ingest commit will write. Pure: the caller looks up what is archived.

The first content of an id wins. A reporter counts once per target, with the earliest standing complaint (ties: the
smaller id) that is an act of its own, or else the earliest that is part of another act. A withdrawn complaint never
counts again. A platform may use its id again (SQLite hands out row ids of deleted rows a second time): one by another
reporter, or about another target, is another complaint. It takes the id, and the withdrawn one goes on under an id that
no platform can have. What is kept of that (`complaint_mark`) recognises the withdrawn one when it is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic_core import from_json

from service.intake.privacy_filter import PrivacyFilter
from service.model import JsonObject, microseconds
from service.policy import Policy
from service.storage.sql.hashing import cached_key_of
from service.storage.sql.schema import MACHINE, REPEAT, STANDING, WITHDRAWN

log = logging.getLogger(__name__)

Item = tuple[str, JsonObject, str, int]  # kind letter, body, canonical content, received_us
Pair = tuple[int, int]  # keys of a target and a reporter

DISPLACED = "\x1f"  # what an id of ours begins with, where a platform's would stand

_UNSETTLED = -1  # state of a new complaint before it is compared with the reporter's others on the target


@dataclass(slots=True, eq=False)
class ComplaintRow:
    """A new complaint, or an archived one that this commit touches."""

    seq: int
    id: str
    occurred_us: int
    received_us: int
    reporter: int  # key
    target: int  # key
    state: int
    late: bool
    content: str
    body: JsonObject | None  # parsed content; None: not read so far
    act: int | None = None  # seq of the complaint whose act it is part of; None: an act of its own

    @property
    def order(self) -> tuple[bool, int, str]:
        """The smallest counts: an act of its own first, since detection sees no other."""
        return self.act is not None, self.occurred_us, self.id

    def parsed(self) -> JsonObject:
        """Its content, of one that was looked up by its id."""
        return from_json(self.content) if self.body is None else self.body


@dataclass(slots=True)
class CommitDraft:
    """Everything that a commit will write."""

    tenant_id: int
    policy: Policy
    privacy_filter: PrivacyFilter
    seq: int
    watermark_us: int | None
    position: int
    entry: str
    received_us: int | None
    oldest_received_us: int | None = None
    archived: int = 0
    duplicates: int = 0
    conflicting: int = 0
    late: int = 0
    complaints: dict[str, ComplaintRow] = field(default_factory=dict)  # new, by id
    withdrawals: dict[str, tuple[int, int]] = field(default_factory=dict)  # seq and received, by complaint's id
    displaced: list[tuple[str, str, int]] = field(default_factory=list)  # new id, id, seq of archived complaints
    # new, by id: seq, received, body, content
    outcomes: dict[str, tuple[int, int, JsonObject, str]] = field(default_factory=dict)
    withdrawn: list[ComplaintRow] = field(default_factory=list)  # archived ones that counted, or were repeats
    changes: list[tuple[int, int]] = field(default_factory=list)  # (new state, seq) of archived complaints
    fed: list[ComplaintRow] = field(default_factory=list)  # complaints to feed to detection
    listed: list[ComplaintRow] = field(default_factory=list)  # those that are part of another's act
    removed: list[ComplaintRow] = field(default_factory=list)  # complaints that detection must drop
    gains: dict[int, int] = field(default_factory=dict)  # change in standing complaints, by target key
    totals: list[tuple[int, int]] = field(default_factory=list)  # (target key, standing complaints)


@dataclass(frozen=True, slots=True)
class ArchivedItems:
    """What the archive already holds of the ids in a commit. Updated while the items are added."""

    complaints: dict[str, ComplaintRow]
    withdrawn: set[str]  # ids that are withdrawn, whether or not their complaint has come
    outcomes: dict[str, str]  # content by id
    # ids that were withdrawn at any time, and the marks of complaints that gave their id up
    tombstones: set[str] = field(default_factory=set)
    # the complaints that others are part of, by id: (seq of the act, reporter)
    acts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def holds(self, item: Item, privacy_filter: PrivacyFilter) -> bool:
        """Whether the item was archived before."""
        kind, body, _, _ = item
        if kind == "o":
            return body["id"] in self.outcomes
        if kind == "w":
            return body["id"] in self.tombstones
        first = self.complaints.get(body["id"])
        return first is not None and not self.is_another(privacy_filter, first, body)

    def is_another(self, privacy_filter: PrivacyFilter, first: ComplaintRow, body: JsonObject) -> bool:
        """Whether this is another complaint than the withdrawn one under the same id, and than those before it."""
        if body["id"] not in self.withdrawn:
            return False
        mark = privacy_filter.complaint_mark(body)
        return mark != privacy_filter.complaint_mark(first.parsed()) and f"{DISPLACED}{mark}" not in self.tombstones


def entry_order(entry: str) -> tuple[int, int]:
    """The stream's order of entry ids."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)


def add_items(draft: CommitDraft, items: Sequence[Item], archived: ArchivedItems) -> None:
    """Separate new items from repeats, number the new ones and mark the late ones, in the order of the stream.

    Raises ValueError, KeyError or TypeError for a line that is not an item.
    """
    draft.archived += len(items)
    for kind, body, content, received in items:
        if kind == "c":
            if draft.privacy_filter.is_erased(body["reporter"]["id"]):
                draft.duplicates += 1
            else:
                _add_complaint(draft, archived, body, content, received)
        elif kind == "o":
            _add_outcome(draft, archived, body, content, received)
        elif kind == "w":
            _add_withdrawal(draft, archived, body["id"], received)
        else:
            raise ValueError(f"an item's kind must be c, o or w, not {kind!r}")


def _add_complaint(draft: CommitDraft, archived: ArchivedItems, body: JsonObject, content: str, received: int) -> None:
    identity = body["id"]
    first = draft.complaints.get(identity) or archived.complaints.get(identity)
    if first is not None:
        if not archived.is_another(draft.privacy_filter, first, body):
            _count_repeat(draft, "complaint", identity, first.content, content)
            return
        _displace(draft, archived, first, received)
    occurred = microseconds(datetime.fromisoformat(body["occurred_at"]))
    watermark = draft.watermark_us
    late = watermark is not None and occurred < watermark - draft.policy.window_seconds * 1_000_000
    if watermark is None or occurred > watermark:
        draft.watermark_us = occurred
    draft.late += late
    draft.seq += 1
    state = WITHDRAWN if identity in archived.withdrawn else MACHINE if body.get("machine") is True else _UNSETTLED
    reporter, target = cached_key_of(body["reporter"]["id"]), cached_key_of(body["target"]["id"])
    act = _act_of(draft, archived, body, reporter) if "part_of" in body else None
    draft.complaints[identity] = ComplaintRow(
        draft.seq, identity, occurred, received, reporter, target, state, late, content, body, act
    )


def _act_of(draft: CommitDraft, archived: ArchivedItems, body: JsonObject, reporter: int) -> int | None:
    """The seq of the complaint whose act this is part of; None where the reporter has no such complaint: detection has
    to see it then.
    """
    new = draft.complaints.get(body["part_of"])
    act, by = (
        archived.acts.get(body["part_of"], (None, None))
        if new is None
        else (new.seq if new.act is None else new.act, new.reporter)
    )
    return act if by == reporter else None


def feed(draft: CommitDraft, row: ComplaintRow) -> None:
    """Pass on to detection a complaint that counts from now on."""
    if not row.late:
        (draft.fed if row.act is None else draft.listed).append(row)


def _displace(draft: CommitDraft, archived: ArchivedItems, row: ComplaintRow, received: int) -> None:
    """Have a withdrawn complaint, with the outcomes about it, give its id to another one."""
    identity, ours = row.id, f"{DISPLACED}{row.seq}"
    mark = f"{DISPLACED}{draft.privacy_filter.complaint_mark(row.parsed())}"
    archived.withdrawn.remove(identity)
    archived.tombstones.add(mark)
    draft.withdrawals[mark] = row.seq, received
    if draft.complaints.pop(identity, None) is not None:
        draft.complaints[ours] = row
    else:
        del archived.complaints[identity]
        draft.displaced.append((ours, identity, row.seq))
    row.id = ours
    for name, (seq, at, body, content) in draft.outcomes.items():
        if body.get("complaint_id") == identity:
            draft.outcomes[name] = seq, at, {**body, "complaint_id": ours}, content


def _add_outcome(draft: CommitDraft, archived: ArchivedItems, body: JsonObject, content: str, received: int) -> None:
    first = archived.outcomes.get(body["id"])
    if first is not None:
        _count_repeat(draft, "outcome", body["id"], first, content)
        return
    archived.outcomes[body["id"]] = content
    draft.seq += 1
    draft.outcomes[body["id"]] = (draft.seq, received, body, content)


def _add_withdrawal(draft: CommitDraft, archived: ArchivedItems, identity: str, received: int) -> None:
    if identity in archived.withdrawn:
        draft.duplicates += 1
        return
    archived.withdrawn.add(identity)
    draft.seq += 1
    draft.withdrawals[identity] = draft.seq, received
    new, old = draft.complaints.get(identity), archived.complaints.get(identity)
    if new is not None:
        new.state = WITHDRAWN
    elif old is not None:
        draft.changes.append((WITHDRAWN, old.seq))
        if old.state in (STANDING, REPEAT):
            draft.withdrawn.append(old)


def _count_repeat(draft: CommitDraft, noun: str, identity: str, first: str, content: str) -> None:
    fields = [] if first == content else _conflict(draft.privacy_filter, noun, from_json(first), from_json(content))
    if not fields:
        draft.duplicates += 1
        return
    draft.conflicting += 1
    log.warning(
        "tenant %d: %s %r was sent again with different content (%s); the first version is kept",
        draft.tenant_id,
        noun,
        identity,
        ", ".join(fields),
    )


def _conflict(privacy_filter: PrivacyFilter, noun: str, first: JsonObject, second: JsonObject) -> list[str]:
    fields = differing_fields(first, second)
    if fields and noun == "complaint":  # the tenant may have turned pseudonyms or texts on or off between the two
        fields = differing_fields(privacy_filter.comparable(first), privacy_filter.comparable(second))
    return fields


def differing_fields(first: JsonObject, second: JsonObject, prefix: str = "") -> list[str]:
    """The dotted names of the fields in which two items differ, sorted; a field that one side lacks differs."""
    names: list[str] = []
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name), second.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            names += differing_fields(one, other, f"{prefix}{name}.")
        elif name not in first or name not in second or one != other or type(one) is not type(other):
            names.append(prefix + name)
    return names


def touched_pairs(draft: CommitDraft) -> dict[Pair, list[ComplaintRow]]:
    """Pairs whose standing complaint may change, each with the reporter's new complaints on the target."""
    new_by_pair: dict[Pair, list[ComplaintRow]] = {}
    for row in draft.complaints.values():
        if row.state == _UNSETTLED:
            new_by_pair.setdefault((row.target, row.reporter), []).append(row)
    for row in draft.withdrawn:
        if row.state == STANDING:
            new_by_pair.setdefault((row.target, row.reporter), [])
    return new_by_pair


def settle(
    draft: CommitDraft,
    new_by_pair: Mapping[Pair, Sequence[ComplaintRow]],
    old_by_pair: Mapping[Pair, Sequence[ComplaintRow]],
) -> None:
    """Decide which complaint of each pair stands, and what that changes for detection and for totals.

    `old_by_pair`: the archived complaints of those pairs that stand or are repeats.
    """
    gone = {row.seq for row in draft.withdrawn}
    for pair, new in new_by_pair.items():
        old = old_by_pair.get(pair)
        if old is None and len(new) == 1:  # by far the most frequent case
            new[0].state = STANDING
            draft.gains[pair[0]] = draft.gains.get(pair[0], 0) + 1
            feed(draft, new[0])
        else:
            _settle_pair(draft, pair[0], old or [], new, gone)


def _settle_pair(
    draft: CommitDraft, target: int, old: Sequence[ComplaintRow], new: Sequence[ComplaintRow], gone: set[int]
) -> None:
    stood = next((row for row in old if row.state == STANDING), None)
    stands = min((row for row in [*old, *new] if row.seq not in gone), key=lambda row: row.order, default=None)
    for row in new:
        row.state = STANDING if row is stands else REPEAT
    if stands is stood:
        return
    if stood is not None:
        if stood.seq not in gone:
            draft.changes.append((REPEAT, stood.seq))
        if not stood.late:
            draft.removed.append(stood)
    if stands is not None:
        if stands in old:
            draft.changes.append((STANDING, stands.seq))
        feed(draft, stands)
    draft.gains[target] = draft.gains.get(target, 0) + (stands is not None) - (stood is not None)


def changed_targets(draft: CommitDraft) -> list[int]:
    """Keys of the targets whose number of standing complaints changes."""
    return [target for target, gain in draft.gains.items() if gain]


def add_totals(draft: CommitDraft, targets: Iterable[int], before: Mapping[int, int]) -> None:
    """Set the new totals of these targets; `before` holds the stored ones (absent: 0)."""
    draft.totals = [(target, before.get(target, 0) + draft.gains[target]) for target in targets]
