"""The words of a text in any language, such that what people change when they copy a text changes few of them. PURE.

Folding removes what cannot be seen or does not matter: case, width and font (NFKC's compatibility forms), invisible
signs, accents and vowel points, the shape of digits. Then a text is cut:

- where words are written apart, into words, at every space, punctuation mark and symbol (an apostrophe joins);
- in scripts without spaces (Han, kana, Thai, Lao, Khmer, Burmese, Tibetan and their neighbours) into overlapping
  shingles of about a word's length: two, three or four signs. Spaces and punctuation between their signs are ignored.

A link is one word whatever its address, since copies of a call name the target that each is about, and two texts are
not alike because both link to the same site. The same goes for an account that is mentioned (`@name`, an e-mail
address).

Unicode's tables are those of the Python that runs: signs that are newer than it separate words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

LONGEST_TEXT = 8_192  # characters; what follows is ignored (the contract takes 4,096)
MOST_TOKENS = 1_024  # different ones, the first: a text of the contract's length has at most so many words

LINK, MENTION = "\ue000", "\ue001"  # words that no text contains: private use separates words

_UNDECIDED = "\ue002"  # stands where there may be a link or a mention

_HAN, _KANA, _OTHER = (
    # also radicals, strokes and the iteration mark
    "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd",
    "\u3040-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\U0001aff0-\U0001b16f",
    # Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, Javanese, Burmese extended, Cham,
    # Tai Viet, Yi
    "\u0e00-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua000-\ua4cf\ua980-\ua9ff\uaa00-\uaadf",
)
_UNSPACED = f"{_HAN}{_KANA}{_OTHER}"
_RUNS = re.compile(f"[{_UNSPACED}]+")
_BETWEEN = re.compile(f"(?<=[{_UNSPACED}]) +(?=[{_UNSPACED}])")
_IS_HAN, _IS_KANA = re.compile(f"[{_HAN}]").match, re.compile(f"[{_KANA}]").match
_HAN_SIGNS, _KANA_SIGNS, _OTHER_SIGNS = 2, 3, 4  # in a shingle: about as many as in a word

# Addresses and accounts are ASCII, so that what follows in a script without spaces is not taken along. Every repeat is
# bounded or cannot overlap with what precedes it: no text takes longer than in proportion to its length.
_LINKS = re.compile(
    r"(?:h(?:tt|xx)ps?://|\bwww\.)[!-~]+"
    r"|\b[a-z0-9](?:[a-z0-9-]{0,62}\.){1,4}[a-z]{2,24}/[!-~]*"
)
_MENTIONS = re.compile(r"(?:\b[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}\.|(?<![a-z0-9])@[a-z0-9_])[a-z0-9_.@-]*")

# Default_Ignorable_Code_Point beyond category Cf (which is dropped as a whole): joiners, selectors, fillers, tags.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_APOSTROPHES = frozenset("'`\u00b4\u0374\u1fef\u1ffd\u02b9\u02bb\u02bc\u02bd\u2018\u2019\u201b\u2032\u05f3\uff07")
# Written one for the other, or joining what is one word, and not covered by NFKC.
_SIMILAR = {
    "ı": "i",  # Turkish: its capital is I
    "ł": "l",
    "ø": "o",
    "đ": "d",
    "æ": "ae",
    "œ": "oe",
    "ى": "ي",
    "ی": "ي",
    "ک": "ك",
    "ة": "ه",
    "\u0640": "",  # Arabic letters drawn out
    "\u0f0b": "",  # Tibetan: between syllables
    "\u0f0c": "",
    "\u30fb": "",  # katakana: between the parts of a name
}
_OVERLAY, _NUKTA, _POINTS, _ABOVE_AND_BELOW = 1, 7, range(10, 37), 200  # canonical combining classes
_LONG_RUN_OF_MARKS = 500  # shorter texts cannot be slow to normalise
_MARKS = "".join(chr(c) for c in range(0x300, 0x10000) if unicodedata.combining(chr(c)))
_MARKS_IN_A_ROW = re.compile(f"([{_MARKS}]{{8}})[{_MARKS}]+")

# ASCII: the same in one pass over bytes. Control characters that are not white space are invisible.
_ASCII_DROPPED = bytes(
    c for c in range(128) if chr(c) in _APOSTROPHES or not (chr(c).isprintable() or chr(c).isspace())
)
_ASCII_WORDS = bytes(c if chr(c).isalnum() else 32 for c in range(128)) + bytes(128)


class _Table(dict[int, str]):
    """What each code point becomes, for str.translate; worked out when it is first met, and kept for the first ones."""

    KEPT = 32_768  # code points: somebody may send all of Unicode

    def __init__(self, becomes: Callable[[str], str]) -> None:
        super().__init__()
        self._becomes = becomes

    def __missing__(self, code: int) -> str:
        found = self._becomes(chr(code))
        if len(self) < self.KEPT:
            self[code] = found
        return found


def _is_invisible(char: str) -> bool:
    category = unicodedata.category(char)
    return category == "Cf" or (category == "Cc" and not char.isspace()) or _IGNORABLE.match(char) is not None


def _decomposed(char: str) -> str:
    """NFKD and case folding, until neither changes anything."""
    while True:
        found = unicodedata.normalize("NFKD", char).casefold()
        if found == char:
            return found
        char = found


def _plain(char: str) -> str:
    """A sign of a decomposed text as it is compared."""
    if char in _APOSTROPHES:
        return "'"
    category = unicodedata.category(char)
    if category in ("Mn", "Me"):
        order = unicodedata.combining(char)
        accent = order in (_OVERLAY, _NUKTA) or order in _POINTS or order >= _ABOVE_AND_BELOW
        return "" if accent or category == "Me" or _is_astral_mark(char) else char
    return str(unicodedata.decimal(char)) if category == "Nd" else _SIMILAR.get(char, char)


def _is_astral_mark(char: str) -> bool:
    """Viramas of a few old scripts, which `_MARKS_IN_A_ROW` leaves out to stay fast."""
    return char > "\uffff" and unicodedata.combining(char) != 0


def _readable(char: str) -> str:
    """A sign of a decomposed text as it is shown: with its accents, without points that are seldom written."""
    if char in _APOSTROPHES:
        return "'"
    if char == "\u0640" or unicodedata.combining(char) in _POINTS or _is_astral_mark(char):
        return ""
    return str(unicodedata.decimal(char)) if unicodedata.category(char) == "Nd" else char


def _folding(sign: Callable[[str], str]) -> _Table:
    def becomes(char: str) -> str:
        if _is_invisible(char):
            return ""
        if char in _APOSTROPHES:
            return "'"
        if "\uac00" <= char <= "\ud7a3":  # a Hangul syllable: NFC would only put it together again
            return char
        if char.isspace() or unicodedata.category(char) == "Co":
            return " "
        return "".join(sign(c) for c in _decomposed(char) if not _is_invisible(c))

    return _Table(becomes)


def _separating(char: str) -> str:
    if char in (LINK, MENTION) or unicodedata.category(char)[0] in "LMN":
        return char
    return "" if char in _APOSTROPHES else " "


_PLAIN, _READABLE, _SEPARATING = _folding(_plain), _folding(_readable), _Table(_separating)


def _word_or_gap(char: str) -> str:
    becomes = "".join(map(_separating, _PLAIN[ord(char)]))
    return f"{becomes}{_UNDECIDED}" if set(_PLAIN[ord(char)]) & set("@/") else becomes


_WORDS = _Table(_word_or_gap)  # folding and separating in one, for texts without links and mentions


def folded(text: str) -> str:
    """The text without case, width, accents and invisible signs; punctuation stays. Folding twice changes nothing."""
    return _folded(text, _PLAIN)


def _folded(text: str, table: _Table) -> str:
    return _composed(text[:LONGEST_TEXT].translate(table)[:LONGEST_TEXT])  # some signs become eighteen


def _composed(found: str) -> str:
    if len(found) > _LONG_RUN_OF_MARKS and not found.isascii():
        # normalising takes the square of the marks in a row
        found = _MARKS_IN_A_ROW.sub(r"\1", found)
    return unicodedata.normalize("NFC", found)


def tokens_of(text: str) -> tuple[list[bytes], int]:
    """The different words and shingles of a text in UTF-8, and how many words they are worth.

    A shingle is worth one word divided by its number of signs, since as many of them overlap.
    """
    if text.isascii() and "@" not in text and "/" not in text and "www." not in text.lower():
        ascii_words = text[:LONGEST_TEXT].lower().encode().translate(_ASCII_WORDS, _ASCII_DROPPED).split()
        found = list(dict.fromkeys(ascii_words))[:MOST_TOKENS]
        return found, len(found)
    plain = _composed(text[:LONGEST_TEXT].translate(_WORDS)[:LONGEST_TEXT])
    if _UNDECIDED in plain or "www " in plain:
        plain = _separated(folded(text))
    words, shingles = _cut(plain)
    different = list(dict.fromkeys(words))[:MOST_TOKENS]
    worth = float(len(different))
    if shingles:
        some = list(dict.fromkeys(shingles))[: MOST_TOKENS - len(different)]
        worth += sum([1 / _SIGNS[ord(shingle[0])] for shingle in some])
        different += some
    return [one.encode() for one in different], int(worth)


def wording_of(text: str) -> str:
    """The text as it is compared for equality: its words in their order; the text itself if it has none (an emoji)."""
    words = folded(text).translate(_SEPARATING)
    return " ".join(_BETWEEN.sub("", words).split()) or " ".join(text.split())


def shown_words_of(text: str) -> tuple[list[str], list[str]]:
    """The words of a text as people read them, in their order and with repeats, and the shingles of what is written
    without spaces; links and mentions are left out. Lower case, with accents.
    """
    words, shingles = _cut(_separated(_folded(text, _READABLE)))
    return [word for word in words if word not in (LINK, MENTION)], shingles


def _separated(folded_text: str) -> str:
    """A folded text with a space in place of punctuation and symbols, and one word for each link and mention."""
    if "@" in folded_text:
        folded_text = _MENTIONS.sub(f" {MENTION} ", folded_text)
    if "/" in folded_text or "www." in folded_text:
        folded_text = _LINKS.sub(f" {LINK} ", folded_text)
    return folded_text.translate(_SEPARATING)


def _cut(plain: str) -> tuple[list[str], list[str]]:
    """The words of a folded and separated text, and its shingles."""
    if _RUNS.search(plain) is None:
        return plain.split(), []
    plain = _BETWEEN.sub("", plain)
    return _RUNS.sub(" ", plain).split(), [shingle for run in _RUNS.findall(plain) for shingle in _shingles(run)]


class _Signs(dict[int, int]):
    """How many signs a shingle has that begins with this one."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        found = _HAN_SIGNS if _IS_HAN(char) else _KANA_SIGNS if _IS_KANA(char) else _OTHER_SIGNS
        if len(self) < _Table.KEPT:
            self[code] = found
        return found


_SIGNS = _Signs()


def signs_of(shingle: str) -> int:
    """How many signs a shingle that begins like this one has, unless its run is shorter."""
    return _SIGNS[ord(shingle[0])]


def is_hiragana(shingle: str) -> bool:
    """Whether a shingle is all hiragana: endings and particles, which every Japanese text shares."""
    return all("\u3040" <= char <= "\u309f" for char in shingle)


def _shingles(run: str) -> list[str]:
    length = len(run)
    found = [run[k:end] for k, char in enumerate(run) if (end := k + _SIGNS[ord(char)]) <= length]
    return found or [run]
