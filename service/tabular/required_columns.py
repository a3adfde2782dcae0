"""The columns without which a table cannot serve: who reported what, and when. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from service.errors import Refused
from service.tabular.candidates import MANY, NAMED, is_own, one_a_row
from service.tabular.days_and_clocks import is_well_before, on_the_same_days
from service.tabular.doubts import gives_reasons, of_other_acts, says_reported, speaks_of_reports
from service.tabular.fitting import fits
from service.tabular.heading_meanings import meanings_of
from service.tabular.headings import bare, may_be_when
from service.tabular.looks import (
    ColumnLook,
    depends_on,
    exclude_each_other,
    finer_first,
    is_counter,
    one_of_each_row,
    same_people,
)
from service.tabular.missing import check_reporters, sentence_of_missing
from service.tabular.naming import option, quoted
from service.tabular.plain_names import normalised
from service.tabular.plausible import (
    MOSTLY,
    called_alike,
    is_list_of_contents,
    is_time_of_target,
    not_theirs,
    same_times,
    when_sent,
)
from service.tabular.target_columns import WHOLE_ACCOUNTS, TargetColumns
from service.tabular.vocabulary import (
    ACCOUNTS,
    IN_WORDS,
    LINKS,
    PLACES,
    REQUIRED,
    REQUIRED_OF_OUTCOMES,
    TIMES,
    Field,
    is_address_of_reporter,
    is_owner,
)

_OF_ANOTHER = re.compile(  # creator.published
    r"(?!.*(?:report|flag|complaint)).*(?:creator|author|user|account|person|member|community|profile|post|comment)"
    r"_(?:published|created|joined|registered)(?:_at|_on|_date)?"
)
_OF_A_REPORT = re.compile(r"(?:.*_)?(?:report|flag|complaint)_id|id_(?:report|flag|complaint)")
ONE_REPORTER = 10  # so many rows by one reporter are not a list of people's reports


class RequiredColumns(TargetColumns):
    """Finds the columns without which a table cannot serve."""

    def required(self) -> None:
        is_place = False  # whether the target is a thread or the like rather than content
        self.holder()
        for name in REQUIRED_OF_OUTCOMES if self.outcomes else ("target_id", "occurred_at", "reporter_id"):
            if name in self.result.uses:
                continue
            if name == "reporter_id":
                self.check_one_account_a_row()
            candidates = self.candidates(name)
            for rank, looks in candidates.items():
                if name == "target_id" and rank >= PLACES and self.other_ids(rank):
                    break
                if name == "target_id" and rank == PLACES and max(candidates) > PLACES:
                    continue  # a thread is where it happened if an account is called reported
                looks = self.own(name, rank, looks)
                if not looks:
                    continue
                if name == "target_id" and not self.outcomes and len(looks) > 1:
                    self.check_somebody_reported()
                self.use(name, *self.one_of(name, looks))
                if name == "target_id" and rank == LINKS and not self.outcomes:
                    self.check_links()
                if name == "target_id":
                    self.others_instead()
                if name == "reporter_id" and rank > 1:
                    self.check_reports(looks[0], is_place)
                is_place = is_place or (name == "target_id" and rank == PLACES)
                if name == "target_id" and rank == ACCOUNTS:
                    self.result.notes.append(WHOLE_ACCOUNTS)
                break
            if name == "reporter_id" and name not in self.result.uses:
                self.owner_beside_accused()
            if name == "occurred_at" and name not in self.result.uses:
                self.only_time()
            if name == "target_id" and name not in self.result.uses and not self.outcomes:
                self.other_ids(PLACES)
        if not self.outcomes and "reporter_id" in self.result.uses and "target_id" not in self.result.uses:
            self.check_holder()
            self.account_beside()
            self.gathered()
        self.check_required()
        self.hours()
        self.earlier_times()

    def own(self, name: Field, rank: int, looks: list[ColumnLook]) -> list[ColumnLook]:
        """Without columns that say something of targets: the time of a post, who wrote it."""
        if rank == 0 or name not in ("occurred_at", "reporter_id"):
            return looks
        is_of_target = self.is_of_target if name == "reporter_id" else self.is_time_of_target
        before = list(self.result.notes)
        own = [look for look in looks if not is_of_target(look)]
        if own or rank > 1:
            return own
        others = [look for other, more in self.candidates(name).items() if other > rank for look in more]
        if any(not is_of_target(look) for look in others):
            return []
        self.result.notes = before  # nothing else is there
        return looks

    def only_time(self) -> None:
        """The one column of times, whatever it is called, unless its name says that it is of something else."""
        found = [
            look
            for look in self.looks
            if look.number not in self.taken
            and look.is_time
            and may_be_when(normalised(bare(look.name)), numbers=look.is_number)
            and not _OF_ANOTHER.fullmatch(normalised(look.name))
            and not any(name in self.ranks[look.number] for name in TIMES if name != "occurred_at")
            and not self.is_time_of_target(look)
        ]
        if found:
            looks, _ = self.one_of("occurred_at", found)
            self.use("occurred_at", looks, "the only column of times")

    def owner_beside_accused(self) -> None:
        """Where another column says who was accused or wrote the content, the author or owner is the report's own."""
        fields = list(zip(self.looks, self.ranks, strict=True))
        owners = [look for look in self.looks if look.number not in self.taken and _is_owner(look)]
        accused = [
            look
            for look, ranks in fields
            if look not in owners and (ranks.get("target_id") == ACCOUNTS or ranks.get("author_id") == 1)
        ]
        if not accused or not speaks_of_reports(self.looks, self.called):
            return
        owners = [
            look
            for look in owners
            if fits("reporter_id", look, {"reporter_id": 2})
            and not any(same_people(look, other) for other in accused)
            and not self.is_of_target(look)
        ]
        if len(owners) == 1:
            self.check_reports(owners[0], is_place=False)
            self.use("reporter_id", owners, f"its name, since {accused[0].name!r} is of somebody else")

    def hours(self) -> None:
        """Where the time of the report is a date only, the column with the hours, or with dates and hours."""
        use = self.result.uses.get("occurred_at")
        if use is None or self.outcomes or not self.looks[use.columns[0]].is_day:
            return
        day = self.looks[use.columns[0]]
        finer = [
            look
            for looks in self.candidates("occurred_at").values()
            for look in self.own("occurred_at", 1, looks)
            if use.why != NAMED and not look.is_day and on_the_same_days(day.values, look.values)
        ]
        if finer := list(when_sent(finer)):
            self.use("occurred_at", finer[:1], f"its name; it has the hours of {day.name!r}")
            return
        clocks = [look for look in self.looks if look.is_clock and not look.is_day and look.number not in self.taken]
        named = [look for look in clocks if "occurred_at" in self.ranks[look.number]] or clocks
        related = called_alike(day, named) or named
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

    def earlier_times(self) -> None:
        """Doubt a time that does not say that it is of a report, where another one comes well before it."""
        use = self.result.uses.get("occurred_at")
        if use is None or self.outcomes or use.why == NAMED or says_reported(self.header[use.columns[0]]):
            return
        chosen = self.looks[use.columns[0]]
        for rank, looks in self.candidates("occurred_at").items():
            for look in when_sent(looks) if rank <= 2 else ():
                if look.is_day or self.is_time_of_target(look) or not is_well_before(look.values, chosen.values):
                    continue
                self.result.notes.append(
                    f"{chosen.name!r} is hours or days after {look.name!r}: if that is when people reported, say so:"
                    f" {option('occurred_at', look.name)}"
                )
                return

    def one_of(self, name: Field, looks: list[ColumnLook]) -> tuple[Sequence[ColumnLook], str]:
        """The column among several of one rank. Raises Refused where nothing tells which."""
        if len(looks) == 1:
            return looks, "its name"
        if name == "target_id":
            looks = [look for look in looks if not is_counter(look)] or looks
            if parts := one_of_each_row(looks):
                return parts, "names; each row has one of them"
            if len(looks) == 1:
                return looks, "its name"
            looks = sorted(looks, key=lambda look: not normalised(look.name).endswith("id"))
            looks = [look for k, look in enumerate(looks) if not any(same_people(look, o) for o in looks[:k])]
            if len(looks) == 1:
                return looks, "its name; other columns say the same"
            if parts := finer_first(looks):
                return parts, "their names; the finer one where a row has it"
            finest = max(looks, key=lambda look: look.distinct)
            if all(depends_on(other, finest) in (None, 1.0) for other in looks) and finest.distinct > max(
                other.distinct for other in looks if other is not finest
            ):
                return [finest], f"its name; finer than {quoted(o for o in looks if o is not finest)}"
        if name in ("occurred_at", "decided_at"):
            created: Sequence[ColumnLook] = [look for look in looks if "creat" in look.name.lower()] or looks
            created = when_sent(created) if name == "occurred_at" else created
            if len(created) == 1 or all(same_times(look, created[0]) for look in created[1:]):
                return created[:1], "its name"
            raise self.unclear(name, looks)
        first = next((look for look in looks if normalised(look.name).endswith("id")), looks[0])
        others = [o for o in looks if o is not first and not (name == "reporter_id" and exclude_each_other([first, o]))]
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
        target = self.target()
        if target is None or (share := depends_on(look, target)) is None:
            return False
        if share < MOSTLY or len(self.rows) < ONE_REPORTER:
            return False
        self.result.notes.append(
            f"{look.name!r} is the same for all rows about one target, so it is not taken for who reported"
        )
        return True

    def is_time_of_target(self, look: ColumnLook) -> bool:
        target = self.target()
        if self.outcomes or target is None or not is_time_of_target(look, target):
            return False
        note = f"{look.name!r} is the same for all rows about one target, so it is not taken for when it was reported"
        self.result.notes += [note] if note not in self.result.notes else []
        return True

    def check_reports(self, reporter: ColumnLook, is_place: bool) -> None:
        """Refuse a list of contents, whose people are those who wrote them, and a log of something else."""
        use = self.result.uses.get("target_id")
        if (other := of_other_acts(self.looks)) and not speaks_of_reports(self.looks, self.called):
            raise Refused(
                f"no name says that something was reported, and {other.name!r} ({other.example!r}) is of something"
                " else: a file that does not say who reported cannot serve. If these are reports, say so:"
                f" {option('reporter_id', reporter.name)}"
            )
        if use is None or len(use.columns) > 1:
            return
        target = self.looks[use.columns[0]]
        listed = [
            look
            for look, ranks in zip(self.looks, self.ranks, strict=True)
            if ranks.get("target_id") == 1 and look.number not in self.taken and one_a_row(look) and not is_own(look)
        ]
        of_reports = any(_OF_A_REPORT.fullmatch(normalised(look.name)) for look in self.looks)
        if listed and use.why != NAMED and not of_reports:
            target = listed[0]
        if is_place and use.why != NAMED and not gives_reasons(self.looks, self.called):
            why = f"no name says that something was reported: {reporter.name!r} may be who wrote in {target.name!r}"
        elif is_list_of_contents(target):
            why = f"each row has another {target.name!r}: {reporter.name!r} may be who wrote it"
        else:
            return
        raise Refused(
            f"{why}; without a column that says who reported it cannot serve. If {reporter.name!r} is who reported, say"
            f" so: {option('reporter_id', reporter.name)}"
        )

    def check_links(self) -> None:
        """Refuse addresses of the reports themselves: each row has another."""
        target = self.target()
        if target is not None and len(self.rows) >= MANY and one_a_row(target):
            raise Refused(
                f"each row has another {target.name!r}: it may be the address of the report itself. If it is of what"
                f" was reported, say so: {option('target_id', target.name)}"
            )

    def check_one_account_a_row(self) -> None:
        """Refuse lists of accounts where nothing else is called who reported: an address beside them is not enough."""
        named = [look for look, ranks in zip(self.looks, self.ranks, strict=True) if ranks.get("reporter_id", 9) <= 1]
        accounts = [look for look in named if not is_address_of_reporter(look.name) and look.number not in self.taken]
        several = next((look for look in accounts if look.has_lists), None)
        if several is not None and not any(fits("reporter_id", look, self.ranks[look.number]) for look in accounts):
            raise Refused(
                f"{several.name!r} has several accounts in one cell: write a row for each of them, with the time at"
                " which that one reported"
            )

    def check_somebody_reported(self) -> None:
        """Refuse a file in which nobody can be who reported before anything is asked."""
        if "reporter_id" in self.result.uses or self.candidates("reporter_id"):
            return
        left = [look for look in self.looks if look.number not in self.taken]
        raise Refused(sentence_of_missing(["reporter_id"], self.header, left, self.result.notes, None, outcomes=False))

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


def _is_owner(look: ColumnLook) -> bool:
    return is_owner(look.name) or meanings_of(normalised(look.name)) == frozenset(("author",))
