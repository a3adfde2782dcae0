"""The columns of a table that may be a field, by their names and values. PURE."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from service.tabular.columns import ColumnUse, Recognition
from service.tabular.fitting import fits
from service.tabular.looks import ColumnLook, Rows, depends_on, is_none, looks_of, same_people
from service.tabular.name_kinds import is_actor
from service.tabular.name_parts import CONTENT, ID, WHO
from service.tabular.other_ids import may_be_id
from service.tabular.plain_names import normalised
from service.tabular.report_words import says_reported, speaks_of_reports
from service.tabular.reporter_roles import without_constants, without_roles
from service.tabular.target_rules import MANY, without_others
from service.tabular.values import plain_text
from service.tabular.vocabulary import ADDRESSES, REPORTED, Field, ranks_of

NAMED = "named by an option"
_ONLY_INSIDE: tuple[Field, ...] = ("id", "text", "reason", "notice_type", "part_of")
_OF_THE_REPORT: tuple[Field, ...] = ("reporter_id", "occurred_at", *_ONLY_INSIDE)
_MOST_AGENTS = 10
_FEW_AGENTS = 0.1  # of the customers
_OTHER_ACTS = re.compile(
    r"(?:appeal|vote|like|ban|rating|block|asg|assign|jury|review|follow|friend|invite|order|payment|log|visit|view|audit"
    r"|mute|favorite|bookmark|watch)_"
)
_REPORT_USER = re.compile(rf"report_{WHO}{ID}+")
_REPORT_CONTENT = re.compile(rf"report_{CONTENT}{ID}+")
_PLAIN_USER = re.compile(rf"{WHO}{ID}+")
_TABLE_NUMBER = re.compile(r"^[a-z]{1,3}\d{1,3}_")
_PREFIX = re.compile(r"[a-z]{1,8}_")
_NEARLY_ALL = 0.8  # of the columns
_FEW_NODES = 4  # are rather ways in which something came
_EDGES = (("source", "target"), ("from", "to"), ("src", "dst"), ("src", "dest"), ("node_1", "node_2"))


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
        self.ranks = [ranks_of(name) or ranks_of(prefix.sub("", normalised(name))) for name in header]
        self.result = Recognition()
        edge = _edge(self.looks, self.ranks)
        for number, instead in (_reported_by_prefix(self.looks) | edge).items():
            self.ranks[number] = instead
        if edge and not outcomes:
            source, target = (header[number] for number in edge)
            note = f"no name says that anything was reported: make sure that {source!r} reported {target!r}"
            self.result.notes.append(note)
        self.outcomes = outcomes
        self.taken: set[int] = set()
        for name, number in chosen.items():
            self.use(name, (self.looks[number],), NAMED)

    def use(self, name: Field, looks: Sequence[ColumnLook], why: str) -> None:
        self.taken.update(look.number for look in looks)
        example = next((look.example for look in looks if look.known), "")
        self.result.uses[name] = ColumnUse(tuple(look.number for look in looks), why, example)

    def reporter(self) -> ColumnLook:
        """The column of who reported, which has been found."""
        return self.looks[self.result.uses["reporter_id"].columns[0]]

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
            reporters = [o for rank, looks in self.candidates("reporter_id").items() if rank <= 1 for o in looks]
            found = without_others(found, self.looks, reporters)
        if name == "occurred_at" and 0 in found and any(says_reported(look.name) for look in found.get(1, ())):
            del found[0]  # of what happened, since another one says that it was reported then
        if self.holding and name in _OF_THE_REPORT:
            inside = {rank: left for rank, looks in found.items() if (left := self.inside(looks))}
            found = inside or ({} if name in _ONLY_INSIDE else found)
        if name == "reporter_id":
            if ADDRESSES in found and not self._are_only_addresses(found):
                del found[ADDRESSES]
            found = without_roles(without_constants(found))
            if 2 in found and 3 in found:  # agents beside customers
                most = max(look.distinct for look in found[3])
                found[2] = [o for o in found[2] if o.distinct > _MOST_AGENTS or o.distinct > _FEW_AGENTS * most]
            if 2 in found and any(is_actor(look.name) for look in found.get(3, ())):
                found[2] = []  # of whom was reported, or who wrote
        return {rank: looks for rank, looks in sorted(found.items()) if looks}

    def _are_only_addresses(self, found: Mapping[int, list[ColumnLook]]) -> bool:
        """Whether reports name nobody but by an address: not where people or what may be their ids stand beside it, and
        not in a log of requests."""
        unknown = [
            look
            for look, ranks in zip(self.looks, self.ranks, strict=True)
            if look.number not in self.taken
            and (not ranks or ranks == {"target_id": REPORTED})
            and (may_be_id(look) or (len(self.rows) < MANY and _may_be_people(look)))
        ]
        return len(found) == 1 and not unknown and speaks_of_reports(self.looks, self.called)

    def inside(self, looks: Sequence[ColumnLook]) -> list[ColumnLook]:
        """The columns of the rows themselves, without those of the objects that hold them."""
        return [look for look in looks if look.name not in self.holding]


def _prefix(header: Sequence[str]) -> re.Pattern[str]:
    """What nearly all names begin with and says nothing, as `cr_` in `cr_user_id` and `cr_comment_id`, or the numbers
    of tables as in `A02_ID` and `A05_DATE`.
    """
    names = list(map(normalised, header))
    if sum(_TABLE_NUMBER.match(name) is not None for name in names) >= _NEARLY_ALL * len(names):
        return _TABLE_NUMBER
    counts = Counter(match[0] for name in names if (match := _PREFIX.match(name)))
    prefix, count = next(iter(counts.most_common(1)), ("", 0))
    strips = count >= _NEARLY_ALL * len(names) and not _OTHER_ACTS.fullmatch(prefix)
    return re.compile(f"^{prefix}" if strips else "^")


def _reported_by_prefix(looks: Sequence[ColumnLook]) -> dict[int, Mapping[Field, int]]:
    """Where `report_` means reported: `report_user_id` is always the same beside one `report_comment_id`, whose author
    it is, and who reported stands in a plain `user_id`.
    """
    people = [look for look in looks if _REPORT_USER.fullmatch(normalised(look.name))]
    contents = [look for look in looks if _REPORT_CONTENT.fullmatch(normalised(look.name))]
    plain = [look for look in looks if _PLAIN_USER.fullmatch(normalised(look.name))]
    if not len(people) == len(contents) == len(plain) == 1 or depends_on(people[0], contents[0]) != 1.0:
        return {}
    if same_people(plain[0], people[0]) or depends_on(plain[0], contents[0]) == 1.0:
        return {}
    return {contents[0].number: {"target_id": 1}, people[0].number: {"author_id": 1}}


def _edge(looks: Sequence[ColumnLook], ranks: Sequence[Mapping[Field, int]]) -> dict[int, Mapping[Field, int]]:
    """Source and target of a network's edges, which say who reported whom or what where no other column does."""
    numbers = {normalised(look.name): look.number for look in looks}
    if any("reporter_id" in of and normalised(look.name) != "from" for look, of in zip(looks, ranks, strict=True)):
        return {}
    for source, target in _EDGES:
        if source in numbers and target in numbers and looks[numbers[source]].distinct > _FEW_NODES:
            return {numbers[source]: {"reporter_id": 2}, numbers[target]: {"target_id": 2}}
    return {}


def _may_be_people(look: ColumnLook) -> bool:
    """Whether a column of a few rows has values that come again."""
    return 1 < look.distinct < len(look.known) and not (look.is_time or look.is_prose or look.is_yes_or_no)
