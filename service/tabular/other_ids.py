"""What was reported where no name says so: the one id beside who reported, of a kind that nobody foresaw. PURE.

Software calls what it has by names of its own (`snippet_id`, `enqueteId`); a table of reports has one such id beside
those of people, moderators and categories, or says in a second column of what kind the thing is (`abusable_id`,
`abusable_type`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, depends_on, is_counter, one_of_each_row, same_people
from service.tabular.missing import FEW_TARGETS, handles
from service.tabular.name_kinds import is_thing
from service.tabular.other_things import is_of_something_else, is_where
from service.tabular.plain_names import normalised
from service.tabular.target_rules import is_proof
from service.tabular.vocabulary import REPORTED, TIMES, Field

_AN_ID = re.compile(r"(.+?)(?:_?(?:id|idx|uuid|guid|pk|slug)|_(?:seq|srl))")
_WORD_IN_ID = re.compile(r"(?:.*_)?(?:valid|invalid|paid|unpaid|void|avoid|bid|android|said|grid|aid|did|rapid|solid)")
_ID_OF = re.compile(r"(.+?)_id_[a-z]+")  # user_id_target
_KIND = re.compile(r"(.+?)_?(?:type|model|table|class|kind|entity)(?:_(?:id|name))?")
_MOST_KINDS = 20
_OF_THE_SAME = 0.5  # of the values that come again
_NEVER: tuple[Field, ...] = ("reporter_id", "author_id", "reason", "verdict", "kind", "context_id", *TIMES)
_REPORTS = r"(?:report|flag|complaint)s?(?:_|\Z)"
_FROM = re.compile(  # where the button stood, and where a report that a program made lies
    r"(?:^|_)(?:from|via|on_page|current|origin|file|path|download|export)(?:_|\Z)"
)
_OF_PEOPLE = re.compile(r"user|nick|mail|login|account|member|player")  # `rUsername` beside `rID`
Ranks = Sequence[Mapping[Field, int]]


def with_kind(
    looks: Sequence[ColumnLook], ranks: Ranks, *, beside_accounts: bool
) -> tuple[ColumnLook, ColumnLook] | None:
    """The id of something and the column that says of what kind it is; None unless there is one such pair."""
    kinds = {_kind_stem(look): look for look in looks if 0 < look.distinct <= _MOST_KINDS and not look.is_prose}
    found = [
        (look, kinds[stem])
        for look in looks
        if (stem := id_stem(look)) in kinds
        and stem
        and kinds[stem] is not look
        and not is_of_something_else(stem)
        and not (beside_accounts and is_where(stem))
        and _may_be_target(look, ranks[look.number])
    ]
    return found[0] if len(found) == 1 else None


def only_ids(looks: Sequence[ColumnLook], ranks: Ranks, called: str = "") -> list[ColumnLook]:
    """The one column of ids that nothing else explains, or several of which each row fills one; else none.

    `called`: what the table is called: in `project_reports`, projects are what was reported.
    """
    found = [
        look
        for look in looks
        if (stem := id_stem(look) or _thing(look))
        and (not is_of_something_else(stem) or is_named_by_table(look, called))
        and _may_be_target(look, ranks[look.number])
        and not any(_OF_PEOPLE.search(normalised(other.name)) and same_people(look, other) for other in looks)
    ]
    if parts := one_of_each_row(found):
        return parts
    found = [look for look in found if len(look.known) == len(look.values)]
    finest = max(found, key=lambda look: look.distinct, default=None)
    others = [look for look in found if look is not finest]
    alone = finest is not None and all(depends_on(look, finest) in (None, 1.0) for look in others)
    return [finest] if finest is not None and alone else []


def is_named_by_table(look: ColumnLook, called: str) -> bool:
    """Whether a table is called after what a column has ids of: `valuation_reports` after `valuation_id`."""
    stem = id_stem(look) or _thing(look)
    return bool(stem) and re.search(rf"(?:^|_){re.escape(stem)}_{_REPORTS}", normalised(called)) is not None


def only_links(looks: Sequence[ColumnLook]) -> list[ColumnLook]:
    """The one column of addresses of web pages that come again, unless they prove or illustrate something."""
    found = [look for look in looks if look.has_links and look.distinct < len(look.known) and not handles(look)]
    found = [look for look in found if not _FROM.search(normalised(bare(look.name)))]
    return found if len(found) == 1 and not is_proof(found[0]) else []


def may_be_id(look: ColumnLook) -> bool:
    """Whether a column may hold ids of whatever kind: words that come again."""
    return _may_be_target(look, {})


def id_stem(look: ColumnLook) -> str:
    """What a column has ids of, by its name: `voyage` of `voyage_id`, `id_voyage` and `voyage_id_new`; empty if it is
    not called so.
    """
    name = normalised(bare(look.name))
    if name.startswith("id_"):
        name = f"{name[3:]}_id"
    found = None if _WORD_IN_ID.fullmatch(name) else _AN_ID.fullmatch(name) or _ID_OF.fullmatch(name)
    return found[1] if found else ""


def rival(target: ColumnLook, reporter: ColumnLook, left: Sequence[ColumnLook], ranks: Ranks) -> ColumnLook | None:
    """A column that may be what was reported as well as the one that is taken: ids that do not go with it.

    `left`: the columns that are not taken. Any name will do where that of the target is one of "reported" alone.
    """
    any_name = ranks[target.number].get("target_id") == REPORTED
    for look in left:
        name = normalised(bare(look.name))
        stem = id_stem(look)
        others: dict[Field, int] = {field: r for field, r in ranks[look.number].items() if field != "context_id"}
        if (
            (any_name or stem or {"target_id", "id"} & set(ranks[look.number]) or is_thing(name))
            and not is_of_something_else(stem or name)
            and _may_be_target(look, others)
            and not (look.is_measured or is_proof(look) or look.has_links)
            and all((depends_on(look, key) or 0) < _OF_THE_SAME for key in (target, reporter))
            and (depends_on(target, look) or 0) < _OF_THE_SAME
        ):
            return look
    return None


def _thing(look: ColumnLook) -> str:
    """The name of a column that is a word for something that can be reported, such as `clip`; else empty."""
    name = normalised(bare(look.name))
    return name if is_thing(name) else ""


def _kind_stem(look: ColumnLook) -> str:
    """What a column has the kinds of, by its name: `abusable` of `abusable_type`; empty if it is not called so."""
    found = _KIND.fullmatch(normalised(bare(look.name)))
    return found[1] if found else ""


def _may_be_target(look: ColumnLook, ranks: Mapping[Field, int]) -> bool:
    """Whether values are ids of which some come again, and the name is that of nothing else."""
    if any(name in ranks for name in _NEVER) or handles(look) or look.is_prose or look.has_lists:
        return False
    if look.is_time and not look.is_number:  # numbers of nine digits may be either
        return False
    if "text" in ranks and not look.has_numbers:
        return False
    return FEW_TARGETS < look.distinct < len(look.known) and not look.is_yes_or_no and not is_counter(look)
