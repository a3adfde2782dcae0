"""Whether the values of a column fit what its name says. PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.fields import ID_CHARACTERS
from service.tabular.headings import may_be_when
from service.tabular.looks import ColumnLook, is_counter
from service.tabular.plain_names import normalised
from service.tabular.verdicts import judge_both_ways, verdict_of
from service.tabular.vocabulary import ACTIONS, TIMES, Field

_FEW = 10  # rows that show nothing
_COME_AGAIN = 0.7  # distinct values at most, of all
_OF_A_PERSON = re.compile(  # what people write about themselves
    r"(?:.*_)?(?:user|account|reporter|author|assignee|member|owner|creator|profile|person|actor)_(?:description|bio|about"
    r"|about_me|signature|summary|note|notes|headline)"
)


def _comes_again(look: ColumnLook) -> bool:
    """Whether a column has short values of which most come again."""
    return look.longest <= ID_CHARACTERS and _FEW < look.distinct <= _COME_AGAIN * len(look.known)


def _is_of_few_words(look: ColumnLook) -> bool:
    """Whether a column has some words again and again, as an answer that is pending or given."""
    return (
        not look.has_numbers and not look.has_links and look.distinct * _FEW <= len(look.known) and look.distinct < _FEW
    )


def fits(name: Field, look: ColumnLook, ranks: Mapping[Field, int]) -> bool:
    """Whether a column can be the field that its name may stand for, at these ranks."""
    rank = ranks[name]
    if name == "author_id" and look.name != name and look.distinct == 1 < _FEW <= len(look.known):
        return False  # a program's, as that of a bot's messages
    if rank == 0:
        return True
    if not look.known:
        return False
    if name in TIMES:
        return look.is_time and (rank < 3 or may_be_when(normalised(look.name), numbers=look.is_number))
    if name in ("reporter_id", "target_id", "author_id", "context_id"):
        named_time = "occurred_at" in ranks and look.is_time
        may_be_text = name == "target_id" and rank == 2 and "text" in ranks
        several = name == "reporter_id" and look.has_lists
        title = name == "target_id" and rank == 1 and _comes_again(look)  # of a post, as people's tables name it
        unfit = (look.is_prose and not title) or look.is_yes_or_no or look.is_measured or several or named_time
        is_row = normalised(look.name) == "entry_id" and look.distinct == len(look.known) > 1  # of a form
        same = name == "reporter_id" and rank > 1 and look.distinct == 1 and len(look.known) >= _FEW
        numbered = name == "target_id" and rank > 2 and is_counter(look)  # as the rows themselves
        state = name == "target_id" and rank == 2 and _is_of_few_words(look)
        return not (unfit or same or is_row or numbered or state or (may_be_text and not look.has_numbers))
    if name == "reason":
        return look.longest <= 64
    if name == "kind":
        return look.distinct <= 20 and look.longest <= 64
    if name == "verdict":
        return any(map(verdict_of, look.known)) if rank < ACTIONS else judge_both_ways(look.known)
    if name == "text" and _OF_A_PERSON.fullmatch(normalised(look.name)):
        return False
    if name == "text" and rank > 1:
        return look.is_prose or look.longest > 64
    if name == "trusted":
        return look.is_yes_or_no or look.distinct <= 2
    return True
