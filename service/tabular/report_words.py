"""Whether names of columns and files say that people reported something. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.tabular.heading_meanings import meanings_of
from service.tabular.headings import bare
from service.tabular.looks import LOOKED_AT, ColumnLook
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text
from service.tabular.verdicts import judge_both_ways
from service.tabular.vocabulary import ranks_of

_OF_REPORTS = re.compile(
    r"(?:^|_|(?<=user))(?:report|flag(?!ship)|complain|notice|abuse|violation|offen[cs]e|incident|ticket|meld|beschwer"
    r"|denunc|signal|segnala)"
)
_SAYS_REPORTS = re.compile(  # "ticket", "signal_strength" and "feature_flag" are of other things
    r"(?:^|_)(?:report(?:er|ed|s|ing)?(?:id)?|accus[a-z]*|flag(?:ger|ged)(?:id)?|complain[a-z]*|abuse|abusive|denunc[a-z]*|signal(?:e|ant)[a-z]*"
    r"|segnala[a-z]*|meld[a-z]*|gemeldet[a-z]*|beschwer[a-z]*)(?:_|\Z)"
)
_STATES = re.compile(
    # Of what people rate, buy or write: whether and how often it was reported, and the day of a table of figures. A
    # report's id is also in a moderator's note on it.
    r"(?:(?:is|was|has|post|comment|num|nr|no|number_of|count_of|n|total|times|user|abuse)_)*"
    r"(?:reports?|reported|flags?|flagged|complaints?|abuse)"
    r"(?:_(?:count|counts|total|num|number|date|day|status|state|as|id|fraud|malware|spam|score))*"
    r"|(?:last|first|latest)_(?:report|flag|complaint)(?:ed)?_.*"
)
_OF_ANYTHING = re.compile(r"categor|kategor|issue")
_CALLED = re.compile(  # files and tables of reports; "report" alone may be any program's, and so may "user report"
    r"abuse|complaint|(?<![a-z])flags?(?![a-z])|meldungen|beschwerde|denuncia|signalements?(?![a-z])"
    r"|(?:post|comment|user|content|message|review|listing|player|abuse|abusive|spam)s?[-_ ]?reports(?![a-z])"
    r"|reports[-_ ](?:post|comment|user|content|message)|segnalazion|жалоб|скарг|通報|举报|舉報|신고|zgloszeni"
    r"|sikayet|stiznost|\btable '?reports?\b",
    re.IGNORECASE,
)
_OTHER_ACTS = re.compile(  # headings of votes, of filters' hits, of logs of what moderators did
    r"(?:up_?|down_?)?votes?(?:_(?:type|value|kind|direction))?|voted|reactions?(?:_(?:type|kind|emoji))?|emoji|filter"
    r"(?:_(?:id|name))?|rule_matched|triggered_rule|log_(?:type|action)|(?:mod_)?action|blocked(?:_(?:id|user|user_id))?"
    r"|muted(?:_(?:id|user|user_id))?|followed(?:_(?:id|user|user_id))?|stars|rating"
)
_MEANINGS = frozenset(("report", "reported", "reporter", "accused"))


def says_reported(name: str) -> bool:
    """Whether a heading says of itself that something was reported, flagged or complained about."""
    plain = normalised(bare(name))
    return _SAYS_REPORTS.search(plain) is not None or bool(_MEANINGS & (meanings_of(plain) or frozenset()))


def speaks_of_reports(looks: Sequence[ColumnLook], called: str) -> bool:
    """Whether any heading, or what the file is called, says that something was reported, or why."""
    return (
        names_reports(looks, called)
        or _has_reasons(looks)
        or any(_OF_REPORTS.search(normalised(bare(look.name))) for look in looks)
    )


def names_reports(looks: Sequence[ColumnLook], called: str) -> bool:
    """Whether a heading or the file's name says "reports" or the like; reasons alone may be of anything, and so may
    how often something was reported.
    """
    if _CALLED.search(called) or (_has_reasons(looks) and "report" in called.lower()):
        return True
    return any(says_reported(look.name) and not _STATES.fullmatch(normalised(bare(look.name))) for look in looks)


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
    reports = all("report" in plain_text(value).lower() for value in look.known[:LOOKED_AT])
    return len(look.known) == len(look.values) > 0 and not reports and not judge_both_ways(look.known)
