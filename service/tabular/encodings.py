"""Encodings by name: which a person may choose, what they are called, how bytes that they lack are read. PURE."""

from __future__ import annotations

import codecs

from service.errors import Refused

_NAMES = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "cp932": "Shift_JIS",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP",
    "cp949": "EUC-KR",
    "gb18030": "GBK",
    "big5hkscs": "Big5",
    "koi8-u": "KOI8-U",
    "cp874": "Windows-874",
    "mac-roman": "Mac Roman",
    "iso8859-2": "ISO-8859-2",
    "iso8859-5": "ISO-8859-5",
    **{f"cp{page}": f"Windows-{page}" for page in range(1250, 1259)},
}
# What programs write under a name is often a larger set that has the same bytes for all of the smaller one.
_WIDER = {
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "koi8-r": "koi8-u",
    "utf-8-sig": "utf-8",
}
_NOT_OF_FILES = frozenset(
    ("idna", "punycode", "undefined", "unicode-escape", "unicode_escape", "raw-unicode-escape", "utf-7")
)
_KEPT = "brigadewatch-kept"
_UNUSED = 0xF700  # private characters: what is not in a code page stays different from everything else


def encoding_named(name: str) -> str:
    """An encoding as Python knows it. Raises Refused for a name that is not one of text in files."""
    try:
        found = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        raise Refused(_unknown(name)) from None
    if not found._is_text_encoding or found.name in _NOT_OF_FILES:
        raise Refused(_unknown(name))
    return _WIDER.get(found.name, found.name)


def name_of(encoding: str) -> str:
    """An encoding, for people; the name can be chosen, too."""
    known = codecs.lookup(encoding).name
    return _NAMES.get(encoding) or _NAMES.get(known, known)


def decoder_of(encoding: str, damaged: str = "surrogateescape") -> codecs.IncrementalDecoder:
    """Decodes bytes as they come. Damage in UTF-8 and in encodings of several bytes leaves lone surrogates, which are
    refused with their rows; bytes that a code page does not have become private characters, so that no row is lost.
    """
    if encoding.startswith(("utf-16", "utf-32")):
        damaged = "strict"
    elif _is_of_single_bytes(encoding):
        damaged = _KEPT
    return codecs.getincrementaldecoder(encoding)(damaged)


def _is_of_single_bytes(encoding: str) -> bool:
    """Whether bytes beyond ASCII stand for themselves: in Shift_JIS 63 do, in others of several bytes hardly any."""
    return sum(bytes([byte]).decode(encoding, "replace") != "\ufffd" for byte in range(128, 256)) > 70


def _kept(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(_UNUSED + byte) for byte in error.object[error.start : error.end]), error.end


def _unknown(name: str) -> str:
    return f"{name[:40]!r} is not a known encoding; write for example windows-1251, shift_jis, gbk or euc-kr"


codecs.register_error(_KEPT, _kept)
