"""Which column is which: by names first, checked against the values. PURE.

What is required and not clear is refused with a sentence that names the columns and the option; what is optional and
not clear is left out and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.errors import Refused
from service.tabular.looks import ColumnLook, Rows, depends_on, exclude_each_other, looks_of, same_people
from service.tabular.values import plain_text
from service.tabular.verdicts import is_known, verdict_of
from service.tabular.vocabulary import (
    ACCOUNTS,
    FIELDS_BY_NAME,
    IN_WORDS,
    REQUIRED,
    REQUIRED_OF_OUTCOMES,
    SHORT_NAMES,
    TIMES,
    Field,
    normalised,
    ranks_of,
    unsuitable,
)

NAMED = "named by an option"
MOST_ATTRIBUTES = 32  # of a target, as the API takes them
LONGEST_ATTRIBUTE = 1024
ONE_REPORTER = 10  # so many rows by one reporter are not a list of people's reports
MOSTLY = 0.9  # of the targets have one author, one context
OPTIONAL: tuple[Field, ...] = (
    "account_created_at",
    "trusted",
    "fingerprint",
    "notice_type",
    "part_of",
    "author_id",
    "context_id",
    "kind",
    "verdict",
    "decided_at",
    "reason",
    "text",
    "excerpt",
    "url",
)
OF_OUTCOMES: tuple[Field, ...] = ("id", "kind", "action", "decided_by", "complaint_id", "retracts")


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """The column that a field is read from; several for a target that stands in one column of several."""

    columns: tuple[int, ...]
    why: str
    example: str


@dataclass(slots=True)
class Recognition:
    """How a table is read."""

    uses: dict[Field, ColumnUse] = field(default_factory=dict)
    attributes: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    with_kind: bool = False  # targets of different kinds share numbers: their ids are written kind/id

    def column(self, name: Field) -> int | None:
        """The number of a field's column."""
        use = self.uses.get(name)
        return use.columns[0] if use else None


class _Recogniser:
    def __init__(self, header: Sequence[str], rows: Rows, chosen: Mapping[Field, int], outcomes: bool) -> None:
        self.header, self.rows = header, rows
        self.looks = looks_of(header, rows)
        self.ranks = [ranks_of(name) for name in header]
        self.result = Recognition()
        self.outcomes = outcomes
        self.taken: set[int] = set()
        for name, number in chosen.items():
            self.use(name, (self.looks[number],), NAMED)

    def use(self, name: Field, looks: Sequence[ColumnLook], why: str) -> None:
        self.taken.update(look.number for look in looks)
        example = next((look.example for look in looks if look.known), "")
        self.result.uses[name] = ColumnUse(tuple(look.number for look in looks), why, example)

    def candidates(self, name: Field) -> dict[int, list[ColumnLook]]:
        """The columns that may be this field, by rank, without those that are taken or whose values do not fit."""
        found: dict[int, list[ColumnLook]] = {}
        for look, ranks in zip(self.looks, self.ranks, strict=True):
            if name in ranks and look.number not in self.taken and self.fits(name, ranks[name], look):
                found.setdefault(ranks[name], []).append(look)
        return dict(sorted(found.items()))

    def fits(self, name: Field, rank: int, look: ColumnLook) -> bool:
        if rank == 0:
            return True
        if not look.known:
            return False
        if name in TIMES:
            return look.is_time
        if name in ("reporter_id", "target_id", "author_id", "context_id"):
            named_time = "occurred_at" in self.ranks[look.number] and look.is_time
            return not look.is_prose and not look.is_yes_or_no and not named_time
        if name == "reason":
            return look.longest <= 64
        if name == "kind":
            return look.distinct <= 20 and look.longest <= 64
        if name == "verdict":
            return any(verdict_of(v) for v in look.known)
        if name == "text" and rank > 1:
            return look.is_prose or look.longest > 64
        if name == "trusted":
            return look.is_yes_or_no or look.distinct <= 2
        return True

    def required(self) -> None:
        for name in REQUIRED_OF_OUTCOMES if self.outcomes else ("occurred_at", "target_id", "reporter_id"):
            if name in self.result.uses:
                continue
            for rank, looks in self.candidates(name).items():
                if name == "reporter_id" and rank > 1:
                    looks = [look for look in looks if not self.is_of_target(look)]
                    if not looks:
                        continue
                self.use(name, *self.one_of(name, looks))
                if name == "target_id" and rank == ACCOUNTS:
                    self.result.notes.append("no column names a post or comment: whole accounts are the targets")
                break
        self.check_required()

    def one_of(self, name: Field, looks: list[ColumnLook]) -> tuple[Sequence[ColumnLook], str]:
        """The column among several of one rank. Raises Refused where nothing tells which."""
        if len(looks) == 1:
            return looks, "its name"
        if name == "target_id":
            if exclude_each_other(looks):
                return looks, "names; each row has one of them"
            finest = max(looks, key=lambda look: look.distinct)
            if all(depends_on(other, finest) in (None, 1.0) for other in looks) and finest.distinct > max(
                other.distinct for other in looks if other is not finest
            ):
                return [finest], f"its name; finer than {_names(o for o in looks if o is not finest)}"
        if name in ("occurred_at", "decided_at"):
            created = [look for look in looks if "creat" in look.name.lower()] or looks
            if len(created) == 1 or all(look.values == created[0].values for look in created):
                return created[:1], "its name"
        with_id = [look for look in looks if normalised(look.name).endswith("id")] or looks
        if len(with_id) == 1 or all(same_people(with_id[0], other) for other in looks if other is not with_id[0]):
            return with_id[:1], f"its name; {_names(o for o in looks if o is not with_id[0])} says the same"
        raise Refused(
            f"{_names(looks)} could each be {IN_WORDS[name]}: choose one, for instance"
            f" --column {_short(name)}={looks[0].name}"
        )

    def is_of_target(self, look: ColumnLook) -> bool:
        """Whether a column of people is the same for all complaints about one target: then it is the author."""
        target = self.result.column("target_id")
        if target is None or (share := depends_on(look, self.looks[target])) is None:
            return False
        if share < MOSTLY or len(self.rows) < ONE_REPORTER:
            return False
        self.result.notes.append(
            f"{look.name!r} is the same for all rows about one target, so it is not taken for who reported"
        )
        return True

    def check_required(self) -> None:
        wanted = REQUIRED_OF_OUTCOMES if self.outcomes else REQUIRED
        missing = [name for name in wanted if name not in self.result.uses]
        if self.outcomes and "action" in {f for ranks in self.ranks for f in ranks}:
            missing = [name for name in missing if name != "verdict"]
        if missing:
            what = " and ".join(f"{IN_WORDS[name]} ({_short(name)})" for name in missing)
            notes = "".join(f"; {note}" for note in self.result.notes)
            raise Refused(
                f"no column was recognised for {what}{notes}. It has the columns {_shown(self.header)}. Name"
                f" {'it' if len(missing) == 1 else 'them'}, for instance --column {_short(missing[0])}=COLUMN"
            )
        reporter = self.result.uses.get("reporter_id")
        if reporter is not None and reporter.why != NAMED:
            look = self.looks[reporter.columns[0]]
            if len(look.known) >= ONE_REPORTER and look.distinct == 1:
                raise Refused(
                    f"{look.name!r} is {look.example!r} in every row: a table of reports has many reporters. If another"
                    " column says who reported, name it: --column reporter=COLUMN"
                )

    def optional(self) -> None:
        for name in OF_OUTCOMES if self.outcomes else OPTIONAL:
            if name in self.result.uses or (name == "decided_at" and "verdict" not in self.result.uses):
                continue
            for rank, looks in self.candidates(name).items():
                found = [look for look in looks if rank == 0 or self.goes_with_targets(name, look)]
                if found and not (name == "decided_at" and rank > 1):
                    self.use(name, found[:1], "its name")
                    break
        if not self.outcomes:
            self.identity()

    def goes_with_targets(self, name: Field, look: ColumnLook) -> bool:
        if name not in ("author_id", "context_id", "kind", "url", "excerpt"):
            return True
        target = self.result.uses.get("target_id")
        if target is None or len(target.columns) > 1:
            return target is None
        share = depends_on(look, self.looks[target.columns[0]])
        return name == "kind" or share is None or share >= MOSTLY

    def identity(self) -> None:
        if "id" in self.result.uses:
            return
        for rank, looks in self.candidates("id").items():
            for look in looks:
                if rank == 0 or (len(look.known) == len(self.rows) and look.distinct == len(look.known)):
                    if rank == 0 and self.repeats_differ(look):
                        self.result.notes.append(
                            f"{look.name!r} has the same value in rows that differ, so it is not taken for the"
                            " complaint's id"
                        )
                        self.taken.add(look.number)
                        continue
                    self.use("id", (look,), "its name; no value occurs twice" if rank else "its name")
                    return
        self.result.notes.append("rows have no id of their own: each gets one from its reporter, target and time")

    def repeats_differ(self, look: ColumnLook) -> bool:
        """Whether ids repeat with different contents in more than a twentieth of the rows."""
        first: dict[object, Sequence[object]] = {}
        differing = 0
        for value, row in zip(look.values, self.rows, strict=True):
            if value is not None and list(first.setdefault(value, row)) != list(row):
                differing += 1
        return differing > 0.05 * len(self.rows)

    def rest(self) -> None:
        """What is left describes targets, if it is the same for all complaints about one."""
        target = self.result.uses["target_id"]
        left: list[str] = []
        people = ("reporter_id", "author_id", *TIMES, "verdict", "text", "excerpt")
        for look, ranks in zip(self.looks, self.ranks, strict=True):
            if look.number in self.taken or not look.known:
                continue
            share = depends_on(look, self.looks[target.columns[0]]) if len(target.columns) == 1 else 0.0
            usable = not (
                look.is_time
                or look.is_prose
                or look.longest > LONGEST_ATTRIBUTE
                or any(name in ranks for name in people)
            )
            name = look.name.removeprefix("attributes_").removeprefix("attributes.")
            if usable and (share is None or share >= MOSTLY) and 0 < len(name) <= 128:
                self.result.attributes[look.number] = name
            else:
                left.append(look.name)
        if len(self.result.attributes) > MOST_ATTRIBUTES:
            beyond = list(self.result.attributes)[MOST_ATTRIBUTES:]
            left += [self.result.attributes.pop(k) for k in beyond]
        if left:
            self.result.notes.append(f"not used: {_shown(left)}")

    def kinds(self) -> None:
        """Whether targets of different kinds share numbers."""
        kind, target = self.result.column("kind"), self.result.uses["target_id"]
        if len(target.columns) > 1:
            self.result.with_kind = True
        elif kind is not None and self.looks[kind].distinct > 1:
            kinds_by_target: dict[object, set[object]] = {}
            for k, t in zip(self.looks[kind].values, self.looks[target.columns[0]].values, strict=True):
                if k is not None and t is not None:
                    kinds_by_target.setdefault(t, set()).add(k)
            numbers = sum(str(t).isdecimal() for t in kinds_by_target)
            self.result.with_kind = numbers > 0.5 * len(kinds_by_target) or any(
                len(kinds) > 1 for kinds in kinds_by_target.values()
            )
        if self.result.with_kind:
            self.result.notes.append("targets are of several kinds whose numbers could meet: their ids are kind/id")

    def unknown_verdicts(self) -> None:
        column = self.result.column("verdict")
        if column is None:
            return
        words = sorted({str(v) for v in self.looks[column].known if not is_known(v)})
        if words:
            self.result.notes.append(
                f"words in {self.header[column]!r} that are not known, and not taken: {_shown(words)}"
            )


def recognise(
    header: Sequence[str], rows: Rows, chosen: Mapping[Field, int] | None = None, *, outcomes: bool = False
) -> Recognition:
    """How a table is read, from its columns' names and a sample of its rows. Raises Refused."""
    if why := unsuitable(header):
        raise Refused(why)
    reader = _Recogniser(header, rows, chosen or {}, outcomes)
    for look in reader.looks:
        if normalised(look.name) == "post_action_type_id" and {"1", "2"} & {plain_text(v) for v in look.known}:
            raise Refused(
                "this export of Discourse's post_actions has likes and bookmarks too:"
                " --preset discourse-flags leaves them out"
            )
    reader.required()
    reader.optional()
    if not outcomes:
        reader.kinds()
        reader.rest()
        reader.unknown_verdicts()
    return reader.result


def chosen_columns(header: Sequence[str], options: Mapping[str, str]) -> dict[Field, int]:
    """The columns named with --column, by field. Raises Refused for a field or column that does not exist."""
    found: dict[Field, int] = {}
    for short, name in options.items():
        wanted = FIELDS_BY_NAME.get(short)
        if wanted is None:
            fields = ", ".join(name for name in FIELDS_BY_NAME if name not in SHORT_NAMES.values())
            raise Refused(f"--column {short}={name}: {short!r} is not a field; the fields are {fields}")
        exact = [k for k, column in enumerate(header) if column == name]
        alike = exact or [k for k, column in enumerate(header) if normalised(column) == normalised(name)]
        if len(alike) != 1:
            raise Refused(f"--column {short}={name}: there is no such column; the columns are {_shown(header)}")
        found[wanted] = alike[0]
    return found


def _short(name: Field) -> str:
    return next((short for short, field in SHORT_NAMES.items() if field == name), name)


def _names(looks: Iterable[ColumnLook]) -> str:
    return " and ".join(repr(look.name) for look in looks)


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
