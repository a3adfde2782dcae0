"""Text of any usual encoding as blocks of whole lines.

UTF-8 with and without a mark, UTF-16 and UTF-32, ISO-2022-JP, what a person says, and where the bytes cannot be UTF-8,
what their letters make likeliest. A few damaged bytes in UTF-8 stay visible as lone surrogates, so that their rows are
refused and not the whole file.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from service.errors import Refused
from service.tabular.encodings import decoder_of, encoding_named, name_of
from service.tabular.letters import Guess, guessed

BLOCK = 1 << 20
LONGEST_LINE = 4 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JAPANESE = (b"\x1b$B", b"\x1b$@")  # what begins two-byte characters in ISO-2022-JP

_DECLARATION = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?([\w.:-]{2,40})""", re.IGNORECASE)
_DECLARED = 4096  # bytes in which it stands


class TextBlocks:
    """The lines of a stream, with their ends, in blocks; `encoding` is final once all is read."""

    def __init__(self, stream: BinaryIO, name: str, told: str | None = None) -> None:
        self._stream, self._name, self._told = stream, name, told
        head = _read(stream, BLOCK)
        self.encoding, mark = _encoding_of(head, name, told)
        self._guess: Guess | None = None
        self._head, self._has_mark = head[mark:], mark > 0
        self._plain = True  # only ASCII so far
        self._decoder = self._first_decoder()
        self._first = self._decode(self._head, False)

    def _first_decoder(self) -> codecs.IncrementalDecoder:
        return decoder_of(self.encoding, "strict" if self.encoding == "utf-8" and not self._told else "surrogateescape")

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes are UTF-8 without a mark."""
        return self.encoding == "utf-8" and not self._has_mark

    @property
    def encoding_name(self) -> str:
        """The encoding, for people."""
        name = name_of(self.encoding)
        if self._guess is None:
            return name
        also = f", {name_of(self._guess.also)} is as likely" if self._guess.also else ""
        return f"{name} (a guess by its letters{also}; --encoding says otherwise)"

    @property
    def beginning(self) -> str:
        """The first sign that is not a blank; empty in an empty file."""
        return self._first.replace("\0", "").lstrip()[:1]

    @property
    def start(self) -> str:
        """The text of the first bytes."""
        return self._first

    @property
    def head(self) -> bytes:
        """The first bytes, without the mark."""
        return self._head

    def texts(self) -> Iterator[tuple[str, bool]]:
        """The text in parts that end anywhere, and whether one is the last: for what does not consist of lines."""
        text = self._first
        while data := _read(self._stream, BLOCK):
            yield text, False
            text = self._decode(data, False)
        yield text + self._decode(b"", True), True

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
            raise Refused(f"{self._name} is not valid {name_of(self.encoding)}: {error.reason}") from None
        waiting = error.object  # what is left of the block before, and this one
        intact = waiting.decode("utf-8", "ignore")
        marks = sum(c > "\x7f" for c in intact)
        valid = len(intact.encode()) - len(intact) + marks  # bytes of characters that are sound
        if self._plain and sum(b > 127 for b in waiting) > 2 * valid:
            self._guess = guessed(waiting)
            self.encoding = self._guess.encoding
            self._decoder = decoder_of(self.encoding)
            return self._decoder.decode(waiting, final)
        self._decoder = decoder_of("utf-8")
        self._plain = False
        return self._decoder.decode(waiting, final)


def _declared(head: bytes) -> str | None:
    """The encoding that XML or a web page declares, if it is one of other letters than UTF-8."""
    if not head.lstrip().startswith(b"<") or (found := _DECLARATION.search(head[:_DECLARED])) is None:
        return None
    try:
        encoding = encoding_named(found[1].decode())
    except Refused:
        return None
    return None if encoding.startswith("utf") else encoding


def _read(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end."""
    parts, left = [], size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _encoding_of(head: bytes, name: str, told: str | None) -> tuple[str, int]:
    """The encoding and the length of its mark."""
    for mark, encoding in _MARKS:
        if head.startswith(mark) and (told is None or encoding.startswith(told)):
            return encoding, len(mark)
    told = told or _declared(head)
    if told is not None:
        return told, 0
    some = head[:4096]
    even, odd = some[::2].count(0), some[1::2].count(0)
    if len(some) >= 4 and max(even, odd) > 0.3 * (len(some) // 2):
        if min(even, odd) > 0.3 * max(even, odd):
            raise Refused(f"{name} is not text: half of it is zeros")
        return ("utf-16-le", 0) if odd > even else ("utf-16-be", 0)
    if some.count(0) > 0.05 * len(some) and len(some) > 32:
        raise Refused(f"{name} is not text, and none of the kinds of file that are read here")
    if head.isascii() and any(sign in head for sign in _JAPANESE):
        return "iso2022_jp", 0
    return "utf-8", 0
