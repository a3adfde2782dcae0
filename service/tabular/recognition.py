"""Which column is which: by names first, checked against the values. PURE.

What is required and not clear is refused with a sentence that names the columns and the option; what is optional and
not clear is left out and said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.errors import Refused
from service.tabular.columns import ColumnUse, Recognition
from service.tabular.fitting import fits
from service.tabular.headings import bare, may_be_when
from service.tabular.looks import ColumnLook, Rows, depends_on, exclude_each_other, looks_of, same_people
from service.tabular.missing import check_reporters, sentence_of_missing, unused_verdicts
from service.tabular.naming import listed, option, quoted
from service.tabular.plain_names import normalised
from service.tabular.plausible import (
    MOSTLY,
    called_alike,
    is_list_of_contents,
    is_time_of_target,
    not_only_reports,
    not_theirs,
    repeats_differ,
    when_sent,
)
from service.tabular.values import plain_text
from service.tabular.verdicts import is_known
from service.tabular.vocabulary import (
    ACCOUNTS,
    IN_WORDS,
    OF_ANYTHING,
    PLACES,
    REQUIRED,
    REQUIRED_OF_OUTCOMES,
    TIMES,
    Field,
    is_address_of_reporter,
    is_thing,
    place_named,
    ranks_of,
    unsuitable,
)

NAMED = "named by an option"
MOST_ATTRIBUTES = 32  # of a target, as the API takes them
LONGEST_ATTRIBUTE = 1024
ONE_REPORTER = 10  # so many rows by one reporter are not a list of people's reports
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
    "context_title",
    "context_url",
)
OF_OUTCOMES: tuple[Field, ...] = ("id", "kind", "action", "decided_by", "complaint_id", "retracts")


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
            if name in ranks and look.number not in self.taken and fits(name, look, ranks):
                found.setdefault(ranks[name], []).append(look)
        return dict(sorted(found.items()))

    def required(self) -> None:
        is_place = False  # whether the target is a thread or the like rather than content
        for name in REQUIRED_OF_OUTCOMES if self.outcomes else ("target_id", "occurred_at", "reporter_id"):
            if name in self.result.uses:
                continue
            for rank, looks in self.candidates(name).items():
                if rank > 1 and name in ("reporter_id", "occurred_at"):
                    of_target = self.is_of_target if name == "reporter_id" else self.is_time_of_target
                    looks = [look for look in looks if not of_target(look)]
                    if not looks:
                        continue
                self.use(name, *self.one_of(name, looks))
                if name == "target_id":
                    self.accounts_instead()
                if name == "reporter_id" and rank > 1:
                    self.check_reports(looks[0], is_place)
                is_place = is_place or (name == "target_id" and rank == PLACES)
                if name == "target_id" and rank == ACCOUNTS:
                    self.result.notes.append("no column names a post or comment: whole accounts are the targets")
                break
            if name == "occurred_at" and name not in self.result.uses:
                self.only_time()
        self.check_required()
        self.clock()

    def accounts_instead(self) -> None:
        """Take the account that was reported where no content was, if each row has one of both."""
        chosen = [self.looks[column] for column in self.result.uses["target_id"].columns]
        accounts = self.candidates("target_id").get(ACCOUNTS, [])
        if len(accounts) == 1 and exclude_each_other([*chosen, *accounts]):
            self.use("target_id", [*chosen, *accounts], "names; each row has one of them")

    def only_time(self) -> None:
        """The one column of times, whatever it is called, unless its name says that it is of something else."""
        found = [
            look
            for look in self.looks
            if look.number not in self.taken
            and look.is_time
            and may_be_when(normalised(bare(look.name)), numbers=look.is_number)
            and not any(name in self.ranks[look.number] for name in TIMES if name != "occurred_at")
            and not self.is_time_of_target(look)
        ]
        if found:
            looks, _ = self.one_of("occurred_at", found)
            self.use("occurred_at", looks, "the only column of times")

    def clock(self) -> None:
        """The column with the hours, where the time of the report is a date only."""
        use = self.result.uses.get("occurred_at")
        if use is None or self.outcomes or not self.looks[use.columns[0]].is_day:
            return
        clocks = [look for look in self.looks if look.is_clock and look.number not in self.taken]
        named = [look for look in clocks if "occurred_at" in self.ranks[look.number]] or clocks
        related = called_alike(self.looks[use.columns[0]], named) or named
        if len(related) > 1:
            raise Refused(
                f"{use.example!r} has no hour, and {quoted(related)} could each be it: write the date and its hour"
                " into one column"
            )
        for look in related:
            self.taken.add(look.number)
            self.result.uses["occurred_at"] = replace(
                use,
                why=f"{use.why}, with the hour of {look.name!r}",
                example=f"{use.example} {look.example}",
                clock=look.number,
            )

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
                return [finest], f"its name; finer than {quoted(o for o in looks if o is not finest)}"
        if name in ("occurred_at", "decided_at"):
            created: Sequence[ColumnLook] = [look for look in looks if "creat" in look.name.lower()] or looks
            created = when_sent(created) if name == "occurred_at" else created
            if len(created) == 1 or all(look.values == created[0].values for look in created):
                return created[:1], "its name"
            raise self.unclear(name, looks)
        first = next((look for look in looks if normalised(look.name).endswith("id")), looks[0])
        others = [other for other in looks if other is not first]
        if all(same_people(first, o) or (name == "reporter_id" and self.goes_with(o, first)) for o in others):
            return [first], f"its name; {quoted(others)} says the same"
        raise self.unclear(name, looks)

    def unclear(self, name: Field, looks: Sequence[ColumnLook]) -> Refused:
        return Refused(
            f"{quoted(looks)} could each be {IN_WORDS[name]}: choose one, for instance {option(name, looks[0].name)}"
        )

    def goes_with(self, name: ColumnLook, number: ColumnLook) -> bool:
        """Whether a column of names goes with one of ids, of which each has one name."""
        share = depends_on(name, number) if normalised(number.name).endswith("id") else None
        return share is not None and share >= MOSTLY

    def is_of_target(self, look: ColumnLook) -> bool:
        """Whether a column of people is of others than reporters: the same for all complaints about one target."""
        if address := not_theirs(look, self.looks):
            note = f"{look.name!r} does not go with {address.name!r}, so it is not taken for who reported"
            self.result.notes.append(note)
            return True
        target = self.result.column("target_id")
        if target is None or (share := depends_on(look, self.looks[target])) is None:
            return False
        if share < MOSTLY or len(self.rows) < ONE_REPORTER:
            return False
        self.result.notes.append(
            f"{look.name!r} is the same for all rows about one target, so it is not taken for who reported"
        )
        return True

    def is_time_of_target(self, look: ColumnLook) -> bool:
        target = self.result.uses.get("target_id")
        if self.outcomes or target is None or not is_time_of_target(look, self.looks[target.columns[0]]):
            return False
        note = f"{look.name!r} is the same for all rows about one target, so it is not taken for when it was reported"
        self.result.notes += [note] if note not in self.result.notes else []
        return True

    def check_reports(self, reporter: ColumnLook, is_place: bool) -> None:
        """Refuse a list of contents, whose people are those who wrote them."""
        use = self.result.uses.get("target_id")
        if use is None or len(use.columns) > 1:
            return
        target = self.looks[use.columns[0]]
        if is_place and use.why != NAMED:
            why = f"no name says that something was reported: {reporter.name!r} may be who wrote in {target.name!r}"
        elif is_list_of_contents(target):
            why = f"each row has another {target.name!r}: {reporter.name!r} may be who wrote it"
        else:
            return
        raise Refused(
            f"{why}; without a column that says who reported it cannot serve. If {reporter.name!r} is who reported, say"
            f" so: {option('reporter_id', reporter.name)}"
        )

    def check_required(self) -> None:
        wanted = REQUIRED_OF_OUTCOMES if self.outcomes else REQUIRED
        missing = [name for name in wanted if name not in self.result.uses]
        if self.outcomes and "action" in {f for ranks in self.ranks for f in ranks}:
            missing = [name for name in missing if name != "verdict"]
        if missing:
            left = [look for look in self.looks if look.number not in self.taken]
            who = self.result.column("reporter_id")
            known = None if who is None else self.looks[who]
            raise Refused(
                sentence_of_missing(missing, self.header, left, self.result.notes, known, outcomes=self.outcomes)
            )
        reporter = self.result.uses.get("reporter_id")
        if reporter is not None and reporter.why != NAMED:
            check_reporters(self.looks[reporter.columns[0]])

    def optional(self) -> None:
        reporter = self.header[self.result.uses["reporter_id"].columns[0]] if not self.outcomes else ""
        if is_address_of_reporter(reporter):
            self.result.notes.append(f"people who share a value of {reporter!r} count as one reporter")
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
        if name in ("context_title", "context_url"):
            # a title may change from row to row; that of the forum around a thread is none of it
            context = self.result.column("context_id")
            return context is not None and place_named(look.name) == place_named(self.header[context])
        if name not in ("author_id", "context_id", "kind", "url", "excerpt"):
            return True
        if (target := self.result.uses.get("target_id")) is None or len(target.columns) > 1:
            return target is None
        share = depends_on(look, self.looks[target.columns[0]])
        if share is None or share >= MOSTLY:
            return True
        if name != "kind":
            return False
        of_what = self.ranks[look.number]["kind"] < OF_ANYTHING  # else it may be the kind of report
        return of_what or (self.looks[target.columns[0]].is_number and all(map(is_thing, map(plain_text, look.known))))

    def identity(self) -> None:
        if "id" in self.result.uses:
            return
        for rank, looks in self.candidates("id").items():
            for look in looks:
                if rank == 0 or (len(look.known) == len(self.rows) and look.distinct == len(look.known)):
                    if rank == 0 and repeats_differ(look, self.rows):
                        self.result.notes.append(
                            f"{look.name!r} has the same value in rows that differ, so it is not taken for the"
                            " complaint's id"
                        )
                        self.taken.add(look.number)
                        continue
                    self.use("id", (look,), "its name; no value occurs twice" if rank else "its name")
                    return
        self.result.notes.append("rows have no id of their own: each gets one from its reporter, target and time")

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
            usable = usable and not re.match(r"reporter|flagger|complainant", normalised(look.name))
            if usable and (share is None or share >= MOSTLY) and 0 < len(name) <= 128:
                self.result.attributes[look.number] = name
            else:
                left.append(look.name)
        left += [self.result.attributes.pop(k) for k in list(self.result.attributes)[MOST_ATTRIBUTES:]]
        if left:
            self.result.notes.append(f"not used: {listed(left)}")

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
            self.result.notes += unused_verdicts(look for look in self.looks if look.number not in self.taken)
            return
        words = sorted({str(v) for v in self.looks[column].known if not is_known(v)})
        if words:
            self.result.notes.append(
                f"words in {self.header[column]!r} that are not known, and not taken: {listed(words, repr)}"
            )


def recognise(
    header: Sequence[str], rows: Rows, chosen: Mapping[Field, int] | None = None, *, outcomes: bool = False
) -> Recognition:
    """How a table is read, from its columns' names and a sample of its rows. Raises Refused."""
    if why := unsuitable(header):
        raise Refused(why)
    reader = _Recogniser(header, rows, chosen or {}, outcomes)
    if not outcomes and (other := not_only_reports(reader.looks)):
        raise Refused(other)
    reader.required()
    reader.optional()
    if not outcomes:
        reader.kinds()
        reader.rest()
        reader.unknown_verdicts()
    return reader.result
