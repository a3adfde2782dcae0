"""Headings in any language by what their words mean: "Autor wpisu" is author and content. PURE.

A heading is understood only if each of its words is known (`heading_words.toml`). The order of the words says nothing,
since languages differ in it. What a column is taken for is checked against its values, as for every other name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib.resources import files

from service.tabular.plain_names import normalised

# What a heading means, by field and rank (as in `vocabulary.py`); "?" stands for a number, a name or an address
_HEADINGS = {
    "reporter_id": {
        1: "reporter|reporter ?|reporter person|reporter person ?|report author|report author ?|report by|reported by"
        "|report by ?|reporter customer|reporter customer ?"
        "|report person|who reported|who reporter|who report|person report|your name|your person"
        "|your person name|your email",
        2: "person|person ?|who",
        3: "customer|customer ?|customer person",
    },
    "target_id": {
        1: "content id|content reported|content reported id|content reported link|reported link"
        "|report link content|report link reported|report link accused|what reported|what content reported",
        2: "content|what",
        3: "link|content link|content name",
        4: "place id",
        5: "accused|accused ?|person reported|person reported ?|accused person|accused person ?|reported ?",
    },
    "author_id": {
        1: "author|author ?|author content|author content ?|author content reported|author content reported ?"
        "|author reported|author person|author content person|content person|content person ?|accused|accused ?"
        "|accused person|accused person ?|person reported|person reported ?|who wrote|who content wrote|wrote by"
        "|content wrote by",
        2: "seller|seller ?|seller person",
    },
    "occurred_at": {
        1: "date report|time report|date time report|date reported|time reported|date time reported",
        2: "date|time|date time|sent|date sent|time sent|date time sent|made|date made|time made",
        3: "report|reported",
    },
    "reason": {1: "reason|reason report|reason reported", 2: "reason content|reason content reported"},
    "verdict": {
        1: "decision|decision moderator|decision report|decision moderator report",
        2: "status|status report|status moderator",
        3: "moderator",
    },
    "decided_at": {
        1: "date decision|time decision|date time decision|date decision moderator|date moderator|time moderator"
    },
    "context_id": {1: "place id", 2: "place|place name|place link"},
    "id": {2: "id"},
}
_DETAILS = ("id", "name", "email")
_LONGEST = 80  # characters of a heading that is looked at
_SHORTEST_PART = 4  # letters of a word that is written together with others: "issue" is no "is" and "su"
_SHORT_PARTS = frozenset(("id", "nr", "no", "uid", "url", "tid", "tag", "ip"))


def folded(plain: str) -> str:
    """Without the German way of writing umlauts, which other languages do not have."""
    return plain.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _words() -> dict[str, str]:
    data = tomllib.loads(files(__package__).joinpath("heading_words.toml").read_text(encoding="utf-8"))
    return {
        folded(normalised(word)): "" if meaning == "nothing" else meaning
        for meaning, languages in data.items()
        for words in languages.values()
        for word in words.split()
    }


def _fields() -> dict[frozenset[str], dict[str, int]]:
    found: dict[frozenset[str], dict[str, int]] = {}
    for field, ranks in _HEADINGS.items():
        for rank, headings in sorted(ranks.items()):
            for heading in headings.split("|"):
                for detail in _DETAILS if "?" in heading else ("",):
                    words = frozenset(heading.replace("?", detail).split())
                    found.setdefault(words, {}).setdefault(field, rank)
    return found


_WORDS = _words()
_FIELDS = _fields()
_MOST_WORDS = max(word.count("_") + 1 for word in _WORDS)


def meanings_of(plain: str) -> frozenset[str] | None:
    """What the words of a normalised heading mean; None if one of them is unknown."""
    if len(plain) > _LONGEST:
        return None
    parts, found, at = folded(plain).split("_"), set[str](), 0
    while at < len(parts):
        for end in range(min(len(parts), at + _MOST_WORDS), at, -1):
            word = "_".join(parts[at:end])
            if word in _WORDS:
                found.add(_WORDS[word])
                break
        else:
            end = at + 1
            if (several := _run_together(parts[at])) is None:
                return None
            found |= several
        at = end
    return frozenset(found - {""})


@lru_cache(4096)
def _run_together(text: str) -> frozenset[str] | None:
    """The meanings of words that are written as one, as in German and Japanese; None if one is unknown."""
    reached: dict[int, frozenset[str]] = {0: frozenset()}
    for start in range(len(text)):
        if start in reached:
            for end, meaning in _words_at(text, start):
                reached.setdefault(end, reached[start] | {meaning})
    return reached.get(len(text)) if text else None


def _words_at(text: str, start: int) -> Iterator[tuple[int, str]]:
    """The known words that begin there, the longest first."""
    for end in range(len(text), start, -1):
        word = text[start:end]
        if word in _WORDS and (not word.isascii() or len(word) >= _SHORTEST_PART or word in _SHORT_PARTS):
            yield end, _WORDS[word]


def ranks_by_meaning(plain: str) -> dict[str, int]:
    """The fields that a normalised heading may stand for by its words, with the rank of each."""
    meanings = meanings_of(plain)
    return dict(_FIELDS.get(meanings, {})) if meanings else {}


def names_moderator(plain: str) -> bool:
    """Whether a heading names who handled a complaint, who would otherwise be something that targets have in common."""
    return "moderator" in (meanings_of(plain) or ())


def without(meanings: Collection[str], plain: str) -> str:
    """A normalised text without the words that have one of the meanings."""
    return "_".join(word for word in folded(plain).split("_") if _WORDS.get(word) not in meanings)
