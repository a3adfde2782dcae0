"""The columns of a table that may be a field, by their names and values. PURE."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from service.tabular.columns import ColumnUse, Recognition
from service.tabular.doubts import speaks_of_reports
from service.tabular.fitting import fits
from service.tabular.looks import ColumnLook, Rows, depends_on, is_none, looks_of, one_of_each_row, same_people
from service.tabular.missing import FEW_TARGETS
from service.tabular.other_ids import may_be_id
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text
from service.tabular.vocabulary import (
    ACCOUNTS,
    ADDRESSES,
    LINKS,
    PLACES,
    REPORTED,
    Field,
    is_account,
    is_actor,
    ranks_of,
)

NAMED = "named by an option"
_FEW = 10  # rows that show nothing
MANY = 30  # rows that cannot each be about another target
_ONLY_INSIDE: tuple[Field, ...] = ("id", "text", "reason", "notice_type", "part_of")
_OF_THE_REPORT: tuple[Field, ...] = ("reporter_id", "occurred_at", *_ONLY_INSIDE)
_MOST_AGENTS = 10
_FEW_AGENTS = 0.1  # of the customers
_PREFIX = re.compile(r"[a-z]{1,8}_")
_NEARLY_ALL = 0.8  # of the columns
_OWN_ID = re.compile(  # of the report itself
    r"(?:.*_)?(?:submission|response|entry|record|respondent|form|answer|ticket|case|request)(?:_?id|_no|_number)?"
    r"|(?:report|flag|complaint)_.*"
)
_EVENT = re.compile(r"event_?")  # of a log, or a match in a game
_ID_OF_REPORTED = re.compile(r"(?:reported|flagged)_id")
_NAME_OF_REPORTED = re.compile(r"(?:reported|flagged)_(?:username|user_name|nickname|display_name|acct|email|handle)")


class Candidates:
    """The columns of a table, those that are taken, and those that may be a field."""

    def __init__(
        self,
        header: Sequence[str],
        rows: Rows,
        chosen: Mapping[Field, int],
        outcomes: bool,
        holding: Collection[str] = (),
        called: str = "",
    ) -> None:
        self.header, self.rows = header, rows
        self.holding, self.called = holding, called
        self.looks = looks_of(header, rows)
        prefix = _prefix(header)
        self.ranks = [ranks_of(name) or ranks_of(normalised(name).removeprefix(prefix)) for name in header]
        self.result = Recognition()
        self.outcomes = outcomes
        self.taken: set[int] = set()
        for name, number in chosen.items():
            self.use(name, (self.looks[number],), NAMED)

    def use(self, name: Field, looks: Sequence[ColumnLook], why: str) -> None:
        self.taken.update(look.number for look in looks)
        example = next((look.example for look in looks if look.known), "")
        self.result.uses[name] = ColumnUse(tuple(look.number for look in looks), why, example)

    def target(self) -> ColumnLook | None:
        """The column of what was reported; of several, what all of them say."""
        if (use := self.result.uses.get("target_id")) is None:
            return None
        looks = [self.looks[column] for column in use.columns]
        if len(looks) == 1:
            return looks[0]
        rows = zip(*(look.values for look in looks), strict=True)
        values = [next((f"{k}/{plain_text(v)}" for k, v in enumerate(row) if not is_none(v)), None) for row in rows]
        return ColumnLook(looks[0].number, looks[0].name, values)

    def candidates(self, name: Field) -> dict[int, list[ColumnLook]]:
        """The columns that may be this field, by rank, without those that are taken or whose values do not fit."""
        found: dict[int, list[ColumnLook]] = {}
        for look, ranks in zip(self.looks, self.ranks, strict=True):
            if name in ranks and look.number not in self.taken and fits(name, look, ranks):
                found.setdefault(ranks[name], []).append(look)
        if name == "target_id":
            self._without_others(found)
        if self.holding and name in _OF_THE_REPORT:
            inside = {rank: left for rank, looks in found.items() if (left := self.inside(looks))}
            found = inside or ({} if name in _ONLY_INSIDE else found)
        if name == "reporter_id":
            if ADDRESSES in found and not self._are_only_addresses(found):
                del found[ADDRESSES]
            if 2 in found and 3 in found:  # agents beside customers
                most = max(look.distinct for look in found[3])
                found[2] = [o for o in found[2] if o.distinct > _MOST_AGENTS or o.distinct > _FEW_AGENTS * most]
            if 2 in found and any(is_actor(look.name) for look in found.get(3, ())):
                # of whom was reported, or who wrote
                found[2] = [look for look in found[2] if not is_account(look.name)]
        return {rank: looks for rank, looks in sorted(found.items()) if looks}

    def _are_only_addresses(self, found: Mapping[int, list[ColumnLook]]) -> bool:
        """Whether reports name nobody but by an address: not where people or what may be their ids stand beside it, and
        not in a log of requests."""
        unknown = [
            look
            for look, ranks in zip(self.looks, self.ranks, strict=True)
            if look.number not in self.taken and (not ranks or ranks == {"target_id": REPORTED}) and may_be_id(look)
        ]
        return len(found) == 1 and not unknown and speaks_of_reports(self.looks, self.called)

    def _without_others(self, found: dict[int, list[ColumnLook]]) -> None:
        """Leave out what only looks like what was reported: of the report itself, of its reporter or of an author."""
        if any(_NAME_OF_REPORTED.fullmatch(normalised(look.name)) for look in self.looks):
            people = [look for look in found.get(1, ()) if _ID_OF_REPORTED.fullmatch(normalised(look.name))]
            if people and (left := [look for look in found[1] if look not in people]):
                found[1] = left
        if ACCOUNTS in found:  # "Reported email" beside "Reported by" is of who reported
            reporters = [look for rank, looks in self.candidates("reporter_id").items() if rank <= 1 for look in looks]
            found[LINKS] = [look for look in found.get(LINKS, ()) if not _EVENT.match(normalised(look.name))]
            found[ACCOUNTS] = [o for o in found[ACCOUNTS] if not any(same_people(o, look) for look in reporters)]
        every = [look for looks in found.values() for look in looks]
        again = any(not one_a_row(look) for look in every)
        several = any(look.distinct > FEW_TARGETS for look in every)
        whole = [look for look in every if _is_filled(look)]
        accounts = max((look.distinct for look in found.get(ACCOUNTS, ()) if look in whole), default=0)
        for rank, looks in found.items():
            if again:
                looks = [look for look in looks if not (one_a_row(look) and is_own(look))]
            if whole and not one_of_each_row(looks):
                looks = [look for look in looks if look in whole or _is_finer(look, whole)]
            if 0 < rank < PLACES:  # a content has one author: fewer of them than accounts are states, kinds or places
                looks = [look for look in looks if look not in whole or look.distinct >= _NEARLY_ALL * accounts]
            if rank > 0 and several and len(self.rows) >= MANY:  # words for a state or a kind
                looks = [o for o in looks if o.distinct > FEW_TARGETS or len(o.known) < len(o.values)]
            found[rank] = [look for look in looks if rank not in (PLACES, REPORTED) or look.distinct > FEW_TARGETS]

    def inside(self, looks: Sequence[ColumnLook]) -> list[ColumnLook]:
        """The columns of the rows themselves, without those of the objects that hold them."""
        return [look for look in looks if look.name not in self.holding]


def _prefix(header: Sequence[str]) -> str:
    """What nearly all names begin with, as `cr_` in `cr_user_id` and `cr_comment_id`; empty without one."""
    counts = Counter(match[0] for name in header if (match := _PREFIX.match(normalised(name))))
    prefix, count = next(iter(counts.most_common(1)), ("", 0))
    return prefix if count >= _NEARLY_ALL * len(header) else ""


def _is_finer(look: ColumnLook, others: Sequence[ColumnLook]) -> bool:
    """Whether each value goes with one of another column, as a reply with its post."""
    return any(other is not look and depends_on(other, look) == 1.0 for other in others)


def _is_filled(look: ColumnLook) -> bool:
    return sum(not is_none(value) for value in look.values) >= 0.5 * len(look.values)


def is_own(look: ColumnLook) -> bool:
    """Whether a column is called like the id of the report itself."""
    return _OWN_ID.fullmatch(normalised(look.name)) is not None


def one_a_row(look: ColumnLook) -> bool:
    """Whether each row has another value."""
    return len(look.values) >= _FEW and look.distinct == len(look.known) == len(look.values)
