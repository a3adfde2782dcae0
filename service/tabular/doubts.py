"""What may be wrong with a reading that nothing refuses: said beside it. PURE."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from service.tabular.heading_meanings import meanings_of
from service.tabular.headings import bare
from service.tabular.looks import ColumnLook
from service.tabular.naming import option
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text
from service.tabular.verdicts import judge_both_ways
from service.tabular.vocabulary import ranks_of

_FEW = 20  # rows that show nothing
_MUCH = 0.5  # of the rows by one account
_OF_REPORTS = re.compile(
    r"(?:^|_|(?<=user))(?:report|flag(?!ship)|complain|notice|abuse|violation|offen[cs]e|incident|ticket|meld|beschwer"
    r"|denunc|signal|segnala)"
)
_OTHER_ACTS = re.compile(  # headings of votes, of filters' hits, of logs of what moderators did
    r"(?:up_?|down_?)?votes?(?:_(?:type|value|kind|direction))?|voted|reactions?(?:_(?:type|kind|emoji))?|emoji|filter"
    r"(?:_(?:id|name))?|rule_matched|triggered_rule|log_(?:type|action)|(?:mod_)?action|blocked(?:_(?:id|user|user_id))?"
    r"|muted(?:_(?:id|user|user_id))?|followed(?:_(?:id|user|user_id))?|stars|rating"
)
_MEANINGS = frozenset(("report", "reported", "reporter", "accused", "reason"))


def speaks_of_reports(looks: Sequence[ColumnLook]) -> bool:
    """Whether any heading says that something was reported, or why."""
    for look in looks:
        plain = normalised(bare(look.name))
        if _OF_REPORTS.search(plain) or _MEANINGS & (meanings_of(plain) or frozenset()):
            return True
        if ranks_of(look.name).get("reason", 9) <= 1:
            return True
    return False


def of_other_acts(looks: Sequence[ColumnLook]) -> ColumnLook | None:
    """A column that says that people voted, hit a filter or moderated, rather than reported."""
    return next(
        (look for look in looks if _OTHER_ACTS.fullmatch(normalised(bare(look.name))) and _is_of_acts(look)),
        None,
    )


def _is_of_acts(look: ColumnLook) -> bool:
    return bool(look.values) and len(look.known) == len(look.values) and not judge_both_ways(look.known)


def doubts_about(reporter: ColumnLook, looks: Sequence[ColumnLook], *, by_name: bool) -> Iterator[str]:
    """What speaks against the column of those who reported; `by_name`: its name says that it is one."""
    if not by_name and not speaks_of_reports(looks):
        yield (
            f"no column's name says that anything was reported: make sure that {reporter.name!r} is who reported, and"
            " not who wrote or decided"
        )
    names = Counter(plain_text(v).strip() for v in reporter.known)
    if len(reporter.known) < _FEW:
        return
    (most, count), *_ = names.most_common(1)
    if count > _MUCH * len(reporter.known):
        yield (
            f"{reporter.name!r} is {most[:40]!r} in {count:,} of {len(reporter.known):,} rows. If that is a program or"
            f" a moderator who passes reports on, name the column of who did: {option('reporter_id', 'COLUMN')}"
        )
    alike = len(names) - len({name.casefold() for name in names})
    if alike:
        yield f"{reporter.name!r} has {alike:,} names that differ from others in upper case only: they count apart"
