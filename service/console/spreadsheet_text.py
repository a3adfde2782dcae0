"""Text in a CSV file that a spreadsheet might run as a formula. PURE.

A formula begins with = + - or @, in some also in full width (U+FF1D) or as another form of the same sign, after
whatever the spreadsheet drops or ignores: blanks, line feeds, control and invisible characters. `|` and `%` begin
commands in old ones. A cell need not begin where our comma is: where the list separator of the reader's country is a
semicolon, that, a tab or a line feed in the middle of our text begins another cell.
"""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z", re.ASCII)
_SIGNS = frozenset("=+-@|%\u2212")  # the last: minus
_SEPARATORS = frozenset(";\t\r\n\v\f\x85\u2028\u2029")
_IGNORED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp", "Mn", "Me"})  # categories of Unicode


def without_formulas(text: str) -> str:
    """The text with an apostrophe before each sign that could begin a formula; a plain number like -5 stays."""
    if _NUMBER.match(text):
        return text
    made: list[str] = []
    begins = True  # whether a cell could begin with the next character
    for character in text:
        if begins and unicodedata.normalize("NFKC", character)[0] in _SIGNS:
            made.append("'")
            begins = False
        elif character in _SEPARATORS:
            begins = True
        elif character != '"' and unicodedata.category(character) not in _IGNORED:
            begins = False
        made.append(character)
    return "".join(made)
