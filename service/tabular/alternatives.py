"""Which of several columns, whose names say the same, is a required field. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.errors import Refused
from service.tabular.candidates import NAMED
from service.tabular.looks import (
    LOOKED_AT,
    ColumnLook,
    depends_on,
    exclude_each_other,
    finer_first,
    is_counter,
    nested,
    one_of_each_row,
    same_people,
)
from service.tabular.missing import handles
from service.tabular.name_kinds import fineness, is_sender
from service.tabular.naming import option, quoted
from service.tabular.plain_names import normalised
from service.tabular.plausible import MOSTLY, is_time_of_target, not_theirs, same_times, when_sent
from service.tabular.target_columns import TargetColumns
from service.tabular.values import plain_text
from service.tabular.vocabulary import IN_WORDS, Field

_FULL_NAME = re.compile(r"(?:.*_)?(?<!user_)(?<!login_)name")  # which several people may have
_PLAYER = re.compile(r"player|character")
_MOST_NAMED = 0.8  # of the rows
ONE_REPORTER = 10  # so many rows by one reporter are not a list of people's reports


class Alternatives(TargetColumns):
    """Chooses among columns of one rank."""

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
            if parts := nested(looks) or _by_fineness(looks):
                return parts, "their names; the finest that a row has"
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
            if name == "occurred_at":
                looks = [look for look in looks if not handles(look)] or looks
            created: Sequence[ColumnLook] = [look for look in looks if "creat" in look.name.lower()] or looks
            created = when_sent(created) if name == "occurred_at" else created
            if len(created) == 1 or all(same_times(look, created[0]) for look in created[1:]):
                return created[:1], "its name"
            raise self.unclear(name, looks)
        if name == "reporter_id" and len(senders := [look for look in looks if is_sender(look.name)]) == 1:
            return senders, "its name"  # beside them, people without a role are those who were reported
        ids = [look for look in looks if normalised(look.name).endswith("id")]
        first = next((look for look in ids if not is_of_player(look)), (ids or list(looks))[0])
        others = [o for o in looks if o is not first and not (name == "reporter_id" and exclude_each_other([first, o]))]
        if all(same_people(first, o) or (name == "reporter_id" and self.goes_with(o, first)) for o in others) or (
            name == "reporter_id" and all(is_of_player(o) and self.goes_with(first, o) for o in others)
        ):
            return [first], f"its name; {quoted(others)} says the same"
        raise self.unclear(name, looks)

    def unclear(self, name: Field, looks: Sequence[ColumnLook]) -> Refused:
        return Refused(
            f"{quoted(looks)} could each be {IN_WORDS[name]}: choose one, for instance {option(name, looks[0].name)}"
        )

    def prefer_reporter_ids(self) -> None:
        """Take who reported by what tells people apart, if a name was taken that does not, or that many rows lack."""
        use = self.result.uses.get("reporter_id")
        if use is None or use.why == NAMED or len(use.columns) > 1 or self.outcomes:
            return
        name = self.looks[use.columns[0]]
        lacks = len(name.known) < _MOST_NAMED * len(self.rows)
        for look, ranks in zip(self.looks, self.ranks, strict=True):
            plain = normalised(look.name)
            of_both = _without_last_word(look) == _without_last_word(name)  # reporter_name, reporter_email
            beside = "reporter_id" in ranks or (of_both and "_" in plain)
            others = bool({"target_id", "author_id"} & set(ranks))  # `reported_email` beside `reported_by`
            if look.number in self.taken or others or not beside or len(look.known) < len(name.known):
                continue
            is_id = plain == "uid" or (plain.endswith("id") and not normalised(name.name).endswith("id"))
            is_number = is_id and look.has_numbers and same_people(name, look)
            is_address = _has_addresses(look) and (depends_on(name, look) or 0) >= MOSTLY
            if is_number or (is_address and (lacks or (of_both and _FULL_NAME.fullmatch(normalised(name.name))))):
                self.taken.discard(name.number)
                self.use("reporter_id", (look,), f"it tells people apart, {name.name!r} may not")
                return

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


def _has_addresses(look: ColumnLook) -> bool:
    """Whether most values are e-mail addresses."""
    some = [plain_text(value) for value in look.known[:LOOKED_AT]]
    return sum("@" in text[1:] for text in some) > MOSTLY * len(some)


def _without_last_word(look: ColumnLook) -> str:
    return normalised(look.name).rpartition("_")[0]


def _by_fineness(looks: Sequence[ColumnLook]) -> list[ColumnLook]:
    """Contents before accounts before places, those that fewer rows have first; none if they are not of such kinds, or
    if the finest is in every row.
    """
    kinds = [(fineness(look.name), len(look.known), look.number, look) for look in looks]
    if any(kind is None for kind, *_ in kinds) or len({kind for kind, *_ in kinds}) < 2:
        return []
    ordered = [look for *_, look in sorted(kinds, key=lambda one: (one[0] or 0, one[1], one[2]))]
    return ordered if len(ordered[0].known) < len(ordered[0].values) else []


def is_of_player(look: ColumnLook) -> bool:
    """Whether a column is of players, who may be others in each game while their account is the same."""
    return _PLAYER.search(normalised(look.name)) is not None
