"""Which encoding bytes beyond ASCII are in, by the letters that they would be. PURE.

Each encoding is tried with the letters of each language that was written in it; the reading with the most usual letters
wins. Of readings that are equally good, the first of the list does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MOST_BYTES = 64 * 1024  # that are looked at
_PUNCTUATION = frozenset("–—‘’‚“”„«»‹›…€£§°·•\xa0¿¡´®©™№×½、。「」・！？，：；（）《》【】ー～々〇　")
_INSIDE = re.compile(
    r"(?<=[^\W\d_])[^\w\s\-’'´·.,:;!?()/&@+=*|\"\[\]{}<>#%\\$^`~](?=[^\W\d_])"
)  # a sign between letters
_MIXED = re.compile(r"[a-zA-Z](?=[^\W\d_a-zA-Z])|(?<=[^\W\d_a-zA-Z])[a-zA-Z]")  # Latin letters beside those of a script
_TURNED = re.compile(r"(?<=[^\W\d_a-zA-Z])(?<=[a-zß-ÿа-яёα-ώ])[^\W\d_a-zA-Z]")  # what follows a small letter
_CLOSE = 0.04  # of two scores that are the same for people
_UNREADABLE = 3.0  # what a byte that an encoding does not have costs
# How likely pages are before any letter is seen: those of DOS and old Macs are seldom left, Windows' are everywhere.
_LIKELY = {"cp850": 0.93, "cp852": 0.93, "mac_roman": 0.93, "iso8859_5": 0.93, "cp866": 0.97}
_LIKELY |= {"cp1250": 0.98, "iso8859_2": 0.95}
_SEVERAL = 0.93  # letters of several languages, which are more
_SELDOM = 0.7  # what a letter counts that is not among the most frequent ones of its script


@dataclass(frozen=True, slots=True)
class Guess:
    """The likeliest encoding, and what it might be as well."""

    encoding: str
    language: str
    also: str = ""  # an encoding that reads other letters and is as likely


# A code page's languages, and the letters beyond ASCII that each has: all of them; of other scripts than Latin, those
# that stand most often and the others. The order decides where letters cannot.
_LATIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("German", ("äöüß",)),
    ("French", ("éèàçêîôûâëïùœæüÿ",)),
    ("Spanish", ("áéíóúñü",)),
    ("Portuguese", ("ãçáéíóúâêôõàü",)),
    ("Italian", ("àèéìòùîí",)),
    ("Dutch", ("ëïéèöüó",)),
    ("Swedish", ("åäöé",)),
    ("Danish", ("æøåéö",)),
    ("Catalan", ("àèéíòóúçïü",)),
    ("", ("àáâãäåæçèéêëìíîïñòóôõöøùúûüßÿœ",)),
)
_CENTRAL = (
    ("Polish", ("ąćęłńóśźż",)),
    ("Czech", ("áčďéěíňóřšťúůýž",)),
    ("Hungarian", ("áéíóöőúüű",)),
    ("Slovak", ("áäčďéíĺľňóôŕšťúýž",)),
    ("Croatian", ("čćđšž",)),
    ("Romanian", ("ăâîşţ",)),
)
_TURKISH = (("Turkish", ("çğıöşüİâîû",)),)
_BALTIC = (("Lithuanian", ("ąčęėįšųūž",)), ("Latvian", ("āčēģīķļņšūž",)), ("Estonian", ("äõöüšž",)))
_RUSSIAN = ("оеаинтсрвл", "кмдпуяыьгзбчйхжшюцщэфъёєіїґў")
_CYRILLIC = (
    ("Russian", _RUSSIAN),
    ("Bulgarian", ("оеаинтсрвл", "кмдпуяьгзбчйхжшюцщфъ")),
    ("Serbian", ("аиоенрсјтк", "увдпмлбгзшчцхжђњљћфџ")),
)
_OTHERS: tuple[tuple[str, str, str, str], ...] = (
    ("cp1253", "Greek", "αοιετσνηρυ", "πκμλςάέήίόύώγδθωχφβξζψϊϋΐΰ"),
    ("cp1255", "Hebrew", "יוהלאמרבתש", "נפדקעחסכגטזץךםןף"),
    ("cp1256", "Arabic", "الينمتوهربةعدس", "كفقحجشصطخذضزثغظءآأؤإئىپچژگ،؟"),
    ("cp874", "Thai", "านรอกเงมยลวดทสตะคปบ่้ี", "".join(chr(c) for c in range(0xE01, 0xE5C))),
)
_SINGLE: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = (
    ("cp1252", _LATIN),
    ("cp1254", _TURKISH),
    ("cp1250", _CENTRAL),
    ("cp1251", _CYRILLIC),
    ("iso8859_2", _CENTRAL),
    ("cp1257", _BALTIC),
    *((page, ((language, (frequent, rest)),)) for page, language, frequent, rest in _OTHERS),
    ("koi8_u", (("Russian", _RUSSIAN),)),
    ("cp866", (("Russian", _RUSSIAN),)),
    ("iso8859_5", (("Russian", _RUSSIAN),)),
    ("mac_roman", _LATIN),
    ("cp850", _LATIN),
    ("cp852", _CENTRAL),
    ("cp1252", (("Icelandic", ("áðéíóúýþæö",)),)),
)
_KANA = (0x3041, 0x30FF)
# Encodings of several bytes, and the first bytes of the characters that are used most in them.
_DOUBLE: tuple[tuple[str, str, int, int], ...] = (
    ("cp932", "Japanese", 0x88, 0x97),
    ("cp949", "Korean", 0xB0, 0xC8),
    ("euc_jp", "Japanese", 0xB0, 0xCF),
    ("gb18030", "Chinese", 0xB0, 0xD7),
    ("big5hkscs", "Chinese", 0xA4, 0xC6),
)


def guessed(data: bytes) -> Guess:
    """The likeliest encoding of bytes that are not UTF-8."""
    some = _foreign_lines(data)
    scores = [*_double(some), *_single(some)]
    best = max(scores, key=lambda found: found[0])
    others = [
        (score, encoding)
        for score, encoding, _ in scores
        if encoding != best[1] and score > best[0] - _CLOSE and _reads_otherwise(some, encoding, best[1])
    ]
    return Guess(best[1], best[2], max(others, default=(0.0, ""))[1])


def _foreign_lines(data: bytes) -> bytes:
    """The lines with bytes beyond ASCII, as many as are looked at."""
    parts, size = list[bytes](), 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            parts.append(line[:4096])
            size += len(parts[-1])
            if size > MOST_BYTES:
                break
    return b"".join(parts)


def _reads_otherwise(some: bytes, encoding: str, other: str) -> bool:
    return some.decode(encoding, "replace") != some.decode(other, "replace")


def _single(some: bytes) -> Iterable[tuple[float, str, str]]:
    for encoding, languages in _SINGLE:
        text = some.decode(encoding, "replace")
        signs = Counter(c for c in text if c > "\x7f")
        total = max(1, signs.total() - sum(signs[sign] for sign in _PUNCTUATION))
        inside = sum(found[0] > "\x7f" for found in _INSIDE.finditer(text))
        turned = sum(found[0].isupper() for found in _TURNED.finditer(text))
        mixed = len(_MIXED.findall(text))
        for language, letters in languages:
            other = mixed if len(letters) > 1 else 0
            likely = _LIKELY.get(encoding, 1.0) * (_SEVERAL if language == "" else 1.0)
            yield (_worth(signs, letters) - inside - turned - other) / total * likely, encoding, language


def _worth(signs: Counter[str], letters: tuple[str, ...]) -> float:
    """How usual the signs are: those of the language, and of other scripts than Latin the most frequent ones more."""
    known = frozenset("".join(letters)) | frozenset("".join(letters).upper())
    frequent = frozenset(letters[0]) | frozenset(letters[0].upper()) if len(letters) > 1 else frozenset()
    worth = 0.0
    for sign, count in signs.items():
        if sign in known:
            worth += count * ((1 if sign in frequent or not frequent else _SELDOM) - 0.1 * sign.isupper())
        elif sign == "\ufffd":
            worth -= count * _UNREADABLE
        elif sign not in _PUNCTUATION:
            worth -= count * (0.5 if sign.isalpha() else 1)
    return worth


def _double(some: bytes) -> Iterable[tuple[float, str, str]]:
    for encoding, language, first, last in _DOUBLE:
        text = some.decode(encoding, "replace")
        signs = Counter(c for c in text if c > "\x7f")
        worth = -0.5 * len(_MIXED.findall(text))
        for sign, count in signs.items():
            if sign == "\ufffd":
                worth -= count * _UNREADABLE
            elif _KANA[0] <= ord(sign) <= _KANA[1]:
                worth += count * (1 if language == "Japanese" else -1)
            elif 0xFF61 <= ord(sign) <= 0xFF9F:  # narrow katakana, each of one byte
                worth -= 0.3 * count
            elif sign in _PUNCTUATION or 0xFF01 <= ord(sign) <= 0xFF5E:
                worth += 0.5 * count
            else:
                usual = first <= sign.encode(encoding, "replace")[0] <= last
                korean = language == "Korean" and not 0xAC00 <= ord(sign) <= 0xD7A3
                worth += count * (-1 if korean else 1 if usual else 0.2)
        yield worth / signs.total(), encoding, language
