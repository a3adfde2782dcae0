"""Text of any usual encoding as blocks of whole lines.

UTF-8 with and without a mark, UTF-16 either way, and Windows-1252 where the bytes cannot be UTF-8. A few damaged bytes
in UTF-8 stay visible as lone surrogates, so that their rows are refused and not the whole file.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from service.errors import Refused

BLOCK = 1 << 20
_POLISH = re.compile(rb"[A-Za-z][\xb3\xb9\xbf][a-z]")  # ³, ¹ and ¿ inside a word are letters of Windows-1250
_RUNS = re.compile(rb"[\x80-\xff]{3,}")
LONGEST_LINE = 4 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {"utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}


class TextBlocks:
    """The lines of a stream, with their ends, in blocks; `encoding` is final once all is read."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        head = _read(stream, BLOCK)
        self.encoding, mark = _encoding_of(head, name)
        self._head, self.has_mark = head[mark:], mark > 0
        self._decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        self._plain = True  # only ASCII so far

    @property
    def encoding_name(self) -> str:
        """The encoding, for people."""
        return _NAMES[self.encoding]

    @property
    def head(self) -> bytes:
        """The first bytes, without the mark."""
        return self._head

    def texts(self) -> Iterator[tuple[str, bool]]:
        """The text in parts that end anywhere, and whether one is the last: for what does not consist of lines."""
        data = self._head
        while data:
            following = _read(self._stream, BLOCK)
            yield self._decode(data, not following), not following
            data = following

    def __iter__(self) -> Iterator[list[str]]:
        rest, number = "", 0
        for part, is_last in self.texts():
            text = rest + part
            end = text.rfind("\n") + 1
            if not end:
                end = text.rfind("\r", 0, -1) + 1
            if is_last:
                end = len(text)
            rest = text[end:]
            if len(rest) > LONGEST_LINE:
                raise Refused(
                    f"{self._name}: a line after line {number} has more than {LONGEST_LINE >> 20} million characters"
                )
            if end:
                lines = list(io.StringIO(text[:end], newline=""))
                number += len(lines)
                yield lines

    def _decode(self, data: bytes, final: bool) -> str:
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            return self._decode_otherwise(final, error)
        self._plain = self._plain and text.isascii()
        return text

    def _decode_otherwise(self, final: bool, error: UnicodeDecodeError) -> str:
        if self.encoding != "utf-8":
            raise Refused(f"{self._name} is not valid {self.encoding_name}: {error.reason}") from None
        waiting = error.object  # what is left of the block before, and this one
        intact = waiting.decode("utf-8", "ignore")
        marks = sum(c > "\x7f" for c in intact)
        valid = len(intact.encode()) - len(intact) + marks  # bytes of characters that are sound
        if self._plain and sum(b > 127 for b in waiting) > 2 * valid:
            if _is_foreign(waiting):
                raise Refused(
                    f"{self._name} is not UTF-8, and its letters are not those of Western Europe (Windows-1252): save"
                    " it as UTF-8, in Excel as 'CSV UTF-8'"
                )
            self.encoding = "cp1252"
            self._decoder = codecs.getincrementaldecoder("cp1252")("strict")
            try:
                return self._decoder.decode(waiting, final)
            except UnicodeDecodeError:
                raise Refused(f"{self._name} is neither UTF-8 nor UTF-16 nor Windows-1252: save it as UTF-8") from None
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._plain = False
        return self._decoder.decode(waiting, final)


def _is_foreign(data: bytes) -> bool:
    """Whether words of other letters than Latin ones show: those with accents seldom follow each other."""
    in_runs = sum(map(len, _RUNS.findall(data)))
    return in_runs > 0.5 * sum(b > 127 for b in data) or _POLISH.search(data) is not None


def _read(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end."""
    parts, left = [], size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _encoding_of(head: bytes, name: str) -> tuple[str, int]:
    """The encoding and the length of its mark."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            if encoding == "utf-32":
                raise Refused(f"{name} is UTF-32: save it as UTF-8")
            return encoding, len(mark)
    some = head[:4096]
    even, odd = some[::2].count(0), some[1::2].count(0)
    if len(some) >= 4 and max(even, odd) > 0.3 * (len(some) // 2):
        if min(even, odd) > 0.3 * max(even, odd):
            raise Refused(f"{name} is not text: half of it is zeros")
        return ("utf-16-le", 0) if odd > even else ("utf-16-be", 0)
    if some.count(0) > 0.05 * len(some) and len(some) > 32:
        raise Refused(f"{name} is not text, and none of the kinds of file that are read here")
    return "utf-8", 0
