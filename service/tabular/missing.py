"""What is said of a table that does not say who reported what and when, with the columns that may be it. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from service.errors import Refused
from service.tabular.headings import bare, may_be_when
from service.tabular.looks import ColumnLook, same_people
from service.tabular.naming import listed, option, short_name
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text
from service.tabular.verdicts import is_known, judge_both_ways, judge_one_way
from service.tabular.vocabulary import IN_WORDS, TIMES, Field, ranks_of

FEW = 10  # so many rows by one reporter are not a list of people's reports
_MOSTLY_UNKNOWN = 0.5
_FEW_WORDS = 12  # different ones of a column of verdicts
FEW_TARGETS = 4  # so many are rather categories
_NEVER_TARGETS: tuple[Field, ...] = ("id", "reporter_id", "author_id", "reason", "verdict", "kind", "trusted", *TIMES)
_MEASURE = re.compile(
    r"(?:^|_)(?:score|count|counts|amount|total|sum|number_of|priority|severity|level|rank|votes?|karma|points|weight|size"
    r"|length|age|price|duration|latitude|longitude|lat|lon|lng|percent|ratio|confidence|probability)(?:_|\Z)"
)
_HANDLERS = re.compile(
    r"(?:^|_)(?:assign|handle|resolv|review(?:er|ed)|moderat|admin|closed|staff|agent|mod(?:s|_|\Z)|filter|rule|actor)"
)


def sentence_of_missing(
    missing: Sequence[Field],
    header: Sequence[str],
    left: Sequence[ColumnLook],
    notes: Sequence[str],
    reporter: ColumnLook | None,
    *,
    outcomes: bool,
) -> str:
    """What is missing, and how to name it: with a column that may be it, if there is one. `left` is not read yet."""
    what = " and ".join(f"{IN_WORDS[name]} ({short_name(name)})" for name in missing)
    said = "".join(f"; {note}" for note in [*notes, *(_called_times(left) if "occurred_at" in missing else ())])
    several = len([name for name in missing if name not in TIMES]) > 1  # then what may be one may be the other
    found = {
        name: column
        for name in missing
        if (name in TIMES or not several) and (column := _may_be(name, left, reporter)) is not None
    }
    named = " ".join(option(name, look.name) for name, look in found.items())
    return (
        f"no column was recognised for {what}{said}. It has the columns {listed(header)}. Name"
        f" {'it' if len(missing) == 1 else 'them'}, for instance {named or f'--column {short_name(missing[0])}=COLUMN'}"
        f"{'' if outcomes else '; a file that does not say it for each report cannot serve'}"
    )


def _called_times(left: Sequence[ColumnLook]) -> Iterator[str]:
    """Columns that are called like a time whose values are not times that are known."""
    for look in left:
        if "occurred_at" in ranks_of(look.name) and look.known and not look.is_time:
            yield (
                f"{look.name!r} is called like it, but {look.example!r} is not a time that is known: export dates with"
                f" hours, or say how it is written: {option('occurred_at', look.name)} --time-format '%d.%m.%Y %H:%M'"
            )


def _may_be(name: Field, left: Sequence[ColumnLook], reporter: ColumnLook | None) -> ColumnLook | None:
    """The column that may be a required field, though its name does not say so."""
    if name in TIMES:
        times = [look for look in left if look.is_time and may_be_when(normalised(bare(look.name)), numbers=False)]
        return next((look for look in times if not look.is_number), None)
    if name != "target_id":  # a person who did something is all too easily not who reported
        return None
    ones = [look for look in left if look.known and not (look.is_time or look.is_yes_or_no or look.has_lists)]
    ones = [look for look in ones if not (_MEASURE.search(normalised(look.name)) or handles(look))]
    ones = [look for look in ones if not set(_NEVER_TARGETS) & set(ranks_of(look.name))]
    ones = [look for look in ones if not look.is_prose]
    ones = [look for look in ones if reporter is None or not same_people(look, reporter)]
    repeated = [look for look in ones if FEW_TARGETS < look.distinct < len(look.known)]
    return max(repeated, key=_like_a_target, default=None)


def handles(look: ColumnLook) -> bool:
    """Whether a column names who handled a report, or the rule that did."""
    return _HANDLERS.search(normalised(look.name)) is not None


def _like_a_target(look: ColumnLook) -> tuple[bool, int]:
    return normalised(look.name).endswith("id"), look.distinct


def check_reporters(reporter: ColumnLook) -> None:
    """Refuse a table in which hardly anybody, or one account alone, would have reported."""
    rows = len(reporter.values)
    if rows >= FEW and len(reporter.known) < _MOSTLY_UNKNOWN * rows:
        empty = f"{reporter.name!r} is empty in {rows - len(reporter.known):,} of {rows:,} rows"
        raise Refused(
            f"{empty}: a table of reports says for each who made it. If it is who reported, leave out the rows without"
            " one, for instance with a spreadsheet's filter"
        )
    if len(reporter.known) >= FEW and reporter.distinct == 1:
        raise Refused(
            f"{reporter.name!r} is {reporter.example!r} in every row: a table of reports has many reporters. If another"
            " column says who reported, name it: --column reporter=COLUMN"
        )


def unused_verdicts(left: Iterable[ColumnLook]) -> Iterator[str]:
    """Columns that look like what moderators decided, or are called so, where none is taken for it."""
    for look in left:
        words = sorted({plain_text(v).strip() for v in look.known}) if look.distinct <= _FEW_WORDS else []
        if judge_both_ways(words):
            yield f"{look.name!r} looks like a verdict ({listed(words)}): if it is one, {option('verdict', look.name)}"
        elif "verdict" in ranks_of(look.name) and judge_one_way(look.known):
            yield (
                f"{look.name!r} says of some complaints who was right, and leaves it open of others that have ended:"
                f" {listed(words, repr)}. That would show one kind of decision alone, so it is not taken; if all others"
                f" are still open, {option('verdict', look.name)}"
            )
        elif words and ranks_of(look.name).get("verdict") == 1 and not any(map(is_known, words)):
            yield f"{look.name!r} is called like a verdict, but its words are not known, and not taken: {listed(words)}"
