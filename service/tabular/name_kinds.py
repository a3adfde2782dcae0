"""What a name of a column is the name of: an address, an account, a thing, a place. PURE."""

from __future__ import annotations

import re

from service.tabular.headings import bare
from service.tabular.name_parts import ADDRESS, AUTHOR, CONTENT, ID, PERSON, PLACE, REPORTER, THINGS, WHO
from service.tabular.plain_names import normalised

_OF_A_PLACE = re.compile(rf"(?:_(?:title|name|url)|{ID})\Z")
_FINE = [re.compile(rf"(?:.*_)?(?:{what}){ID}+") for what in (f"{CONTENT}|{THINGS}", WHO, PLACE)]
_ADDRESS_OF_REPORTER = re.compile(rf"{REPORTER}_(?:contact_)?{ADDRESS}")
_ACTOR = re.compile(rf"actor{PERSON}")
_SENDER = re.compile(rf"(?:sender|from)(?:_{WHO})?{PERSON}|from_{WHO}{PERSON}|sent_by{PERSON}")
_ACCOUNT = re.compile(rf"account{PERSON}")
_OWNER = re.compile(rf"{AUTHOR}{PERSON}")
_THING = re.compile(
    rf"(?:.*_)?(?:{CONTENT}|{WHO}|{PLACE}|{THINGS}|listing|shop|gruppe|grupo|groupe|gruppo|profil|perfil|foto|bild|seite)"
    r"(?:s|es|en|e|i)?"
)


def is_address_of_reporter(name: str) -> bool:
    """Whether a column has where reports came from, such as `submitter_ip`, rather than accounts."""
    return _ADDRESS_OF_REPORTER.fullmatch(normalised(bare(name))) is not None


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


def fineness(name: str) -> int | None:
    """How fine what a column names is: 0 for a content, 1 for an account, 2 for a place; None if it is none of them."""
    plain = normalised(bare(name))
    return next((k for k, pattern in enumerate(_FINE) if pattern.fullmatch(plain)), None)


def place_named(name: str) -> str:
    """Which place a column is about: "topic" of topic_id, Topic Title and topic."""
    return _OF_A_PLACE.sub("", normalised(bare(name)))
