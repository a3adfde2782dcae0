"""Times as programs write them for the people of one country, in the form in which all times are read. PURE.

`toLocaleString` and the like write "2026. 10. 3. 오전 9:18", "3.10.2026 klo 9.18" and "3 de outubro de 2026 às 9h18".
Which of day and month comes first is not decided here.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 64  # characters of such a time
_MAY_BE_TIME = re.compile(r"(?=.{6})(?:\D*\d){4}")
_UNSEEN = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))  # marks of direction
_EASTERN = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]")
_EASTERN_CLOCK = re.compile(r"(\d{1,2})\s?[时時시点點]\s?(\d{1,2})\s?[分분](?:\s?(\d{1,2})\s?[秒초])?")
_WEEKDAY = re.compile(r"\s?\([^\d)]{1,9}\)|\A[^\W\d_]{2,12}\.?,?\s+(?=\d{1,4}[./-]|\d{1,2}\.?\s+[^\W\d_]{2})")
_YEAR_FIRST = re.compile(r"\A(\d{4})\.\s?(\d{1,2})\.\s?(\d{1,2})\.?(?=[\s,]|\Z)")
_SPACED = re.compile(r"\A(\d{1,2})\.\s(\d{1,2})\.\s(\d{4})")
_JOINER = re.compile(
    r"(?<=\d)[.,]?\s*(?:г\.?,?\s*)?(?:\b(?:à|a las|às|um|kl\.?|klo|alle|ore|om|в)\s+|[,@-]\s+)(?=\d{1,2}[:.hH]\d)"
)
_YEAR_WORD = re.compile(r"(?<=\d{4})\s?г\.?,?(?=\s|\Z)")
_LETTER_H = re.compile(r"\b(\d{1,2})\s?[hH]\s?(\d{2})(?:\s?(?:m|min)\s?(\d{2})\s?s?)?\b")
_AFTER = re.compile(r"\s?(?:Uhr|uhr|hrs?)\Z")
_DOTTED_CLOCK = re.compile(r"(?<=\d)\s(\d{1,2})\.(\d{2})(?:\.(\d{2}))?\Z")
_ORACLE = re.compile(r"\A(\d{1,2}-[A-Za-z]{3}-\d{2,4}) (\d{1,2})\.(\d{2})\.(\d{2})(?=[. ]|\Z)")
_SAS = re.compile(r"\A(\d{1,2})([A-Za-z]{3})(\d{4}):(?=\d)")
_JOINED = re.compile(r"\A(\d{1,2}/[A-Za-z]{3}/\d{4}|\d{4}([/.-])\d{2}\2\d{2})[:_-](?=\d{2}:\d{2})")
_CLOCK_FIRST = re.compile(r"\A(\d{1,2}:\d{2}(?::\d{2})?), (\d{1,2}\.? [^\W\d_]{3,12}\.? \d{4})(?= \(|\Z)")  # of a wiki
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_ZONES = {  # by their names, of those that mean one offset only; America's CST is China's, too
    name: offset
    for offset, names in {
        "+00:00": "WET WEZ HNG",
        "+01:00": "CET MEZ WEST WESZ MET HNEC",
        "+02:00": "CEST MESZ EET OEZ HAEC MEST SAST",
        "+03:00": "EEST OESZ MSK TRT",
        "+09:00": "JST KST",
        "-03:00": "BRT ART",
        "-05:00": "EST CDT",
        "-04:00": "EDT",
        "-06:00": "MDT",
        "-07:00": "MST PDT",
        "-08:00": "PST",
        "+10:00": "AEST",
        "+11:00": "AEDT",
        "+12:00": "NZST",
        "+13:00": "NZDT",
    }.items()
    for name in names.split()
}
_ZONE = re.compile(rf"(?<=[\dmM.])\s?\(?({'|'.join(_ZONES)})\)?\Z")
_DISTANCE = re.compile(r"\s?\(?(?:UTC|GMT)\s?([+\u2212-])(\d{1,2})(?::?(\d{2}))?\)?\Z")
_HALVES = {
    "AM": r"上午|午前|오전|ÖÖ|öö|a\.\s?m\.|π\.?\s?μ\.?|ก่อนเที่ยง|SA|ص|de\.",
    "PM": r"下午|午後|오후|ÖS|ös|p\.\s?m\.|μ\.?\s?μ\.?|หลังเที่ยง|CH|م|du\.",
}
_NAMED = re.compile(
    r"\A(\d{1,2})(?:er|º|\.)?[\s/-]+(?:de\s+)?([^\W\d_]{3,12})\.?(?:\s+del?)?[\s/,-]+(\d{4})\b(?=[\s,]|\Z)"
)
_MONTHS = {
    beginning: english
    for english, beginnings in {
        "Jan": "jan gen ene oca sty янв",
        "Feb": "feb fev sub lut фев",
        "Mar": "mar mrt maa мар",
        "Apr": "apr avr abr nis kwi апр",
        "May": "mai may mei mag maj май мая",
        "Jun": "jun juin giu haz cze июн",
        "Jul": "jul juil lug tem lipc lipi июл",
        "Aug": "aug aou ago agu sie авг",
        "Sep": "sep set eyl wrz сен",
        "Oct": "oct okt ott out eki paz окт",
        "Nov": "nov kas ноя",
        "Dec": "dec dez dic ara gru дек",
    }.items()
    for beginning in beginnings.split()
}  # without "listopad", which is November in Polish and October in Croatian


def in_plain_form(text: str) -> str:
    """A time in digits, slashes and colons, or with the English name of its month; unchanged if nothing is known."""
    if len(text) > _LONGEST or not _MAY_BE_TIME.match(text):
        return text
    text = "".join(_plain_character(c) for c in text.translate(_UNSEEN))
    text = _ZONE.sub(lambda found: f" {_ZONES[found[1]]}", text)
    text = _DISTANCE.sub(_offset, text)
    text = _CLOCK_FIRST.sub(r"\2 \1", text)
    text = _JOINED.sub(r"\1 ", _SAS.sub(r"\1 \2 \3 ", text))
    text = _ORACLE.sub(r"\1 \2:\3:\4", text)
    text = _EASTERN.sub(r"\1/\2/\3 ", text)
    text = _EASTERN_CLOCK.sub(_clock, text)
    text = _AFTER.sub("", _WEEKDAY.sub("", text))
    text = _YEAR_FIRST.sub(r"\1/\2/\3", text)
    text = _SPACED.sub(r"\1.\2.\3", text)
    text = _YEAR_WORD.sub("", _JOINER.sub(" ", text))
    text = _LETTER_H.sub(_clock, text)
    text = _DOTTED_CLOCK.sub(lambda found: f" {_clock(found)}", text)
    for english, words in _HALVES.items():
        text = re.sub(rf"(?:{words})\s?({_CLOCK})|({_CLOCK})\s?(?:{words})", rf"\1\2 {english}", text)
    return " ".join(_NAMED.sub(_with_month, text).split())


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return " " if character.isspace() else character


def _offset(found: re.Match[str]) -> str:
    return f" {'+' if found[1] == '+' else '-'}{found[2].zfill(2)}:{found[3] or '00'}"


def _clock(found: re.Match[str]) -> str:
    return ":".join(part.zfill(2) for part in found.groups() if part is not None)


def _with_month(found: re.Match[str]) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFD", found[2].casefold()) if not unicodedata.combining(c))
    word = bare if found[2][0].isascii() else unicodedata.normalize("NFC", found[2].casefold())
    month = _MONTHS.get(word[:4]) or _MONTHS.get(bare[:4]) or _MONTHS.get(word[:3]) or _MONTHS.get(bare[:3])
    return found[0] if month is None else f"{found[1]} {month} {found[3]}"
