"""Rows of a recognised table as complaints and outcomes, through the same checks as a POST. PURE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from service.intake.items import OUTCOME, CheckedItem, Noun, read_value
from service.intake.notes import NoteCount
from service.model import Complaint, Outcome, RejectedItem, Verdict, microseconds, moment
from service.tabular.borders import is_total
from service.tabular.columns import Recognition, time_cell
from service.tabular.looks import is_none
from service.tabular.tables import Batch
from service.tabular.times import TimeStyle, UnreadableTime, is_zero
from service.tabular.values import Spoilt, attribute, flag, id_text, is_nobody, is_unknown, plain_text
from service.tabular.verdicts import is_open, verdict_of
from service.tabular.vocabulary import Field

LONGEST = {"reason": 64, "text": 4096, "excerpt": 4096, "kind": 64, "context_title": 300}
LONGEST_URL, LONGEST_FINGERPRINT = 4096, 512
_RULINGS: tuple[Field, ...] = ("verdict", "action", "decided_by")
_POINTERS = {"reporter_id": "/reporter/id", "target_id": "/target/id", "occurred_at": "/occurred_at"}


class _Unfit(Exception):
    """A row without something that is required; its text says what."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """What a column of a complaint's row says of how it ended."""

    complaint_id: str
    target_id: str
    verdict: Verdict
    decided_at: datetime | None


class Assembler:
    """Makes items of the rows of one table."""

    def __init__(
        self,
        header: Sequence[str],
        recognition: Recognition,
        times: Mapping[Field, TimeStyle],
        noun: Noun,
        now: datetime,
        notes: NoteCount,
    ) -> None:
        self.recognition, self.times, self.now = recognition, times, now
        self._header, self._noun, self._notes = header, noun, notes
        self._columns = {name: use.columns for name, use in recognition.uses.items()}
        self._verdicts: list[ColumnVerdict] = []
        self._latest_us = 0  # of the complaints, if they have verdicts
        self.judged: set[str] = set()  # ids of complaints that have a verdict
        self.counts: Counter[str] = Counter()  # of what was changed or left out, by a sentence for people

    def items(self, batch: Batch) -> Iterator[CheckedItem | RejectedItem]:
        """The items of a batch, and what is refused of it."""
        for line, row in zip(batch.lines, batch.rows, strict=True):
            if (item := self.read(line, row)) is not None:
                yield item

    def read(self, line: int, row: Sequence[Any]) -> CheckedItem | RejectedItem | None:
        """The item of a row, or why it is refused; None for a row that is none and an outcome that decides nothing."""
        if (only := self.recognition.only) is not None and not only.has(row):
            self.counts[only.left_out] += 1
            return None
        try:
            value = self._outcome(row) if self._noun is OUTCOME else self._complaint(row)
        except _Unfit as error:
            if all(map(is_unknown, row)):  # an empty row of a spreadsheet
                return None
            if (what := self._border(row)) is not None:
                self.counts[what] += 1
                return None
            return RejectedItem(line=line, detail=str(error), pointer=_POINTERS.get(error.name, f"/{error.name}"))
        if value is None:
            return None
        if self._noun is not OUTCOME and self._is_of_nobody(value):
            return None
        item = self._notes.taken(read_value(value, self._noun, self.now, line))
        if isinstance(item, Complaint) and "verdict" in self._columns:
            self.judge(item.id, item.target.id, microseconds(item.occurred_at), row)
        return item

    def _is_of_nobody(self, complaint: Mapping[str, Any]) -> bool:
        """Whether it is not said who reported, or what: all of these are not one account, and not one target."""
        reporter, target = complaint["reporter"]["id"], complaint["target"]["id"]
        if is_nobody(reporter) or reporter in self.recognition.guests:
            self.counts[f"reports by {reporter!r}, who is not one account, left out"] += 1
        elif is_nobody(target) or target in self.recognition.nothing:
            self.counts[f"reports about {target!r}, which is not one target, left out"] += 1
        else:
            return False
        return True

    def _border(self, row: Sequence[Any]) -> str | None:
        """What a row is that is not a report, but belongs to the form of the table."""
        columns = [c for name in _POINTERS if name in self._columns for c in self._columns[name]]
        if all(plain_text(row[c] or "").strip() == self._header[c] for c in columns):
            return "repeated headers, left out"
        return "rows of totals, left out" if is_total(row) else None

    def _value(self, name: Field, row: Sequence[Any]) -> Any:
        """The value of a field; None if it is unknown or has no column."""
        columns = self._columns.get(name, ())
        if len(columns) == 1:
            value = row[columns[0]]
            return None if is_unknown(value) else value
        return next((row[column] for column in columns if not is_none(row[column])), None)

    def _named(self, name: Field) -> str:
        """The columns of a field, for people."""
        return " or ".join(repr(self._header[c]) for c in self._columns[name])

    def _required_id(self, name: Field, row: Sequence[Any]) -> str:
        found = self._id_of(name, row)
        if found is None:
            raise _Unfit(name, f"{self._named(name)} is empty")
        return found

    def _id_of(self, name: Field, row: Sequence[Any]) -> str | None:
        value = self._value(name, row)
        if value is None:
            return None
        try:
            return id_text(value)
        except Spoilt as error:
            raise _Unfit(name, str(error)) from None

    def _time(self, name: Field, row: Sequence[Any]) -> datetime:
        value = time_cell(self.recognition.uses[name], row)
        if is_unknown(value) or is_zero(value):
            raise _Unfit(name, f"{self._named(name)} is empty")
        try:
            return self.times[name].read(value)
        except UnreadableTime as error:
            raise _Unfit(name, str(error)) from None

    def _optional_time(self, name: Field, row: Sequence[Any]) -> datetime | None:
        value = self._value(name, row)
        if value is None or is_zero(value) or name not in self.times:
            return None
        try:
            return self.times[name].read(value)
        except UnreadableTime:
            self.counts[f"values of {self._named(name)} that are not times, taken as unknown"] += 1
            return None

    def _text(self, name: Field, row: Sequence[Any]) -> str | None:
        value = self._value(name, row)
        if value is None:
            return None
        text, longest = plain_text(value), LONGEST[name]
        if len(text) > longest:
            self.counts[f"values of {self._named(name)} that were cut to {longest} characters"] += 1
        return text[:longest]

    def _address(self, name: Field, row: Sequence[Any]) -> str | None:
        value = self._value(name, row)
        text = None if value is None else plain_text(value)
        return text if text is not None and len(text) <= LONGEST_URL else None

    def _target(self, row: Sequence[Any]) -> tuple[str, str | None]:
        """The target's id and its kind."""
        found = self._required_id("target_id", row)
        kind = self._text("kind", row)
        columns = self._columns["target_id"]
        if len(columns) > 1:
            own = next(self._header[c] for c in columns if not is_none(row[c]))
            kind = kind or own.lower().removesuffix("id").rstrip("_ .-")[:64] or own[:64]
        if found in self.recognition.nothing:  # whatever its kind
            return found, kind
        return (f"{kind}/{found}" if self.recognition.with_kind and kind else found), kind

    def _complaint(self, row: Sequence[Any]) -> dict[str, Any]:
        reporter, (target, kind) = self._required_id("reporter_id", row), self._target(row)
        at, own = self._time("occurred_at", row), self._id_of("id", row)
        about: dict[str, Any] = {"id": target, "kind": kind}
        about["author_id"], about["context_id"] = self._id_of("author_id", row), self._id_of("context_id", row)
        about["context_title"], about["context_url"] = (
            self._text("context_title", row),
            self._address("context_url", row),
        )
        about["url"], about["excerpt"] = self._address("url", row), self._text("excerpt", row)
        attributes = {
            name: attribute(row[column])
            for column, name in self.recognition.attributes.items()
            if not is_unknown(row[column])
        }
        if attributes:
            about["attributes"] = attributes
        who: dict[str, Any] = {"id": reporter, "account_created_at": self._optional_time("account_created_at", row)}
        if (fingerprint := self._value("fingerprint", row)) is not None:
            who["fingerprint"] = plain_text(fingerprint)[:LONGEST_FINGERPRINT]
        if (trusted := self._value("trusted", row)) is not None:
            who["trusted"] = flag(trusted)
        return {
            "id": own or row_id(reporter, target, at),
            "occurred_at": at,
            "reporter": who,
            "target": about,
            "reason": self._text("reason", row),
            "text": self._text("text", row),
            "notice_type": self._value("notice_type", row),
            "part_of": self._id_of("part_of", row),
        }

    def _outcome(self, row: Sequence[Any]) -> dict[str, Any] | None:
        target, _ = self._target(row)
        found = {name: self._value(name, row) for name in _RULINGS}
        if found["verdict"] is not None:
            word = plain_text(found["verdict"]).strip()
            found["verdict"] = verdict_of(word) or word.lower()
            if is_open(word) and found["action"] is None:
                self.counts["outcomes that do not judge (open, closed and the like), left out"] += 1
                return None
        at = self._time("decided_at", row)
        about, retracts = self._id_of("complaint_id", row), self._id_of("retracts", row)
        own = self._id_of("id", row) or row_id(about or "", target, at)
        value = {"id": own, "target_id": target, "decided_at": at, "complaint_id": about, "retracts": retracts}
        return {k: v for k, v in (value | found).items() if v is not None}

    def judge(self, complaint_id: str, target_id: str, time_us: int, row: Sequence[Any]) -> None:
        """Keep what the verdict column says of a complaint."""
        self._latest_us = max(self._latest_us, time_us)
        verdict = verdict_of(self._value("verdict", row))
        if verdict is not None:
            at = self._optional_time("decided_at", row)
            self._verdicts.append(ColumnVerdict(complaint_id, target_id, verdict, at))
            self.judged.add(complaint_id)

    def outcomes(self) -> list[Outcome]:
        """What the verdict column says, as outcomes; those without a time have that of the latest complaint."""
        return [
            Outcome(
                id=f"verdict-{_digest(v.complaint_id, v.target_id)}",
                target_id=v.target_id,
                decided_at=v.decided_at or moment(self._latest_us),
                verdict=v.verdict,
                complaint_id=v.complaint_id,
            )
            for v in self._verdicts
        ]


def row_id(reporter: str, target: str, at: datetime) -> str:
    """The id of a row without one: the same in each export of the same row."""
    return f"row-{_digest(reporter, target, at.isoformat())}"


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
