"""What may be wrong with a reading that nothing refuses: said beside it. PURE."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from service.tabular.heading_meanings import meanings_of
from service.tabular.headings import bare
from service.tabular.looks import ColumnLook, depends_on
from service.tabular.naming import option
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text
from service.tabular.verdicts import judge_both_ways
from service.tabular.vocabulary import ranks_of

_FEW = 20  # rows that show nothing
_OF_AN_ID = re.compile(r"(?:^|_|[a-z])(?:id|ids|no|nr|num|number|key|uri|url|link|guid|uuid|ref)\Z")
_OF_OTHERS = re.compile(
    r"(?:^|_)(?:reports?|reporter|flags?|flagger|complaints?|user|account|author|member|moderator|session|device|ip|client"
    r"|ticket|case)(?:_|\Z)"
)
_MORE = 1.2  # times as many as targets
_MUCH = 0.5  # of the rows by one account
_OF_REPORTS = re.compile(
    r"(?:^|_|(?<=user))(?:report|flag(?!ship)|complain|notice|abuse|violation|offen[cs]e|incident|ticket|meld|beschwer"
    r"|denunc|signal|segnala)"
)
_SAYS_REPORTS = re.compile(  # "ticket", "signal_strength" and "feature_flag" are of other things
    r"(?:^|_)(?:report(?:er|ed|s|ing)?(?:id)?|flag(?:ger|ged)(?:id)?|complain[a-z]*|abuse|abusive|denunc[a-z]*|signal(?:e|ant)[a-z]*"
    r"|segnala[a-z]*|meld[a-z]*|gemeldet[a-z]*|beschwer[a-z]*)(?:_|\Z)"
)
_OF_ANYTHING = re.compile(r"categor|kategor|issue")
_CALLED = re.compile(  # files and tables of reports; "report" alone may be any program's
    r"abuse|complaint|(?<![a-z])flag(?:s|ged|ging)?(?![a-z])|meldungen|beschwerde|denuncia|signalements?(?![a-z])"
    r"|(?:post|comment|user|content|message|review|listing|player|abuse|abusive|spam)s?[-_ ]?reports?(?![a-z])"
    r"|report(?:ed|s)[-_ ](?:post|comment|user|content|message)|segnalazion|жалоб|скарг|通報|举报|舉報|신고|zgloszeni"
    r"|sikayet|stiznost|\btable '?reports?\b",
    re.IGNORECASE,
)
_OTHER_ACTS = re.compile(  # headings of votes, of filters' hits, of logs of what moderators did
    r"(?:up_?|down_?)?votes?(?:_(?:type|value|kind|direction))?|voted|reactions?(?:_(?:type|kind|emoji))?|emoji|filter"
    r"(?:_(?:id|name))?|rule_matched|triggered_rule|log_(?:type|action)|(?:mod_)?action|blocked(?:_(?:id|user|user_id))?"
    r"|muted(?:_(?:id|user|user_id))?|followed(?:_(?:id|user|user_id))?|stars|rating"
)
_MEANINGS = frozenset(("report", "reported", "reporter", "accused"))


def speaks_of_reports(looks: Sequence[ColumnLook], called: str) -> bool:
    """Whether any heading, or what the file is called, says that something was reported, or why."""
    return (
        names_reports(looks, called)
        or _has_reasons(looks)
        or any(_OF_REPORTS.search(normalised(bare(look.name))) for look in looks)
    )


def names_reports(looks: Sequence[ColumnLook], called: str) -> bool:
    """Whether a heading or the file's name says "reports" or the like; reasons alone may be of anything."""
    if _CALLED.search(called) or (_has_reasons(looks) and "report" in called.lower()):
        return True
    plain = [normalised(bare(look.name)) for look in looks]
    return any(_SAYS_REPORTS.search(name) or _MEANINGS & (meanings_of(name) or frozenset()) for name in plain)


def says_reported(name: str) -> bool:
    """Whether a heading says of itself that something was reported, flagged or complained about."""
    return _SAYS_REPORTS.search(normalised(bare(name))) is not None


def _has_reasons(looks: Sequence[ColumnLook]) -> bool:
    named = [look.name for look in looks if ranks_of(look.name).get("reason", 9) <= 1]
    return any(not _OF_ANYTHING.search(normalised(name)) for name in named)


def gives_reasons(looks: Sequence[ColumnLook], called: str) -> bool:
    """Whether a column says why something was reported, or the file is called reports."""
    return _CALLED.search(called) is not None or _has_reasons(looks)


def of_other_acts(looks: Sequence[ColumnLook]) -> ColumnLook | None:
    """A column that says that people voted, hit a filter or moderated, rather than reported."""
    return next(
        (look for look in looks if _OTHER_ACTS.fullmatch(normalised(bare(look.name))) and _is_of_acts(look)),
        None,
    )


def _is_of_acts(look: ColumnLook) -> bool:
    return bool(look.values) and len(look.known) == len(look.values) and not judge_both_ways(look.known)


def finer_than(target: ColumnLook, others: Sequence[ColumnLook]) -> str | None:
    """A doubt where another column has several ids for each target, as comments of one article; None without one."""
    for look in others:
        plain = normalised(bare(look.name))
        if (
            _OF_AN_ID.search(plain)
            and not _OF_OTHERS.search(plain)
            and not (look.is_time or look.is_prose or look.is_yes_or_no)
            and _MORE * target.distinct < look.distinct < len(look.known)
            and depends_on(target, look) == 1.0
        ):
            return (
                f"each {target.name!r} has several {look.name!r}: if those are what was reported, say so:"
                f" {option('target_id', look.name)}"
            )
    return None


def doubts_about(reporter: ColumnLook, looks: Sequence[ColumnLook], called: str, *, by_name: bool) -> Iterator[str]:
    """What speaks against the column of those who reported; `by_name`: its name says that it is one."""
    if not by_name and not names_reports(looks, called):
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
