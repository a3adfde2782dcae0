"""The rows of a log that are reports, among others: of what moderators did, of likes, of filters' hits. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import Refused
from service.tabular.looks import ColumnLook
from service.tabular.plain_names import normalised
from service.tabular.values import flag, plain_text

_EVENT = re.compile(r"(?:event|action|activity|operation|log|entry|verb)(?:_(?:type|name|kind))?")
_OF_REPORT = re.compile(r"report|flag|complain|notice|meld|beschwer|denunc|signal|segnala|[🚩⚑⚐]", re.IGNORECASE)
_REACTION = re.compile(r"(?:reaction|emoji|emote)(?:_(?:type|name|kind))?")
_NAMESPACE = re.compile(r"\A.*[#/](?=.)")  # tools.ozone.moderation.defs#modEventReport
_KIND_OF_ROW = re.compile(r"(?:.*_)?(?:type|typ|kind|category|name|verb|activity)")
_LATER = re.compile(  # what happens to a report after it was made
    r"(?:^|_)(?:resolv|clos|dismiss|assign|updat|reopen|re_open|appeal|review|delet|withdraw|retract|reject|accept|uphold"
    r"|upheld|escalat|acknowledg|viewed|handl|process|approv|declin|note|comment_added|status|moderat|actioned|undo|undone"
    r"|cancel)[a-z]*(?:_|\Z)"
)
_OTHER_ACT = re.compile(  # what people do beside reporting
    r"(?:post_)?(?:like|liked|love|upvote|downvote|up_vote|down_vote|vote|voted|bookmark|favou?rite|follow|unfollow|block"
    r"|unblock|mute|unmute|view|viewed|share|shared|comment|commented|reply|edit|edited|create|created|login|appeal|thank"
    r"|reaction|react|agree|dont_agree|disagree|respect|thanks|read|visit|post|posted|message_sent|kick|ban|unban|warn|timeout|delete|deleted)s?"
    r"|.*_(?:resolved|closed|dismissed|assigned|updated|reopened|withdrawn|reviewed)"
)
_OF_TARGETS = re.compile(r"(?:target|content|object|item|entity|subject|reported|report|reason|flag|resource)_")
_TAKEN_BACK = re.compile(r"(?:^|_)(?:un_?(?:report|flag)|withdraw|retract|undo|undone|cancel|revert|revoke)")
_PASSED_ON = re.compile(r"_to_")  # "Reported to the police"
_IS_REPORT = re.compile(r"is_(?:a_)?(?:report|flag|complaint)")


@dataclass(frozen=True, slots=True)
class ReportRows:
    """The column that says which rows are reports."""

    column: int
    name: str
    other: str  # an example of what other rows are

    def has(self, row: Sequence[Any]) -> bool:
        """Whether a row is a report."""
        if _IS_REPORT.fullmatch(normalised(self.name)):
            return flag(plain_text(row[self.column])) is True
        return row[self.column] is not None and _is_report(plain_text(row[self.column]))

    @property
    def left_out(self) -> str:
        """What is said of the other rows."""
        return f"rows left out, whose {self.name!r} is {self.other!r} or the like: they report nothing"


def report_rows(looks: Sequence[ColumnLook]) -> ReportRows | None:
    """Which rows are reports, where some are and others not; None if nothing says that it is a log.

    Raises Refused where nobody can tell which of them are.
    """
    for look in looks:
        name, words = normalised(look.name), sorted({plain_text(v) for v in look.known})
        if name == "post_action_type_id" and {"1", "2"} & set(words):
            raise Refused(
                "this export of Discourse's post_actions has likes and bookmarks too:"
                " --preset discourse-flags leaves them out"
            )
        if _IS_REPORT.fullmatch(name) and {flag(word) for word in words} == {True, False}:
            return ReportRows(look.number, look.name, next(word for word in words if flag(word) is False))
        reports = [word for word in words if _is_report(word)]
        others = [word for word in words if word not in reports]
        named = [word for word in others if _is_other_act(word)]
        known = named == others or _REACTION.fullmatch(name) is not None
        if not (_EVENT.fullmatch(name) or _REACTION.fullmatch(name)):
            others = named
            if not _KIND_OF_ROW.fullmatch(name):
                continue
        back = next((word for word in others if _TAKEN_BACK.search(normalised(word))), None)
        if reports and others and _OF_TARGETS.match(name):
            continue  # kinds of what was reported, or of reports
        if reports and others and known and back is None:
            return ReportRows(look.number, look.name, others[0])
        if reports and others:
            others = others if back is None else [back]
            raise Refused(
                f"{look.name!r} is {reports[0]!r} in some rows and {others[0]!r} in others, so not all rows are"
                f" reports: keep only those with {reports[0]!r}, for instance with a spreadsheet's filter, or jq for"
                " JSON"
            )
    return None


def _is_report(word: str) -> bool:
    act = _NAMESPACE.sub("", word)
    plain = normalised(act)
    return _OF_REPORT.search(act) is not None and not (_happened_later(plain) or _PASSED_ON.search(plain))


def _happened_later(act: str) -> bool:
    return _LATER.search(act) is not None or _TAKEN_BACK.search(act) is not None


def _is_other_act(word: str) -> bool:
    """Whether a word is that of an event: of a known one, or with the name space of a program's events."""
    act = normalised(_NAMESPACE.sub("", word))
    return bool(_NAMESPACE.match(word) or _OTHER_ACT.fullmatch(act) or _happened_later(act))
