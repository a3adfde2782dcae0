"""What was reported in rows that leave the column that says it empty, and in those that say more. PURE.

Software that takes reports about several kinds of things has a column for each (`post_id`, `comment_id`, `user_id`),
and fills the one that was reported, or the account beside the content. That each row fills one of them shows what they
are, whatever they are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.tabular.alternatives import is_of_player
from service.tabular.candidates import NAMED
from service.tabular.heading_meanings import names_moderator
from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, depends_on, exclude_each_other, is_counter, is_none, same_people
from service.tabular.missing import FEW_TARGETS, handles
from service.tabular.name_kinds import fineness, is_thing
from service.tabular.naming import option, quoted
from service.tabular.other_ids import id_stem, is_of_something_else
from service.tabular.plain_names import normalised
from service.tabular.plausible import MOSTLY
from service.tabular.report_times import ReportTimes
from service.tabular.target_columns import WHOLE_ACCOUNTS
from service.tabular.target_rules import is_proof
from service.tabular.vocabulary import ACCOUNTS, PLACES, REPORTED

_NEARLY_ALL = 0.95  # of the rows that somebody reported in
_FEW = 3  # rows that are not filled by chance
_OTHER = 9
_TARGET = "target"  # whatever it is, it is what was reported


class PartialTargets(ReportTimes):
    """Finds what was reported where a row does not say it in the column that most rows say it in."""

    def where_empty(self) -> None:
        """Take other columns for rows without what was reported, and finer ones where a row has them."""
        use = self.result.uses.get("target_id")
        if self.outcomes or "reporter_id" not in self.result.uses or (use is not None and use.why == NAMED):
            return
        chosen = [] if use is None else [self.looks[column] for column in use.columns]
        empty = self._rows_without(chosen)
        if chosen and not empty:
            self._finer_than(chosen)
            return
        parts = self._parts_beside(chosen) if chosen else self._parts()
        left = self._rows_without([*chosen, *parts])
        if len(chosen) + len(parts) > 1 and self._are_nearly_none(left):
            self.use("target_id", [*chosen, *parts], "each row has one of them")
        elif chosen and (whole := self._whole(chosen, parts, left if parts else empty)):
            self.use("target_id", [*chosen, *parts, whole], f"{whole.name!r} where a row has nothing else")
        else:
            return
        self._without_note_on_accounts()

    def _finer_than(self, chosen: Sequence[ColumnLook]) -> None:
        """Take a content that some rows name beside the account, or beside what it is a part of."""
        if len(chosen) != 1:
            return
        finer = [
            look
            for look in self._ids(named=True)
            if _FEW <= _filled(look) < len(look.values)
            and depends_on(chosen[0], look) in (None, 1.0)
            and (not same_people(chosen[0], look) or _last_word(look) != _last_word(chosen[0]))
        ]
        finer = _first_of_each_pattern(finer)
        if finer and (len(finer) == 1 or exclude_each_other(finer)):
            self.use("target_id", [*finer, *chosen], f"{quoted(finer)} where a row has it")
            self._without_note_on_accounts()
        elif fineness(chosen[0].name) != 0 and _TARGET not in normalised(chosen[0].name):
            self.result.notes += [self._doubt(chosen[0], look) for look in self._also_filled(chosen[0])[:1]]

    def _also_filled(self, chosen: ColumnLook) -> list[ColumnLook]:
        """What may have been reported in some rows, though no name says so."""
        return [
            look
            for look in self._partial()
            if id_stem(look)
            and look.distinct > FEW_TARGETS
            and _filled(look) >= _FEW
            and not same_people(chosen, look)
            and "reporter_id" not in self.ranks[look.number]
            and (not is_of_something_else(id_stem(look)) or is_thing(_last_word(look)))
        ]

    def _doubt(self, chosen: ColumnLook, look: ColumnLook) -> str:
        return (
            f"{_filled(look):,} of {len(look.values):,} rows have a {look.name!r}: make sure that {chosen.name!r} was"
            f" reported in these as well, and if it is the other, say so: {option('target_id', look.name)}"
        )

    def _without_note_on_accounts(self) -> None:
        self.result.notes = [note for note in self.result.notes if note != WHOLE_ACCOUNTS]

    def _rows_without(self, columns: Sequence[ColumnLook]) -> list[int]:
        """The rows in which somebody reported and none of the columns says what."""
        reporter = self.looks[self.result.uses["reporter_id"].columns[0]]
        somebody = [row for row, value in enumerate(reporter.values) if value is not None]
        return [row for row in somebody if all(is_none(column.values[row]) for column in columns)]

    def _are_nearly_none(self, rows: Sequence[int]) -> bool:
        return len(rows) <= (1 - _NEARLY_ALL) * len(self.rows)

    def _parts(self) -> list[ColumnLook]:
        """Columns of ids of which nearly each row has one; none if there are no such."""
        for first in self._partial():
            parts = [first, *self._parts_beside([first])]
            if len(parts) > 1 and all(map(id_stem, parts)) and self._are_nearly_none(self._rows_without(parts)):
                return parts
        return []

    def _parts_beside(self, chosen: Sequence[ColumnLook]) -> list[ColumnLook]:
        """Columns of which none is filled where another is, nor where one of the chosen is."""
        found: list[ColumnLook] = []
        for look in self._partial():
            if exclude_each_other([*chosen, *found, look]):
                found.append(look)
        return found

    def _partial(self) -> list[ColumnLook]:
        """Columns that may have ids of what was reported, and that some rows leave empty."""
        return _first_of_each_pattern(look for look in self._ids(named=False) if _filled(look) < len(look.values))

    def _whole(
        self, chosen: Sequence[ColumnLook], parts: Sequence[ColumnLook], empty: Sequence[int]
    ) -> ColumnLook | None:
        """What is filled in all of the rows that are left: what the chosen one is a part of, else an account."""
        reporter = self.looks[self.result.uses["reporter_id"].columns[0]]
        found = [
            (rank, is_of_player(look), not normalised(look.name).endswith("id"), look.number, look)
            for look in self.looks
            if look.number not in self.taken
            and look not in parts
            and (rank := self._rank_of_whole(look, reporter)) is not None
            and sum(is_none(look.values[row]) for row in empty) <= (1 - _NEARLY_ALL) * len(empty)
            and (rank >= ACCOUNTS or (depends_on(look, chosen[0]) or 1) >= MOSTLY)
            and not same_people(look, reporter)
        ]
        if not found:
            return None
        best = min(found)[-1]
        return next((look for _, _, is_name, _, look in sorted(found) if not is_name and same_people(look, best)), best)

    def _rank_of_whole(self, look: ColumnLook, reporter: ColumnLook) -> int | None:
        rank = self.ranks[look.number].get("target_id", _OTHER)
        if rank > REPORTED and self.ranks[look.number].get("author_id") == 1:
            rank = ACCOUNTS
        if rank > REPORTED and self.ranks[reporter.number].get("reporter_id", _OTHER) <= 1:
            rank = ACCOUNTS if self.is_other_person(look, reporter) else _OTHER
        return rank if rank <= REPORTED and not handles(look) and look.distinct > 1 and not look.is_prose else None

    def _ids(self, *, named: bool) -> list[ColumnLook]:
        """Columns that may have ids of what was reported; `named`: of what is called like a content."""
        return [
            look
            for look in self.looks
            if look.number not in self.taken and _may_be_ids(look) and (not named or self._is_content(look))
        ]

    def _is_content(self, look: ColumnLook) -> bool:
        stem = id_stem(look)
        return (
            self.ranks[look.number].get("target_id", _OTHER) < PLACES
            or (bool(stem) and is_thing(stem) and not is_of_something_else(stem))
        ) and "author_id" not in self.ranks[look.number]


def _may_be_ids(look: ColumnLook) -> bool:
    name = normalised(bare(look.name))
    called = bool(id_stem(look)) or (is_thing(name) and look.distinct > FEW_TARGETS and look.has_numbers)
    if not called or handles(look) or names_moderator(name) or is_proof(look):
        return False
    if (
        look.is_prose
        or look.has_lists
        or look.is_yes_or_no
        or look.is_measured
        or (look.is_time and not look.is_number)
    ):
        return False
    return _filled(look) > 0 and not is_counter(look)


def _last_word(look: ColumnLook) -> str:
    return id_stem(look).rpartition("_")[2]


def _filled(look: ColumnLook) -> int:
    return sum(not is_none(value) for value in look.values)


def _first_of_each_pattern(looks: Iterable[ColumnLook]) -> list[ColumnLook]:
    """Of columns that are filled in the same rows, the one nearest to the top; of several, the finest."""
    found: dict[tuple[bool, ...], list[ColumnLook]] = {}
    for look in looks:
        found.setdefault(tuple(map(is_none, look.values)), []).append(look)
    best = [max(same, key=lambda o: (-o.name.count("."), o.distinct, -o.number)) for same in found.values()]
    return sorted(best, key=lambda look: (-_filled(look), look.number))
