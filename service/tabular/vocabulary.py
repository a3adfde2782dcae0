"""What columns are called: names in the languages of exports, and the fields that they may stand for. PURE.

A field has patterns by rank: 0 is the API's own name, 1 can mean nothing else, higher ranks are taken where nothing
better is there. Patterns match a whole name in lower case, words joined with `_`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, get_args

from service.tabular.compounds import in_english
from service.tabular.heading_meanings import ranks_by_meaning
from service.tabular.headings import bare, patterns
from service.tabular.name_kinds import is_address_of_reporter
from service.tabular.name_parts import (
    ACCUSED,
    ADDRESS,
    AUTHOR,
    BY,
    CONTENT,
    DETAILS,
    FILED,
    FILING,
    ID,
    NAME,
    OF_THE_REPORT,
    OFFENDER,
    PERSON,
    PLACE,
    REPORTER,
    RULED,
    SITES,
    TARGET,
    THINGS,
    TIME,
    WHEN,
    WHO,
    WORDS,
    WRITER,
)
from service.tabular.plain_names import normalised, taken_apart

Field = Literal[
    "id",
    "occurred_at",
    "reporter_id",
    "target_id",
    "kind",
    "author_id",
    "context_id",
    "context_title",
    "context_url",
    "reason",
    "text",
    "url",
    "excerpt",
    "account_created_at",
    "fingerprint",
    "trusted",
    "notice_type",
    "part_of",
    "verdict",
    "decided_at",
    "action",
    "decided_by",
    "complaint_id",
    "retracts",
]
TIMES: tuple[Field, ...] = ("occurred_at", "decided_at", "account_created_at")
REQUIRED: tuple[Field, ...] = ("reporter_id", "target_id", "occurred_at")
REQUIRED_OF_OUTCOMES: tuple[Field, ...] = ("target_id", "decided_at", "verdict")
IN_WORDS = {
    "id": "the complaint's id",
    "occurred_at": "when it was reported",
    "reporter_id": "who reported",
    "target_id": "what was reported",
    "decided_at": "when it was decided",
    "verdict": "what was decided",
}
SHORT_NAMES: dict[str, Field] = {  # as --column takes them, beside the fields' own names
    "reporter": "reporter_id",
    "target": "target_id",
    "time": "occurred_at",
    "author": "author_id",
    "context": "context_id",
}
FIELDS_BY_NAME: dict[str, Field] = {**SHORT_NAMES, **{name: name for name in get_args(Field)}}

OWNERS = 2  # the rank of columns that may name a moderator or a program instead of an author
OTHER_ACCOUNTS = 2  # the rank of accounts that are not called reporters
OF_ANYTHING = 2  # the rank of `type`, which may be the kind of report
ACTIONS = 3  # the rank of columns that name what was done, which may be a verdict
LINKS = 3  # the rank of addresses of web pages
PLACES = 4  # the rank of columns that name threads and the like
REPORTED = 6  # the rank of whatever else is called reported
ADDRESSES = 6  # the rank of addresses that may be of who filled in a form, where nobody is named
ACCOUNTS = 5  # the rank of columns that name accounts, where accounts are what was reported
_PATTERNS: dict[Field, Sequence[tuple[int, str]]] = {
    "id": (
        (0, r"id"),
        (
            1,
            r"(?:report|flag|complaint|notice|ticket|meldung|signalement|denuncia|reporte|beschwerde|abuse_report)(?:_id|_uuid|_no|_nr|_number|_ref|_key)",
        ),
        (2, r"uuid|guid|_?id|no|nr|number|ref|reference|reference_no|row_?id|index|unnamed_0|key|pk|rid"),
    ),
    "occurred_at": (
        (0, r"occurred_at"),
        (1, r"reported|flagged"),
        (1, rf"{FILING}_(?:created_)?{WHEN}|(?:date|time|datetime)_(?:of_)?(?:the_)?{FILING}"),
        (1, rf"(?:(?:{CONTENT}|{WHO})_)?{FILING}_(?:created|published|{TIME})(?:_{WHEN})?"),
        (
            2,
            rf"{TIME}(?:_{WHEN})*|{TIME}_(?:created|time|date|gmt)|(?:date|time)_(?:created|time|added|inserted|entered|logged)",
        ),
        (2, r"erstellt_am|post_date"),
        (3, rf"{FILING}_?(?:created_)?{WHEN}?"),
    ),
    "reporter_id": (
        (0, r"reporter_id"),
        (1, rf"(?:{WHO}_)?{REPORTER}{PERSON}|{FILED}_{BY}{PERSON}|{FILED}_{BY}_{WHO}{PERSON}"),
        (1, rf"(?:reporting|flagging|complaining){PERSON}"),
        (1, rf"(?:report|flag|complaint|ticket)_(?:author|creator|{WHO}|by){PERSON}"),
        (1, rf"{WHO}_(?:reporting|complaining)(?:_id)?|{BY}_{WHO}{PERSON}"),
        (2, rf"{WHO}{PERSON}|(?:created|sent){NAME}?_by{PERSON}|by|from|sender{PERSON}"),
        (2, rf"(?:report|flag|complaint|ticket)_from{PERSON}"),
        (2, rf"(?:insert|inserting|creating|submitting|filing){PERSON}"),
        (2, rf"(?:from|source)_{WHO}{PERSON}|username|nickname|login|caller(?:{ID})*"),
        (3, rf"opened_{BY}{PERSON}|actor{PERSON}|email"),
        (3, rf"(?:customer|client|citizen|viewer|voter|guest|subscriber){PERSON}"),
        (3, rf"e_mail|u_?id(?:_id)?|uploader|{REPORTER}_(?:contact_)?{ADDRESS}"),
        (ADDRESSES, r"(?:user_|client_|remote_|visitor_|from_|source_)?ip(?:_addr|_address|_hash)?|ipaddr|network_id"),
        (3, r"(?:reporter|flagger)_(?:[a-z]+_id|ucn|ign|gamertag|steam|discord|xuid|npub|pubkey|wallet|address|key)"),
    ),
    "target_id": (
        (0, r"target_id|target"),
        (1, rf"(?:(?:reported|flagged)_)?{TARGET}(?:{ID})*"),
        (
            1,
            rf"(?:reported|flagged|target|targeted)_{CONTENT}(?:_{CONTENT})?(?:{ID})*|(?!event_){CONTENT}(?:{ID})+",
        ),
        (
            1,
            rf"(?:reported|flagged)_(?:id|uuid|guid)|entry_id|(?:report|flag)_(?!note|message|comment|status|media|image|record){CONTENT}(?:{ID})+",
        ),
        (1, rf"(?:{CONTENT}|{PLACE}|{WHO}|entry|blog)_{CONTENT}(?:{ID})+"),
        (1, rf"(?:{SITES})_(?:post|comment|message|msg|reply|review|answer|photo|video)(?:{ID})+"),
        (2, rf"(?!(?:status|event|job|resource)\Z){CONTENT}|reported|flagged|subject(?:{ID})+"),
        (2, rf"(?:target|subject)_(?:object|content|entity|item|uri|subject)(?:{ID})*"),
        (3, rf"(?:(?:{CONTENT}|target|reported|flagged)_)?(?:url|link|permalink|uri|href)"),
        (
            3,
            rf"{THINGS}(?:{ID})+|barcode|isbn|asin|(?:report|complaint|flag)_(?:for|about|against|on)(?:{ID})*",
        ),
        (3, rf"event(?:{ID})+|decidim_moderation_id|[pcmn]_?id"),  # a forum's post, a comment, a message, a node
        (PLACES, rf"{PLACE}(?:{ID})+|t_?id"),
        (ACCOUNTS, rf"{ACCUSED}_{WHO}{PERSON}|{OFFENDER}{PERSON}|{WHO}(?:{ID})*_(?:{TARGET}|reported|accused)"),
        (REPORTED, rf"(?:reported|flagged)_(?!{OF_THE_REPORT}|{WHO}|name|{DETAILS}){WORDS}"),
        (
            ACCOUNTS,
            rf"against{PERSON}|(?:reported|flagged|target){NAME}|(?:reported|flagged|complained|denunciado|acusado){ID}",
        ),
    ),
    "kind": (
        (0, r"kind|target_kind"),
        (1, rf"(?:target|{CONTENT}|subject|reported|flagged)_(?:type|kind|class)(?:_(?:id|name))?"),
        (2, r"type|typ|tipo|model"),
    ),
    "author_id": (
        (0, r"author_id|target_author_id"),
        (1, rf"(?:(?:reported|flagged|target)_)?(?:{CONTENT}_)?{WRITER}{PERSON}"),
        (
            1,
            rf"(?:(?:reported|flagged|target)_)?(?:{CONTENT}|{THINGS})_{AUTHOR}{PERSON}|(?:reported|flagged|target)_{AUTHOR}{PERSON}",
        ),
        (OWNERS, rf"{AUTHOR}{PERSON}|(?:reported|flagged)(?:_{WHO})?_u?id"),
        (1, rf"(?:{CONTENT}_)?{ACCUSED}_{WHO}{PERSON}|{OFFENDER}{PERSON}"),
        (1, rf"{CONTENT}_{WHO}{PERSON}|(?:written|posted)_by{PERSON}|against{PERSON}"),
        (1, rf"(?:to|on)_{WHO}{PERSON}|(?:reported|flagged|target){NAME}"),
        (
            2,
            rf"(?:target|reported|flagged|subject){NAME}|recipient(?:_of_the_service)?{PERSON}|{CONTENT}_u{PERSON}",
        ),
    ),
    "context_id": (
        (0, r"context_id|target_context_id"),
        (1, rf"(?:{CONTENT}_)?{PLACE}(?:{ID})+|subreddit|t_?id"),
        (2, rf"(?:{CONTENT}_)?{PLACE}(?:_(?:title|slug|name|url))?|{PLACE}"),
    ),
    # Beyond the API's own names only beside a context of the same name (recognition.py). Each of them may be the
    # context itself as well, which comes first.
    "context_title": (
        (0, r"context_title|target_context_title"),
        (1, rf"(?:{CONTENT}_)?{PLACE}_(?:title|name)"),
    ),
    "context_url": (
        (0, r"context_url|target_context_url"),
        (1, rf"(?:{CONTENT}_)?{PLACE}_url"),
    ),
    "reason": (
        (0, r"reason"),
        (
            1,
            r"(?:report|flag|complaint)?_?(?:reason|category|grund|motif|motivo|razon|raison|kategorie|categoria|categorie)(?:_(?:code|name|id|type|label))?",
        ),
        (1, r"(?:report|flag|complaint|violation|abuse|issue)_(?:type|kind|class|label)|meldegrund"),
        (1, r"reason_for_reporting"),
        (2, r"violation|rule|rule_violated|label|labels|issue|flag|flag_name|type|typ|tag|tags|subcategory"),
    ),
    "text": (
        (0, r"text"),
        (
            1,
            r"(?:report|reporter|flag|complaint|complainant|reason)_(?:text|comment|comments|message|note|notes|body|details|description|content)",
        ),
        (1, r"details|description|explanation|additional_(?:info|information|details|comments)"),
        (1, r"beschreibung|begruendung|descripcion|descrizione|detalles|erlaeuterung|complaint|narrative"),
        (2, r"comment|comments|message|note|notes|body|nachricht|kommentar|mensaje|texto|texte|testo"),
        (2, r"remarks|reason|content"),
    ),
    "url": (
        (0, r"url|target_url"),
        (1, rf"(?:{CONTENT}|reported|flagged)_(?:url|link|permalink)"),
        (2, r"link|permalink|uri|href"),
    ),
    "excerpt": (
        (0, r"excerpt|target_excerpt"),
        (
            1,
            rf"(?:(?:reported|flagged|target)_)?{CONTENT}_(?:text|body|content|excerpt|title|raw|cooked|preview|snippet)",
        ),
        (2, r"content|body|title|snippet|preview|titel|titre|titulo|betreff|comment_content"),
    ),
    "account_created_at": (
        (0, r"account_created_at|reporter_account_created_at"),
        (
            1,
            rf"(?:{REPORTER}|reporter_{WHO}|{WHO})_(?:created|joined|registered|registration|since|signup|signed_up)(?:_{WHEN})?",
        ),
    ),
    "fingerprint": (
        (0, r"fingerprint|reporter_fingerprint"),
        (1, r"(?:reporter_)?(?:ip|device|network)_hash|device_fingerprint"),
    ),
    "trusted": ((0, r"trusted|reporter_trusted"), (1, r"is_trusted|trusted_flagger|is_trusted_flagger")),
    "notice_type": ((0, r"notice_type"),),
    "part_of": ((0, r"part_of"),),
    "verdict": (
        (0, r"verdict"),
        (
            1,
            rf"(?:(?:moderator|mod|moderation|final|admin|{FILING})_)?(?:decision|ruling|outcome|disposition|resolution|verdict|entscheidung|urteil|decision_type)",
        ),
        (
            2,
            rf"(?:(?:{FILING}|moderation|review|case)_)?(?:status|state|result|estado|statut|stato|action_taken|upheld|agreed|valid|is_valid)",
        ),
        (2, r"(?:status|state|decision|resolution)_(?:label|name|text)"),
        (
            ACTIONS,
            r"(?:(?:moderator|moderation|mod|admin|staff|review)_)?(?:action|actions|measure|result)",
        ),
    ),
    "decided_at": (
        (0, r"decided_at"),
        (1, rf"{RULED}_{WHEN}|(?:date|time)_{RULED}"),
        (2, r"updated_at|time|date|timestamp|created_at"),
    ),
    "action": ((0, r"action"),),
    "decided_by": ((0, r"decided_by"),),
    "complaint_id": ((0, r"complaint_id"), (1, r"report_id|flag_id")),
    "retracts": ((0, r"retracts"),),
}
_COMPILED = {
    field: [(rank, re.compile(pattern)) for rank, pattern in sorted([*ranks, *patterns(field)], key=lambda one: one[0])]
    for field, ranks in _PATTERNS.items()
}
_RUN_TOGETHER = re.compile(r"(?<=[a-z]{3})(?=(?:id|name|time|date)\Z)")  # reporterid
_BEFORE = re.compile(  # of ServiceNow, Osclass and Dolibarr, joins of Metabase, groups of GLPI
    r"u_(?=.)|(?:[fp]k_(?:[is]_)?|dt_|[is]_)(?=[a-z]{2})|.* → (?=.)|[^-]+ - (?=.)|decidim[_ ](?=.)", re.IGNORECASE
)
_IN_OBJECT = re.compile(  # log.reporter_id, report.target_id
    r"(?:log|message|payload|body|data|details?|reports?|flag|complaint|record|properties|params|labels|context|custom)\.(?=.)",
    re.IGNORECASE,
)


def is_address(name: str) -> bool:
    """Whether a column has addresses rather than accounts."""
    return is_address_of_reporter(name) or ranks_of(name).get("reporter_id") == ADDRESSES


@lru_cache(4096)
def ranks_of(name: str) -> Mapping[Field, int]:
    """The fields that a column of this name may stand for, with the best rank of each."""
    plain = normalised(bare(name))
    apart = taken_apart(plain)
    found = _ranks(plain) or _ranks(_RUN_TOGETHER.sub("_", plain)) or _ranks(in_english(plain)) or _by_meaning(plain)
    found = found or (_ranks(apart) if apart != plain else {})
    if not found and plain.startswith("id_") and "id" not in (turned := _ranks(f"{plain[3:]}_id")):
        found = turned  # id_msg, as SMF writes it
    if found.get("target_id") == ACCOUNTS and "author_id" not in found:
        found = {**found, "author_id": 1}  # who was reported wrote what was reported, if that is another column
    inner = None if found else _IN_OBJECT.match(name) or _BEFORE.match(name)
    return ranks_of(name[inner.end() :]) if inner else found


def _by_meaning(plain: str) -> dict[Field, int]:
    return {FIELDS_BY_NAME[field]: rank for field, rank in ranks_by_meaning(plain).items()}


def _ranks(plain: str) -> dict[Field, int]:
    found: dict[Field, int] = {}
    for field, compiled in _COMPILED.items():
        for rank, pattern in compiled:
            if pattern.fullmatch(plain):
                found[field] = rank
                break
    return found
