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
from service.tabular.plain_names import normalised

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

_ID = r"(?:_(?:[a-z]{0,8}id|ids|uuid|pk|key|ref|reference|uri|no|nr|num|number|did|hash|fullname))"
_NAME = (
    r"(?:_(?:name|username|user_name|screen_name|display_name|login|handle|nick|nickname|email|e_mail|mail|acct"
    r"|pseudonym))"
)
_WHO = (
    r"(?:users?|usr|account|member|person|profile|nutzer|benutzer|usuario|utilisateur|utente|uzytkownik|gebruiker|konto"
    r"|mitglied|player|reader|character|gamer|streamer|channel_user|participant)"
)
_PERSON = rf"(?:_{_WHO})?(?:{_ID}|{_NAME})*"
_REPORTER = (
    r"(?:reporter|reporters|flagger|accuser|denouncer|complainant|complainer|notifier|informer|informant|submitter|requester|plaintiff"
    r"|whistleblower|melder|meldender|beschwerdefuehrer|denunciante|informante|reclamante|signaleur|signalant|plaignant"
    r"|segnalatore|segnalante|denunciador|zglaszajacy|anmelder|indsender|rapporteur)"
)
_ADDRESS = r"(?:ip|ip_addr|ip_address|ip_hash|digest|token|cookie|session|session_id|device|device_id|identifier)"
_FILED = (
    r"(?:reported|flagged|complained|submitted|filed|raised|notified|informed|lodged|gemeldet|signale|reportado"
    r"|denunciado)"
)
_BY = r"(?:by|von|par|por|da)"
_WRITER = r"(?:author|poster|writer|autor|autora|verfasser|auteur|autore)"
_AUTHOR = rf"(?:{_WRITER}|owner|creator|ersteller|op|uploader)"
_TARGET = r"(?:target|ziel|cible|alvo|obiettivo|hedef|doel|cel|объект|objet_signale|举报对象|举报目标)"
_ACCUSED = (
    r"(?:reported|flagged|accused|offending|offender|target|targeted|subject|suspect|reportee|denounced|gemeldeter?"
    r"|against|violator|spammer|scammer|perpetrator|culprit|defendant|abuser|wrongdoer)"
)
_OFFENDER = (
    r"(?:accused|offender|reportee|suspect|violator|spammer|scammer|perpetrator|culprit|defendant|abuser|wrongdoer)"
)
_CONTENT = (
    r"(?:post|comment|cmt|cmnt|content|contents|message|msg|item|entity|object|status|statuses|tweet|toot|reply|answer|review|video"
    r"|photo|image|note|submission|listing|ad|media|statement|record|reportable|flaggable|reviewable|moderatable|commentable|beitrag|kommentar"
    r"|nachricht|inhalt|publicacion|comentario|mensaje|contenido|commentaire|publication|contenu|messaggio|contenuto|wpis"
    r"|komentarz|bericht|reactie|postagem|conteudo|produkt|product|pin|story_item|skeet|anuncio|annonce|inserat|anzeige"
    r"|annuncio|ilan|iklan|advert|advertisement|job|event)"
)
_THINGS = (  # content of some sites: by name only with an id after it
    r"(?:domain|link|paste|file|song|track|recipe|book|poll|question|quote|repository|repo|package|plugin|playlist|podcast|rev|revision|diff|snippet|lyrics|document"
    r"|episode|chapter|artwork|clip|gif|meme|pet|property|vehicle|offer|auction|deal)"
)
_PLACE = (
    r"(?:context|thread|topic|article|discussion|story|page|parent|root|conversation|debate|board|forum|subforum|channel"
    r"|room|community|subreddit|group|category_thread|thema|artikel|diskussion|hilo|tema|articulo|sujet|fil|argomento)"
)
_WHEN = r"(?:at|on|time|date|datetime|ts|dttm|dtm|dt|timestamp|utc|am|um|le|el|il|day|moment|when)"
_FILING = (
    r"(?:report|reports|reported|reporting|accuse|accused|accusation|denounced|flag|flags|flagged|complaint|complained|submission|submitted|filed|filing"
    r"|notice|received|ticket|meldung|gemeldet|signalement|denuncia|occurred|raised|lodged|opened)"
)
_TIME = (
    r"(?:time|date|datetime|timestamp|ts|created|created_utc|creation|create|when|epoch|datum|zeit|zeitpunkt|uhrzeit"
    r"|erstellt|fecha|fecha_hora|hora|momento|data|data_ora|quando|heure|horodatage|cree|created_unix|logged|entered|inserted)"
)
_RULED = (
    r"(?:decided|decision|resolved|resolution|closed|reviewed|review|moderated|handled|action_taken|actioned|completed"
    r"|entschieden|erledigt)"
)

_WORDS = r"[^\W\d]+"
_OF_THE_REPORT = (  # follows "reported" or "flagged" in columns that do not say what was reported
    r"(?:by|at|on|in|to|via|from|date|time|day|datetime|timestamp|utc|reason|count|times|status|state|type|kind|category"
    r"|severity|priority|issue|problem|text|note|notes|comments|description|details|host|hours|source|author|is|for|email|mail|e_mail|username|nickname|handle|acct|placement|rank|score|value)(?:_|\Z)"
)
_DETAILS = (  # of an account, as it was when it was reported
    r"(?:age|gender|sex|bio|country|city|location|ip|messages|log|world|server|health|food|effects|sneak|sprint|on_ground"
    r"|gamemode|game_mode|level|photos?|photo_count|lifetime_reports|reports|(?:[a-z]+_)*(?:count|total|reports))(?:_|\Z)"
)
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
        (1, rf"{_FILING}_(?:created_)?{_WHEN}|(?:date|time|datetime)_(?:of_)?(?:the_)?{_FILING}"),
        (1, rf"(?:(?:{_CONTENT}|{_WHO})_)?{_FILING}_(?:created|published|{_TIME})(?:_{_WHEN})?"),
        (2, rf"{_TIME}(?:_{_WHEN})*|{_TIME}_(?:created|time|date|gmt)|(?:date|time)_(?:created|time|added)"),
        (2, r"erstellt_am|post_date"),
        (3, rf"{_FILING}_?(?:created_)?{_WHEN}?"),
    ),
    "reporter_id": (
        (0, r"reporter_id"),
        (1, rf"(?:{_WHO}_)?{_REPORTER}{_PERSON}|{_FILED}_{_BY}{_PERSON}|{_FILED}_{_BY}_{_WHO}{_PERSON}"),
        (1, rf"(?:reporting|flagging|complaining){_PERSON}"),
        (1, rf"(?:report|flag|complaint|ticket)_(?:author|creator|{_WHO}|from|by){_PERSON}"),
        (1, rf"{_WHO}_(?:reporting|complaining)(?:_id)?|{_BY}_{_WHO}{_PERSON}"),
        (2, rf"{_WHO}{_PERSON}|(?:created|sent){_NAME}?_by{_PERSON}|by|from|sender{_PERSON}"),
        (2, rf"from_{_WHO}{_PERSON}|username|nickname|caller(?:{_ID})*"),
        (3, rf"opened_{_BY}{_PERSON}|actor{_PERSON}|email"),
        (3, rf"(?:customer|client|citizen|viewer|voter|guest|subscriber){_PERSON}"),
        (3, rf"e_mail|uid(?:_id)?|uploader|{_REPORTER}_(?:contact_)?{_ADDRESS}"),
        (ADDRESSES, r"(?:user_|client_|remote_|visitor_|from_|source_)?ip(?:_addr|_address|_hash)?|ipaddr|network_id"),
        (3, r"(?:reporter|flagger)_(?:[a-z]+_id|ucn|ign|gamertag|steam|discord|xuid|npub|pubkey|wallet|address|key)"),
    ),
    "target_id": (
        (0, r"target_id|target"),
        (1, rf"(?:(?:reported|flagged)_)?{_TARGET}(?:{_ID})*"),
        (
            1,
            rf"(?:reported|flagged|target|targeted)_{_CONTENT}(?:_{_CONTENT})?(?:{_ID})*|(?!event_){_CONTENT}(?:{_ID})+",
        ),
        (
            1,
            rf"(?:reported|flagged)_(?:id|uuid|guid)|entry_id|(?:report|flag)_(?!note|message|comment|status|media|image|record){_CONTENT}(?:{_ID})+",
        ),
        (1, rf"(?:{_CONTENT}|{_PLACE}|{_WHO}|entry|blog)_{_CONTENT}(?:{_ID})+"),
        (2, rf"(?!(?:status|event|job)\Z){_CONTENT}|reported|flagged|subject(?:{_ID})+"),
        (2, rf"(?:target|subject)_(?:object|content|entity|item|uri|subject)(?:{_ID})*"),
        (3, rf"(?:(?:{_CONTENT}|target|reported|flagged)_)?(?:url|link|permalink|uri|href)"),
        (
            3,
            rf"{_THINGS}(?:{_ID})+|barcode|isbn|asin|(?:report|complaint|flag)_(?:for|about|against|on)(?:{_ID})*|decidim_moderation_id",
        ),
        (3, rf"event(?:{_ID})+|decidim_moderation_id"),
        (PLACES, rf"{_PLACE}(?:{_ID})+"),
        (ACCOUNTS, rf"{_ACCUSED}_{_WHO}{_PERSON}|{_OFFENDER}{_PERSON}|{_WHO}(?:{_ID})*_(?:{_TARGET}|reported|accused)"),
        (REPORTED, rf"(?:reported|flagged)_(?!{_OF_THE_REPORT}|{_WHO}|name|{_DETAILS}){_WORDS}"),
        (ACCOUNTS, rf"against{_PERSON}|(?:reported|flagged|target){_NAME}|(?:reported|flagged){_ID}"),
    ),
    "kind": (
        (0, r"kind|target_kind"),
        (1, rf"(?:target|{_CONTENT}|subject|reported|flagged)_(?:type|kind|class)(?:_(?:id|name))?"),
        (2, r"type|typ|tipo|model"),
    ),
    "author_id": (
        (0, r"author_id|target_author_id"),
        (1, rf"(?:(?:reported|flagged|target)_)?(?:{_CONTENT}_)?{_WRITER}{_PERSON}"),
        (
            1,
            rf"(?:(?:reported|flagged|target)_)?(?:{_CONTENT}|{_THINGS})_{_AUTHOR}{_PERSON}|(?:reported|flagged|target)_{_AUTHOR}{_PERSON}",
        ),
        (OWNERS, rf"{_AUTHOR}{_PERSON}|(?:reported|flagged)(?:_{_WHO})?_u?id"),
        (1, rf"(?:{_CONTENT}_)?{_ACCUSED}_{_WHO}{_PERSON}|{_OFFENDER}{_PERSON}"),
        (1, rf"{_CONTENT}_{_WHO}{_PERSON}|(?:written|posted)_by{_PERSON}|against{_PERSON}"),
        (1, rf"(?:to|on)_{_WHO}{_PERSON}|(?:reported|flagged|target){_NAME}"),
        (
            2,
            rf"(?:target|reported|flagged|subject){_NAME}|recipient(?:_of_the_service)?{_PERSON}|{_CONTENT}_u{_PERSON}",
        ),
    ),
    "context_id": (
        (0, r"context_id|target_context_id"),
        (1, rf"(?:{_CONTENT}_)?{_PLACE}(?:{_ID})+|subreddit"),
        (2, rf"(?:{_CONTENT}_)?{_PLACE}(?:_(?:title|slug|name|url))?|{_PLACE}"),
    ),
    # Beyond the API's own names only beside a context of the same name (recognition.py). Each of them may be the
    # context itself as well, which comes first.
    "context_title": (
        (0, r"context_title|target_context_title"),
        (1, rf"(?:{_CONTENT}_)?{_PLACE}_(?:title|name)"),
    ),
    "context_url": (
        (0, r"context_url|target_context_url"),
        (1, rf"(?:{_CONTENT}_)?{_PLACE}_url"),
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
        (1, rf"(?:{_CONTENT}|reported|flagged)_(?:url|link|permalink)"),
        (2, r"link|permalink|uri|href"),
    ),
    "excerpt": (
        (0, r"excerpt|target_excerpt"),
        (
            1,
            rf"(?:(?:reported|flagged|target)_)?{_CONTENT}_(?:text|body|content|excerpt|title|raw|cooked|preview|snippet)",
        ),
        (2, r"content|body|title|snippet|preview|titel|titre|titulo|betreff|comment_content"),
    ),
    "account_created_at": (
        (0, r"account_created_at|reporter_account_created_at"),
        (
            1,
            rf"(?:{_REPORTER}|reporter_{_WHO}|{_WHO})_(?:created|joined|registered|registration|since|signup|signed_up)(?:_{_WHEN})?",
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
            rf"(?:(?:moderator|mod|moderation|final|admin|{_FILING})_)?(?:decision|ruling|outcome|disposition|resolution|verdict|entscheidung|urteil|decision_type)",
        ),
        (
            2,
            rf"(?:(?:{_FILING}|moderation|review|case)_)?(?:status|state|result|estado|statut|stato|action_taken|upheld|agreed|valid|is_valid)",
        ),
        (2, r"(?:status|state|decision|resolution)_(?:label|name|text)"),
        (
            ACTIONS,
            r"(?:(?:moderator|moderation|mod|admin|staff|review)_)?(?:action|actions|measure|result)",
        ),
    ),
    "decided_at": (
        (0, r"decided_at"),
        (1, rf"{_RULED}_{_WHEN}|(?:date|time)_{_RULED}"),
        (2, r"updated_at|time|date|timestamp|created_at"),
    ),
    "action": ((0, r"action"),),
    "decided_by": ((0, r"decided_by"),),
    "complaint_id": ((0, r"complaint_id"), (1, r"report_id|flag_id")),
    "retracts": ((0, r"retracts"),),
}
_OF_A_PLACE = re.compile(rf"(?:_(?:title|name|url)|{_ID})\Z")
_COMPILED = {
    field: [(rank, re.compile(pattern)) for rank, pattern in sorted([*ranks, *patterns(field)], key=lambda one: one[0])]
    for field, ranks in _PATTERNS.items()
}
_ADDRESS_OF_REPORTER = re.compile(rf"{_REPORTER}_(?:contact_)?{_ADDRESS}")
_ACTOR = re.compile(rf"actor{_PERSON}")
_SENDER = re.compile(rf"(?:sender|from)(?:_{_WHO})?{_PERSON}|from_{_WHO}{_PERSON}|sent_by{_PERSON}")
_ACCOUNT = re.compile(rf"account{_PERSON}")
_OWNER = re.compile(rf"{_AUTHOR}{_PERSON}")
_THING = re.compile(
    rf"(?:.*_)?(?:{_CONTENT}|{_WHO}|{_PLACE}|{_THINGS}|listing|shop|gruppe|grupo|groupe|gruppo|profil|perfil|foto|bild|seite)"
    r"(?:s|es|en|e|i)?"
)
_RUN_TOGETHER = re.compile(r"(?<=[a-z]{3})(?=(?:id|name|time|date)\Z)")  # reporterid
_BEFORE = re.compile(  # custom fields of ServiceNow, joins of Metabase, groups of GLPI
    r"u_(?=.)|.* → (?=.)|[^-]+ - (?=.)|decidim[_ ](?=.)", re.IGNORECASE
)
_IN_OBJECT = re.compile(  # log.reporter_id, report.target_id
    r"(?:log|message|payload|body|data|details?|reports?|flag|complaint|record|properties|params|labels|context|custom)\.(?=.)",
    re.IGNORECASE,
)


def is_address_of_reporter(name: str) -> bool:
    """Whether a column has where reports came from, such as `submitter_ip`, rather than accounts."""
    return _ADDRESS_OF_REPORTER.fullmatch(normalised(bare(name))) is not None


def is_address(name: str) -> bool:
    """Whether a column has addresses rather than accounts."""
    return is_address_of_reporter(name) or ranks_of(name).get("reporter_id") == ADDRESSES


def is_actor(name: str) -> bool:
    """Whether a column names who acted, as ActivityPub calls who reported."""
    return _ACTOR.fullmatch(normalised(name)) is not None


def is_sender(name: str) -> bool:
    """Whether a column names who sent a report."""
    return _SENDER.fullmatch(normalised(bare(name))) is not None


def is_account(name: str) -> bool:
    """Whether a column names an account, and not of whom."""
    return _ACCOUNT.fullmatch(normalised(bare(name))) is not None


def is_owner(name: str) -> bool:
    """Whether a column names an author or owner, and not of what."""
    return _OWNER.fullmatch(normalised(bare(name))) is not None


def is_thing(value: str) -> bool:
    """Whether a word names a kind of thing that can be reported, as `post`, `ForumTopics` or `Benutzer`."""
    return _THING.fullmatch(normalised(value)) is not None


@lru_cache(4096)
def ranks_of(name: str) -> Mapping[Field, int]:
    """The fields that a column of this name may stand for, with the best rank of each."""
    plain = normalised(bare(name))
    found = _ranks(plain) or _ranks(_RUN_TOGETHER.sub("_", plain)) or _ranks(in_english(plain)) or _by_meaning(plain)
    if not found and plain.startswith("id_") and "id" not in (turned := _ranks(f"{plain[3:]}_id")):
        found = turned  # id_msg, as SMF writes it
    if found.get("target_id") == ACCOUNTS and "author_id" not in found:
        found = {**found, "author_id": 1}  # who was reported wrote what was reported, if that is another column
    inner = None if found else _IN_OBJECT.match(name) or _BEFORE.match(name)
    return ranks_of(name[inner.end() :]) if inner else found


def _by_meaning(plain: str) -> dict[Field, int]:
    return {FIELDS_BY_NAME[field]: rank for field, rank in ranks_by_meaning(plain).items()}


def place_named(name: str) -> str:
    """Which place a column is about: "topic" of topic_id, Topic Title and topic."""
    return _OF_A_PLACE.sub("", normalised(bare(name)))


def _ranks(plain: str) -> dict[Field, int]:
    found: dict[Field, int] = {}
    for field, compiled in _COMPILED.items():
        for rank, pattern in compiled:
            if pattern.fullmatch(plain):
                found[field] = rank
                break
    return found
