"""Texts as editors and spreadsheets write them: the mark that some put before UTF-8, and UTF-16. PURE."""

from __future__ import annotations

MARK = b"\xef\xbb\xbf"  # a byte order mark in UTF-8: it says nothing


def wide_encoding(text: bytes) -> str | None:
    """What is wrong with a JSON text or table that begins as UTF-16 or UTF-32 does; None: nothing.

    Both bytes of the mark and half a character: the mark alone may begin other bytes.
    """
    if text[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "is in UTF-32: send it in UTF-8"
    if (text[:2] == b"\xff\xfe" and text[3:4] == b"\0") or (text[:2] == b"\xfe\xff" and text[2:3] == b"\0"):
        return "is in UTF-16: send it in UTF-8"
    return None
