"""What was reported in rows that leave the column that says it empty, and in those that say more. PURE.

Software that takes reports about several kinds of things has a column for each (`post_id`, `comment_id`, `user_id`),
and fills the one that was reported, or the account beside the content. That each row fills one of them shows what they
are. What a moderator, a mail or another system added to a report looks the same, so names decide, and values that come
again: without both, a row stays without a target.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from service.tabular.alternatives import is_of_player
from service.tabular.candidates import NAMED
from service.tabular.heading_meanings import names_moderator
from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, depends_on, exclude_each_other, is_counter, is_none, same_people
from service.tabular.missing import FEW_TARGETS, handles
from service.tabular.name_kinds import fineness, is_thing
from service.tabular.naming import option, quoted
from service.tabular.other_ids import id_stem, is_named_by_table
from service.tabular.other_things import is_of_something_else, is_of_work, is_where, may_be_written
from service.tabular.plain_names import normalised
from service.tabular.plausible import MOSTLY
from service.tabular.report_times import ReportTimes
from service.tabular.report_words import says_reported
from service.tabular.target_columns import WHOLE_ACCOUNTS
from service.tabular.target_rules import is_own, is_proof
from service.tabular.vocabulary import ACCOUNTS, LINKS, OWNERS, REPORTED

_NEARLY_ALL = 0.95  # of the rows that somebody reported in
_FEW = 3  # rows that are not filled by chance
_SOME = 0.02  # of the rows: fewer without a target are mistakes, and their ids are not worth another form for all
_OTHER = 9
_ONE_PERSON = 0.5  # of what was reported twice: reported by one alone, as a chat with somebody
_TARGET = "target"  # whatever it is, it is what was reported
_KEY = re.compile(r"(?:id|key|uuid|npub|did|hash)\Z")


class PartialTargets(ReportTimes):
    """Finds what was reported where a row does not say it in the column that most rows say it in."""

    def fill_empty_targets(self) -> None:
        """Take other columns for rows without what was reported, and finer ones where a row has them."""
        use = self.result.uses.get("target_id")
        if self.outcomes or "reporter_id" not in self.result.uses or (use is not None and use.why == NAMED):
            return
        chosen = [] if use is None else [self.looks[column] for column in use.columns]
        empty = self._rows_without(chosen)
        if not chosen:
            if parts := self._parts():
                self.use("target_id", parts, "each row has one of them")
                if all(fineness(look.name) is None for look in parts):
                    self.result.notes.append(f"no name says so: make sure that {quoted(parts)} were reported")
        elif not empty and not self._take_content(chosen):
            self._prefer_finer(chosen)
        elif len(empty) >= max(_FEW, _SOME * len(self.rows)):
            self._fill(chosen, empty)

    def doubt_parts(self) -> None:
        """Doubt what may as well be what a moderator wrote, beside something else that was reported."""
        use = self.result.uses.get("target_id")
        looks = [] if use is None or use.why == NAMED else [self.looks[column] for column in use.columns]
        written = [look for look in looks if may_be_written(_last_word(look))]
        if len(looks) > 1 and 0 < len(written) < len(looks):
            others = [look for look in looks if look not in written]
            self.result.notes.append(
                f"{quoted(written)} may be reported, or written about a report: make sure, and if it is not what was"
                f" reported, say so: {option('target_id', others[0].name)}"
            )

    def _fill(self, chosen: Sequence[ColumnLook], empty: Sequence[int]) -> None:
        parts = self._parts_beside(chosen)
        left = self._rows_without([*chosen, *parts])
        if parts and len(left) <= (1 - _NEARLY_ALL) * len(self.rows):
            self.use("target_id", [*chosen, *parts], "each row has one of them")
        elif whole := self._whole(chosen, left if parts else empty):
            self.use("target_id", [*chosen, *parts, whole], f"{whole.name!r} where a row has nothing else")
            parts = parts if self.ranks[whole.number].get("target_id", _OTHER) <= ACCOUNTS else [*parts, whole]
        else:
            return
        self._without_note_on_accounts()
        self.result.notes += [self._doubt(chosen[0], look) for look in parts if not _is_plain(look, chosen[0])]

    def _prefer_finer(self, chosen: Sequence[ColumnLook]) -> None:
        """Take a content that some rows name beside the account, or beside what it is a part of."""
        if len(chosen) != 1:
            return
        finer = _first_of_each_pattern(look for look in self._ids() if self._is_finer(look, chosen[0]))
        if finer and (len(finer) == 1 or exclude_each_other(finer)):
            self.use("target_id", [*finer, *chosen], f"{quoted(finer)} where a row has it")
            self._without_note_on_accounts()
            self.result.notes += [self._doubt(chosen[0], look) for look in finer if not _is_plain(look, chosen[0])]
        elif fineness(chosen[0].name) != 0 and _TARGET not in normalised(chosen[0].name):
            self.result.notes += [self._doubt(chosen[0], look) for look in self._also_filled(chosen[0])[:1]]

    def _take_content(self, chosen: Sequence[ColumnLook]) -> bool:
        """Take a content of an unknown name instead of its account, or of what it belongs to if the table is called
        after it (`valuation_reports`).
        """
        if len(chosen) != 1:
            return False
        whole = self.ranks[chosen[0].number].get("target_id") == ACCOUNTS
        found = [
            look
            for look in self._ids()
            if (whole or is_named_by_table(look, self.called)) and self._is_content_of(look, chosen[0])
        ]
        if len(found) != 1:
            return False
        self.taken.discard(chosen[0].number)
        self.use("target_id", found, f"each has one {chosen[0].name!r}, and several people reported it")
        self._without_note_on_accounts()
        if whole:
            self.result.notes.append(
                f"each {chosen[0].name!r} has several {found[0].name!r}: make sure that those were reported, if not,"
                f" say so: {option('target_id', chosen[0].name)}"
            )
        return True

    def _is_content_of(self, look: ColumnLook, chosen: ColumnLook) -> bool:
        """Whether a column has ids in every row that several people reported, each of one value of the chosen one."""
        return (
            bool(id_stem(look))
            and fineness(look.name) is None
            and (not is_of_something_else(id_stem(look)) or says_reported(look.name))
            and not is_where(id_stem(look))
            and FEW_TARGETS < look.distinct < len(look.known) == len(look.values)
            and chosen.distinct <= look.distinct
            and depends_on(chosen, look) == 1.0
            and (depends_on(self.reporter(), look) or 0) < _ONE_PERSON
        )

    def _is_finer(self, look: ColumnLook, chosen: ColumnLook) -> bool:
        """Whether a column names contents that come again, each of one value of the chosen column."""
        return (
            fineness(look.name) == 0
            and "author_id" not in self.ranks[look.number]
            and max(_FEW, _SOME * len(look.values)) <= _filled(look) < len(look.values)
            and depends_on(chosen, look) == 1.0
            and (not same_people(chosen, look) or _last_word(look) != _last_word(chosen))
        )

    def _also_filled(self, chosen: ColumnLook) -> list[ColumnLook]:
        """What may have been reported in some rows, though nothing shows it."""
        return [
            look
            for look in self._partial()
            if look.distinct > FEW_TARGETS
            and _filled(look) >= _FEW
            and not same_people(chosen, look)
            and "reporter_id" not in self.ranks[look.number]
            and (not is_of_something_else(id_stem(look)) or is_thing(_last_word(look)))
        ]

    def _doubt(self, chosen: ColumnLook, look: ColumnLook) -> str:
        return (
            f"{_filled(look):,} of {len(look.values):,} rows have a {look.name!r}: make sure which of it and"
            f" {chosen.name!r} was reported in these. If only one of both is ever reported, say so:"
            f" {option('target_id', look.name)}"
        )

    def _without_note_on_accounts(self) -> None:
        self.result.notes = [note for note in self.result.notes if note != WHOLE_ACCOUNTS]

    def _rows_without(self, columns: Sequence[ColumnLook]) -> list[int]:
        """The rows in which somebody reported and none of the columns says what."""
        somebody = [row for row, value in enumerate(self.reporter().values) if value is not None]
        return [row for row in somebody if all(is_none(column.values[row]) for column in columns)]

    def _parts(self) -> list[ColumnLook]:
        """Columns of ids of which nearly each row has one; none if there are no such."""
        for first in self._partial():
            parts = [first, *self._parts_beside([first])]
            if len(parts) > 1 and len(self._rows_without(parts)) <= (1 - _NEARLY_ALL) * len(self.rows):
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
        return _first_of_each_pattern(look for look in self._ids() if _FEW <= _filled(look) < len(look.values))

    def _ids(self) -> list[ColumnLook]:
        """Columns that may have ids of what was reported."""
        return [look for look in self.looks if look.number not in self.taken and self._may_be_reported(look)]

    def _may_be_reported(self, look: ColumnLook) -> bool:
        """Whether a column has ids, and its name is not that of the work on reports or of other people."""
        ranks = self.ranks[look.number]
        accused = ranks.get("target_id") == ACCOUNTS or ranks.get("author_id", _OTHER) < OWNERS
        if fineness(look.name) == 1 and not accused and not self.is_other_person(look, self.reporter()):
            return False
        return _may_be_ids(look)

    def _whole(self, chosen: Sequence[ColumnLook], empty: Sequence[int]) -> ColumnLook | None:
        """What is filled in all of the rows that are left: what the chosen one is a part of, else an account."""
        found = [
            (rank, is_of_player(look), not normalised(look.name).endswith("id"), look.number, look)
            for look in self.looks
            if look.number not in self.taken
            and (rank := self._rank_of_whole(look, chosen[0])) is not None
            and sum(is_none(look.values[row]) for row in empty) <= (1 - _NEARLY_ALL) * len(empty)
            and not same_people(look, self.reporter())
        ]
        if not found:
            return None
        best = min(found)[-1]
        return next((look for _, _, is_name, _, look in sorted(found) if not is_name and same_people(look, best)), best)

    def _rank_of_whole(self, look: ColumnLook, chosen: ColumnLook) -> int | None:
        """How well a column may say what was reported in rows without a content; None if it cannot.

        A column that is called reported may; any other has to go with the chosen one, as an author with their post.
        """
        ranks, name = self.ranks[look.number], normalised(bare(look.name))
        if handles(look) or is_own(look) or look.is_prose or look.distinct <= FEW_TARGETS or is_counter(look):
            return None
        rank = ranks.get("target_id", _OTHER)
        if rank == ACCOUNTS or (rank == REPORTED and look.has_numbers and _KEY.search(name)):
            return rank
        if (depends_on(look, chosen) or 0) < MOSTLY or is_of_work(id_stem(look) or name):
            return None
        if rank < ACCOUNTS:
            return rank if rank != LINKS and id_stem(look) else None
        is_author = ranks.get("author_id") == 1
        by_name = self.ranks[self.reporter().number].get("reporter_id", _OTHER) <= 1
        is_other = by_name and self.is_other_person(look, self.reporter())
        return ACCOUNTS if is_author or is_other else None


def _may_be_ids(look: ColumnLook) -> bool:
    """Whether a column may have ids of what was reported, by its name and its values."""
    stem = id_stem(look)
    name = stem or normalised(bare(look.name))
    called = bool(stem) or (is_thing(name) and look.distinct > FEW_TARGETS and look.has_numbers)
    if not called or handles(look) or names_moderator(normalised(bare(look.name))) or is_proof(look):
        return False
    if is_of_work(name) or look.is_prose or look.has_lists or look.is_yes_or_no or look.is_measured:
        return False
    if look.is_time and not look.is_number:
        return False
    return _filled(look) > 0 and not is_counter(look)


def _is_plain(look: ColumnLook, chosen: ColumnLook) -> bool:
    """Whether a name says nothing but what was reported: `comment_id`, `target_room_id` beside `target_user_id`."""
    words, first = (
        (id_stem(look) or normalised(bare(look.name))).split("_"),
        normalised(bare(chosen.name)).split("_")[0],
    )
    words = words[1:] if words[0] in (first, "reported", "flagged", "target") else words
    return bool(words) and all(map(is_thing, words))


def _last_word(look: ColumnLook) -> str:
    """What a column has ids of, without what stands before it: `comment` of `community_comment_id`."""
    return id_stem(look).rpartition("_")[2]


def _filled(look: ColumnLook) -> int:
    """How many rows have a value that is not a number for nothing."""
    return sum(not is_none(value) for value in look.values)


def _first_of_each_pattern(looks: Iterable[ColumnLook]) -> list[ColumnLook]:
    """Of columns that are filled in the same rows, the one nearest to the top; of several, the finest."""
    found: dict[tuple[bool, ...], list[ColumnLook]] = {}
    for look in looks:
        found.setdefault(tuple(map(is_none, look.values)), []).append(look)
    best = [max(same, key=lambda o: (-o.name.count("."), o.distinct, -o.number)) for same in found.values()]
    return sorted(best, key=lambda look: (-_filled(look), look.number))
