"""Values, names and statements of SQL as dumps write them: MySQL, PostgreSQL, SQLite, SQL Server, Oracle. PURE."""

from __future__ import annotations

import re
from typing import Any

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MYSQL = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_COPIED = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_COPY = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_UNICODE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6})|(\\))")
_PLAIN = r"'(?P<plain>(?:[^']++|'')*+)'"
_SLASHED = r"'(?P<plain>(?:[^'\\]++|\\.|'')*+)'"
_REST = r"""
    |(?P<null>NULL)(?!\w)
    |(?P<hex>0x[0-9a-fA-F]*+)
    |(?P<number>[-+]?\d[\d.]*+(?:[eE][-+]?\d++)?)
    |(?P<word>TRUE|FALSE|DEFAULT)(?!\w)
    |(?:E|e)'(?P<slashed>(?:[^'\\]++|\\.|'')*+)'
    |(?:X|x)'(?P<blob>[0-9a-fA-F]*+)'
    |(?:B|b)'(?P<bits>[01]*+)'
)(?:::[a-zA-Z_][\w ."\[\]()]*?)?\s*+(?P<end>[,)])"""
NAME = r'(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|\[[^\]]+\]|[\w$]+)'
NAMES = rf"{NAME}(?:\s*\.\s*{NAME}){{0,3}}"
_NAME = re.compile(NAME)
_LITERAL = re.compile(r"N?'((?:[^']|'')*+)'")
_FUNCTION = re.compile(r"\s*[a-z_][\w.]*\s*\(", re.I)
_LONGEST_EXPRESSION = 1_000
_REMARKS = re.compile(r"\A(?:\s*--[^\n]*\n|\s*/\*.*?\*/)*\s*", re.DOTALL)
_CONSTRAINTS = frozenset(
    "primary key unique constraint index foreign fulltext spatial check exclude like period".split(" ")  # noqa: SIM905
)  # what begins a line of CREATE TABLE that is not a column


def value_pattern(*, slashes: bool) -> re.Pattern[str]:
    """Matches a value and the comma or bracket behind it; `slashes`: a backslash escapes, as MySQL has it."""
    text = rf"\s*+(?:(?:N|n|_\w+\s*)?{_SLASHED if slashes else _PLAIN}{_REST}"
    return re.compile(text, re.VERBOSE | re.DOTALL | re.IGNORECASE)


def value_of(match: re.Match[str], *, slashes: bool) -> Any:
    """The value of a match."""
    kind, text = match.lastgroup, ""
    if (text := match["plain"]) is not None:
        text = text.replace("''", "'") if "'" in text else text
        return _unescaped(text) if slashes and "\\" in text else text
    if match["null"]:
        return None
    if (text := match["number"]) is not None:
        return text
    if (text := match["word"]) is not None:
        return {"true": True, "false": False}.get(text.lower())
    if (text := match["slashed"]) is not None:
        return _unescaped(text.replace("''", "'"))
    if (text := match["bits"]) is not None:
        return str(int(text or "0", 2))
    assert kind is not None
    return _of_hex(match["hex"][2:] if match["hex"] is not None else match["blob"])


def is_expression(text: str) -> bool:
    """Whether what is not a plain value may be one: a function, or a word with one text at most, DATE '2026-10-01'.

    Behind a missing quote everything is turned inside out, and has many.
    """
    return _FUNCTION.match(text) is not None or (len(text) < _LONGEST_EXPRESSION and text.count("'") <= 2)


def value_of_expression(text: str) -> Any:
    """What a function is applied to: CAST(N'…' AS datetime), to_date('…', '…'), replace('…', '\\n', char(10))."""
    found = _LITERAL.search(text)
    if found is None:
        number = re.search(r"(?<![\w.])-?\d[\d.]*", text)
        return number[0] if number else None
    value = found[1].replace("''", "'")
    begins = text.lstrip().lower()
    if begins.startswith("replace("):
        value = value.replace("\\r", "\r") if "char(13)" in begins else value
        return value.replace("\\n", "\n") if "char(10)" in begins else value
    if begins.startswith("unistr("):
        return _UNICODE.sub(lambda m: "\\" if m[3] else chr(int(m[1] or m[2], 16) % 0x110000), value)
    return value


def copied(field: str) -> str | None:
    """A field of a line of COPY."""
    if "\\" not in field:
        return field
    if field == "\\N":
        return None

    def plain(found: re.Match[str]) -> str:
        what = found[1]
        if what[0] in "01234567":
            return chr(int(what, 8))
        return chr(int(what[1:], 16)) if what[0] == "x" and len(what) > 1 else _COPY.get(what, what)

    return _COPIED.sub(plain, field)


def names_in(text: str) -> list[str]:
    """The names of a list like `a`, "b", c."""
    return [bare_name(found) for found in _NAME.findall(text)]


def table_name(text: str) -> str:
    """The name of a table, with its schema if that is given and not the usual one."""
    parts = [bare_name(part) for part in _NAME.findall(text)]
    return ".".join(parts[-2:] if len(parts) > 1 and parts[-2] not in ("public", "dbo", "main") else parts[-1:])


def bare_name(text: str) -> str:
    """A name without its quotes."""
    if text[:1] in '`"' and text[-1] == text[0]:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text[1:-1] if text[:1] == "[" else text


def columns_of(definition: str) -> list[str]:
    """The columns of what stands between the brackets of CREATE TABLE."""
    found = []
    for part in _parts(definition):
        name = _NAME.match(_REMARKS.sub("", part))
        if name is not None and (name[0][0] in '`"[' or name[0].lower() not in _CONSTRAINTS):
            found.append(bare_name(name[0]))
    return found


def _parts(text: str) -> list[str]:
    """What commas outside of brackets and quotes divide."""
    parts, begin, depth = list[str](), 0, 0
    for sign in re.finditer(r"""'(?:[^'\\]|\\.|'')*'|"[^"]*"|`[^`]*`|--[^\n]*|[(),]""", text, re.DOTALL):
        if sign[0] == "(":
            depth += 1
        elif sign[0] == ")":
            depth -= 1
        elif sign[0] == "," and depth == 0:
            parts.append(text[begin : sign.start()].strip())
            begin = sign.end()
    return [*parts, text[begin:].strip()]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _MYSQL.get(found[1], found[1]), text)


def of_bytes(content: bytes) -> str:
    """Bytes as text where they are text, else in hexadecimal."""
    try:
        text = content.decode()
    except ValueError:
        return content.hex()
    return text if text.isprintable() else content.hex()


def _of_hex(digits: str) -> str:
    try:
        return of_bytes(bytes.fromhex(digits))
    except ValueError:
        return digits.lower()
