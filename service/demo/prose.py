"""Invented names and sentences for the demo's world; each is a function of a number, so that nothing is stored."""

from __future__ import annotations

_SYLLABLES = (
    "an",
    "bel",
    "cor",
    "dan",
    "el",
    "fin",
    "gre",
    "hol",
    "is",
    "jo",
    "ka",
    "lin",
    "mar",
    "nor",
    "ol",
    "per",
    "ro",
    "sil",
    "tom",
    "ver",
)
_SUBJECTS = (
    "The council",
    "This article",
    "The minister",
    "The new tram line",
    "That budget",
    "The school board",
    "Our mayor",
    "The housing plan",
    "The harbour",
    "Last night's vote",
)
_OPINIONS = (
    "deserves a closer look than it gets here.",
    "is what this town has needed for years.",
    "will cost us more than anybody admits.",
    "makes sense once you read the figures.",
    "was decided long before anyone was asked.",
    "is being talked down for no good reason.",
    "reminds me of what we tried in the nineties.",
    "should be put to a vote.",
    "helps those who need it least.",
    "is better than its reputation.",
)
_RUDE = (
    "You people are unbelievable:",
    "Only a fool believes that.",
    "Go back to where you came from.",
    "Buy cheap watches at my page!",
    "Liars, all of them:",
)
_THINGS = (
    "tram line",
    "harbour",
    "city budget",
    "schools",
    "election",
    "housing plan",
    "winter service",
    "police",
    "theatre",
    "hospital",
    "power station",
    "market",
)
_HEADLINES = (
    "Council to vote on the {0} after a long debate about the {1}",
    "What the new {0} means for the {1}",
    "{0}: five questions and five answers about the {1}",
    "Who pays for the {0}? A look at the {1}",
    "Live: the evening’s debate on {0} and {1}",
    "Opinion: leave the {0} alone, mend the {1}",
    "“It cannot go on like this”: the {0} between {1} and budget",
)
_TEXTS = ("spam", "please remove", "insult", "this is offensive", "off topic")
_WORDS = (
    "tram",
    "harbour",
    "budget",
    "school",
    "election",
    "housing",
    "winter",
    "police",
    "theatre",
    "hospital",
    "energy",
    "market",
)


def account_name(number: int) -> str:
    """An author's name, distinct for distinct numbers."""
    first, second = _SYLLABLES[number % 20], _SYLLABLES[number // 20 % 20]
    return f"{first}{second}.{number // 400}" if number >= 400 else f"{first}{second}"


def slug(number: int) -> str:
    """An article's id, distinct for distinct numbers."""
    return f"article-{_WORDS[number % 12]}-{_WORDS[number * 7 // 12 % 12]}-{number}"


def headline(number: int) -> str:
    """An article's title, distinct for numbers below 900."""
    first, pair = number % 12, number // 12 % 11
    title = _HEADLINES[number // 132 % len(_HEADLINES)].format(_THINGS[first], _THINGS[(first + 1 + pair) % 12])
    return title[0].upper() + title[1:]


def comment_text(number: int, rude: bool) -> str:
    """A comment's first sentence."""
    plain = f"{_SUBJECTS[number % 10]} {_OPINIONS[number // 10 % 10]}"
    return f"{_RUDE[number % 5]} {plain}" if rude else plain


def complaint_text(number: int) -> str | None:
    """What a reporter typed: usually nothing, otherwise a common short phrase."""
    return _TEXTS[number % 5] if number % 4 == 0 else None
