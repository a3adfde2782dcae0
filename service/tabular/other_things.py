"""What ids in a table of reports are of beside what was reported: the work on reports, what they belong to. PURE."""

from __future__ import annotations

import re

from service.tabular.name_parts import ID
from service.tabular.plain_names import normalised

_WORK = (  # of moderators and systems on reports: what they wrote, sent, decided, and its numbers
    r"log|dm|warning|warn|notification|removal|removed[a-z]*|remove|deleted[a-z]*|delete|deletion"
    r"|merged[a-z]*|merge|snapshot|takedown|audit|support|quarantine|import|slack|outbox|alert|via|s3|duplicate|dup"
    r"|duplicates|related|linked|mail|email|staff|mod|moderation|admin|system|auto|webhook|archive|archived"
    r"|infraction|dismissal|appeal|case|action|ban|sanction|strike|penalty|suspension|decision|resolution|jira"
    r"|zendesk|sort|queue|batch|operator|agent|owner|clerk|previous|next|replaced|superseded|correlation|trace"
    r"|template|origin|jury|verdict"
)
_BESIDE_TARGETS = r"bot|call|first|notice|source|vote"  # of the work where others are what was reported
_WRITTEN = r"note|review|statement|record|job|entry|submission"  # about reports, or reported
_ANSWERED = r"reply|answer|response|document"  # rather reported
_BELONGING = (  # what a report is a part of, came from or was made with
    r"categor(?:y|ie|ia)|subcategory|cat|type|typ|kind|state|reason|cause|rule|policy|law|label|tag|session|device"
    r"|ip|parent|lang|language|locale|country|region|city|zip|version|report|reports|flag|complaint|ticket|severity"
    r"|priority|platform|transaction|hash|token|order|invoice|payment"
)
_GROUPING = (  # what may be reported as well, where other names say so
    r"status|request|org|organi[sz]ation|tenant|team|project|company|site|app|application|client|group|institution|school|attachment"
    r"|evidence|screenshot|proof|file|guild|server|world|realm|sender|external|old|legacy|user|account|member|person"
    r"|player|profile|customer|row|form|survey|department|instance|shard|purchase|booking|subscription|shipment|visit"
    r"|pairing|round|participant|rater|voter|student|seeker|subscriber|visitor|viewer|respondent"
)


_WHERE = (  # it happened, beside an account
    r"match|lobby|game|chat|room|server|session|ride|trip|job|gig|booking|delivery|call|meeting|lesson|appointment|shift"
    r"|tournament|duel|battle|rental"
)


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|_)(?:{'|'.join(words)})(?:_|\Z)")


_OF_WORK = _any_of(_WORK, _BESIDE_TARGETS, _WRITTEN, _BELONGING)
_OF_SOMETHING_ELSE = _any_of(_WORK, _BELONGING, _GROUPING, "entry|response")
_OF_WHERE, _HAPPENING = _any_of(_WHERE), re.compile(rf"(?:.*_)?(?:{_WHERE}){ID}*")
_MAY_BE_WRITTEN = re.compile(f"{_WRITTEN}|{_ANSWERED}")


def is_of_work(stem: str) -> bool:
    """Whether ids may be of the work on reports or of what they belong to, where others say what was reported."""
    return _OF_WORK.search(stem) is not None


def is_of_something_else(stem: str) -> bool:
    """Whether ids that nothing else explains are of something else than what was reported."""
    return _OF_SOMETHING_ELSE.search(stem) is not None


def may_be_written(word: str) -> bool:
    """Whether a word is for contents that moderators write about reports as well: `note`, `reply`."""
    return _MAY_BE_WRITTEN.fullmatch(word) is not None


def is_where(stem: str) -> bool:
    """Whether ids are of where it happened, such as a match or a ride, beside accounts."""
    return _OF_WHERE.search(stem) is not None


def is_happening(name: str) -> bool:
    """Whether a column is called like where it happened (`chat_id`), rather than like something in it."""
    return _HAPPENING.fullmatch(normalised(name)) is not None
