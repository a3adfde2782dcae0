"""XML: workbooks of Excel 2003 (SpreadsheetML), and documents of repeated records as the same as JSON would be.

Expat reads them in parts. Entities are refused where they are declared, so that none is ever expanded or fetched; what
is held in memory is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from service.errors import Refused
from service.tabular.tables import MOST_COLUMNS
from service.tabular.text import TextBlocks

MOST_MEMORY = 3 * 1024**3 // 2
_OF_ELEMENT, _OF_CELL = 400, 100  # bytes of memory, beside the text
_DEEPEST = 100
_SPREADSHEET = "urn:schemas-microsoft-com:office:spreadsheet"
_PAGE = re.compile(
    r"\s*(?:<\?[^>]*>\s*|<!--(?:(?!-->).)*-->\s*|<!(?!doctype)[^>]*>\s*)*"
    r"<(?:!doctype\s+html|(?:html|head|meta|table|style|body|div|title|link|script|font|center|p|h[1-6]|br|span|b)[\s/>])",
    re.IGNORECASE | re.DOTALL,
)
_FIELDS = frozenset(("field", "column", "property", "param"))  # of which other attributes say the type
_NOTHING = "None"  # an element for it, as Django writes
_NAMING = ("name", "key", "field")  # attributes that name what an element holds: <column name="id">1</column>


def is_web_page(start: str) -> bool:
    """Whether a text in tags is HTML rather than XML."""
    return _PAGE.match(start[:20_000]) is not None


def is_spreadsheet(start: str) -> bool:
    """Whether it is a workbook of Excel 2003."""
    return _SPREADSHEET in start[:20_000] and re.search(r"<(?:\w+:)?Workbook[\s>]", start[:20_000]) is not None


class Element(dict[str, Any]):
    """What an element holds, by name, and its line."""

    line = 0


class _XmlMemory:
    """Counts memory, and refuses what takes too much."""

    def __init__(self, name: str) -> None:
        self._name, self._left = name, MOST_MEMORY

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise Refused(
                f"{self._name} is XML that takes more than {MOST_MEMORY / 1024**3:g} GiB of memory: save it as CSV"
            )


def _parse(
    text: TextBlocks,
    name: str,
    begin: Callable[[str, dict[str, str], int], None],
    end: Callable[[str], None],
    said: Callable[[str], None],
) -> None:
    """Read all tags, with names without prefixes. Raises Refused."""
    parser = ParserCreate("utf-8")  # as it is handed on, whatever it declares
    parser.buffer_text = True

    def declared(*what: object) -> None:
        raise Refused(f"{name} is XML that declares entities, which no table needs: save it as CSV")

    parser.EntityDeclHandler = declared
    parser.StartElementHandler = lambda tag, attributes: begin(
        _bare(tag), {_bare(key): value for key, value in attributes.items()}, parser.CurrentLineNumber
    )
    parser.EndElementHandler = lambda tag: end(_bare(tag))
    parser.CharacterDataHandler = said
    try:
        for part, is_last in text.texts():
            parser.Parse(part.encode("utf-8", "surrogatepass"), is_last)
    except ExpatError as error:
        raise Refused(f"{name} is not valid XML: {error}") from None


def _bare(tag: str) -> str:
    return tag.rsplit(":", 1)[-1]


class XmlSheet:
    """A sheet of a workbook of Excel 2003."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.cells: list[tuple[int, list[Any]]] = []

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Its rows with their numbers."""
        for number, cells in self.cells:
            yield number, list(cells)


class _Workbook:
    """Builds sheets from tags."""

    def __init__(self, name: str) -> None:
        self.sheets: list[XmlSheet] = []
        self._memory = _XmlMemory(name)
        self._number = 0
        self._row: list[Any] | None = None
        self._merged = 0
        self._type: str | None = None  # of the data that is open
        self._text: list[str] = []

    def begin(self, tag: str, attributes: dict[str, str], line: int) -> None:
        if tag == "Worksheet":
            self.sheets.append(XmlSheet(attributes.get("Name", f"sheet {len(self.sheets) + 1}")))
            self._number = 0
        elif tag == "Row" and self.sheets:
            self._number = _whole(attributes.get("Index"), self._number + 1)
            self._row = []
        elif tag == "Cell" and self._row is not None:
            wanted = min(_whole(attributes.get("Index"), len(self._row) + 1), MOST_COLUMNS + 1)
            self._row += [None] * (wanted - 1 - len(self._row))
            self._row.append(None)
            self._merged = min(_whole(attributes.get("MergeAcross"), 0), MOST_COLUMNS)
            self._memory.take(_OF_CELL + 8 * wanted)
        elif tag == "Data" and self._row:
            self._type, self._text = attributes.get("Type", "String"), []

    def end(self, tag: str) -> None:
        if tag == "Data" and self._type is not None and self._row:
            self._row[-1] = _value(self._type, "".join(self._text))
            self._type = None
        elif tag == "Cell" and self._row is not None:
            self._row += [None] * min(self._merged, MOST_COLUMNS + 1 - len(self._row))
            self._merged = 0
        elif tag == "Row" and self._row is not None:
            if self._row:
                self.sheets[-1].cells.append((self._number, self._row))
            self._row = None

    def said(self, text: str) -> None:
        if self._type is not None:
            self._memory.take(len(text))
            self._text.append(text)


def spreadsheet_of(text: TextBlocks, name: str) -> list[XmlSheet]:
    """The sheets of a workbook of Excel 2003. Raises Refused."""
    book = _Workbook(name)
    _parse(text, name, book.begin, book.end, book.said)
    return book.sheets


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else otherwise


def _value(kind: str, text: str) -> Any:
    try:
        if kind == "Number":
            number = float(text)
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        if kind == "DateTime":
            return datetime.fromisoformat(text)
        if kind == "Boolean":
            return text.strip() == "1"
    except ValueError:
        pass
    return text


class _Document:
    """Builds what JSON would hold from tags."""

    def __init__(self, name: str) -> None:
        self.root = Element()
        self._name, self._memory = name, _XmlMemory(name)
        self._stack: list[tuple[Element, list[str], dict[str, str]]] = [(self.root, [], {})]

    def begin(self, tag: str, attributes: dict[str, str], line: int) -> None:
        if len(self._stack) > _DEEPEST:
            raise Refused(f"{self._name} is XML with more than {_DEEPEST} elements inside each other: save it as CSV")
        self._memory.take(_OF_ELEMENT + sum(100 + len(key) + len(value) for key, value in attributes.items()))
        attributes = {key: value for key, value in attributes.items() if not key.startswith("xmlns")}
        made = Element()
        made.line = line
        self._stack.append((made, [], attributes))

    def end(self, tag: str) -> None:
        made, parts, attributes = self._stack.pop()
        text: str | None = "".join(parts).strip()
        if attributes.pop("nil", "") in ("true", "1"):
            text = None
        attributes.pop("schemaLocation", None)
        name = tag
        naming = next((key for key in _NAMING if key in attributes), "")
        if naming and (len(attributes) == 1 or tag.lower() in _FIELDS) and (not made or made.keys() == {_NOTHING}):
            name, attributes = attributes[naming], {}
            made.clear()
        value: Any = text
        if made or attributes:
            for key, inner in attributes.items():
                made.setdefault(key, inner)
            if text:
                made.setdefault("value", text)
            value = made
        outer = self._stack[-1][0]
        if name not in outer:
            outer[name] = value
        elif isinstance(outer[name], list):
            outer[name].append(value)
        else:
            outer[name] = [outer[name], value]

    def said(self, text: str) -> None:
        self._memory.take(len(text))
        self._stack[-1][1].append(text)


def document_of(text: TextBlocks, name: str) -> Element:
    """What an XML document holds. Raises Refused."""
    document = _Document(name)
    _parse(text, name, document.begin, document.end, document.said)
    return document.root
