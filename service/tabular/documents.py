"""JSON: a line for each report (NDJSON), a list of reports, or a document with one such list inside.

What has the API's own form stays as it is and goes through the same checks as a POST. Anything else becomes a table:
objects inside objects get names with dots, lists are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

from pydantic_core import from_json

from service.errors import Refused
from service.intake.items import COMPLAINT, MAX_LINE_BYTES, OUTCOME, CheckedItem, Noun, read_line, read_value
from service.intake.notes import NoteCount
from service.model import RejectedItem
from service.tabular.lists import list_at, lists_in, named_values, without
from service.tabular.tables import MOST_COLUMNS, Batch, refused, unique_names
from service.tabular.text import TextBlocks

MOST_MEMORY = 3 * 1024**3 // 2  # bytes that a JSON document, which is held whole, may take
_MEMORY = {b"{": 200, b"[": 80, b",": 60}  # bytes of the values that such a sign begins or parts, beside its text
_LONGEST_LINE = MAX_LINE_BYTES + 2
_LOOKED_AT = 10_000  # objects whose keys make the header
_BATCH = 5_000
_DEEPEST = 6
_TIME = re.compile(r"time|date|created|_at\Z", re.IGNORECASE)
_BEGINS = re.compile(r"\s*\{")
_WRAPPERS = frozenset(("node", "data"))  # add nothing to names
_OUTER_WRAPPERS = _WRAPPERS | {"_source", "attributes", "relationships", "fields"}
_FIRESTORE = "document.fields"  # the wrapper inside its wrapper: adds nothing to names, either
_ALONE = frozenset(("Item", "doc"))  # wrap a record of DynamoDB or CouchDB if nothing but its key stands beside them
_BESIDE = _ALONE | {"id", "key", "value"}
_TYPES = frozenset(("$oid", "$date", "$numberLong", "$numberInt", "$numberDouble", "$uuid", "S", "N", "BOOL"))
_TYPES |= {f"{kind}Value" for kind in ("string", "integer", "double", "timestamp", "boolean", "reference", "map")}


class JsonLines:
    """The lines of an NDJSON file, however long a single one is."""

    def __init__(self, stream: BinaryIO, text: TextBlocks) -> None:
        self._stream, self._text = stream, text

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(self._utf8() if self._text.encoding == "utf-8" else self._other(), 1):
            if stripped := line.strip():
                yield number, stripped

    def _other(self) -> Iterator[bytes]:
        for block in self._text:
            for line in block:
                yield line.encode("utf-8", "surrogatepass")

    def _utf8(self) -> Iterator[bytes]:
        """The lines as bytes. Of one that is longer than any item may be, as much as shows that."""
        head = self._text.head
        start = 0
        while (end := head.find(b"\n", start) + 1) > 0:
            yield head[start:end]
            start = end
        first = head[start:]
        if first:
            rest = b"" if len(first) >= _LONGEST_LINE else self._stream.readline(_LONGEST_LINE - len(first))
            yield from self._whole(first + rest)
        while line := self._stream.readline(_LONGEST_LINE):
            yield from self._whole(line)

    def _whole(self, line: bytes) -> Iterator[bytes]:
        yield line
        while len(line) >= _LONGEST_LINE and not line.endswith(b"\n"):
            line = self._stream.readline(_LONGEST_LINE)


def is_item(value: Any, noun: Noun) -> bool:
    """Whether an object has the API's form."""
    if not isinstance(value, dict):
        return False
    if noun is OUTCOME:
        return "target_id" in value and "decided_at" in value
    reporter, target = value.get("reporter"), value.get("target")
    if not isinstance(reporter, dict) or not isinstance(target, dict) or not ("id" in reporter or "id" in target):
        return False
    return "occurred_at" in value or not _may_be_of_others(value)


def has_items(values: Sequence[Any], noun: Noun) -> bool:
    """Whether one of the values has the API's form."""
    return any(is_item(value, noun) for value in values)


def _may_be_of_others(value: Mapping[str, Any]) -> bool:
    """Whether other software wrote what looks like the API's form, but says the time in its own words."""
    return any(_TIME.search(key) for key in value)


def parsed_line(line: bytes) -> Any:
    """The value of a line; None if it is not JSON."""
    try:
        return from_json(line)
    except ValueError:
        return None


def is_document(text: TextBlocks) -> bool:
    """Whether what begins with `{` is one document rather than a line for each report."""
    first, end, after = text.start.lstrip().partition("\n")
    value = parsed_line(first.encode("utf-8", "surrogatepass"))
    if not end and value is None:
        return True
    if value is None:
        return not after.lstrip().startswith("{")
    return not (after.strip() or is_item(value, COMPLAINT) or is_item(value, OUTCOME)) and bool(lists_in(value))


class ItemReader:
    """Reads what has the API's form: lines of NDJSON, or the values of a list."""

    def __init__(self, noun: Noun, now: datetime, notes: NoteCount, *, as_lines: bool) -> None:
        self._read = read_line if as_lines else read_value
        self.noun, self.now, self.as_lines = noun, now, as_lines
        self._notes = notes

    def items(self, batch: Batch) -> Iterator[CheckedItem | RejectedItem]:
        """The items of a batch, and what is refused of it."""
        for number, raw in zip(batch.lines, batch.rows, strict=True):
            yield self.item(number, raw)

    def item(self, number: int, raw: Any) -> CheckedItem | RejectedItem:
        """One item, or why it is refused."""
        return self._notes.taken(self._read(raw, self.noun, self.now, number))


@dataclass(frozen=True, slots=True)
class ItemList:
    """A file in the API's form: its lines or values, and what reads them."""

    reader: ItemReader
    numbered: Iterator[tuple[int, Any]]

    def batches(self) -> Iterator[Batch]:
        """Its lines or values, some thousands at once."""
        while some := list(islice(self.numbered, _BATCH)):
            yield Batch([number for number, _ in some], [raw for _, raw in some])


def document_of(text: TextBlocks, name: str) -> Any:
    """A JSON document. Raises Refused for one that takes too much memory or is damaged."""
    parts, needed = list[bytes](), 0
    for part, _ in text.texts():
        parts.append(part.encode("utf-8", "surrogatepass"))
        needed += len(parts[-1]) + sum(size * parts[-1].count(sign) for sign, size in _MEMORY.items())
        if needed > MOST_MEMORY:
            raise Refused(
                f"{name} is one JSON document that takes more than {MOST_MEMORY / 1024**3:g} GiB of memory to read:"
                " write one report per line (NDJSON), for instance with jq -c '.[]'"
            )
    whole = b"".join(parts)
    parts.clear()
    try:
        return from_json(whole)
    except ValueError as error:
        if several := _one_after_another(whole.decode("utf-8", "surrogatepass")):
            return several
        raise Refused(f"{name} is not valid JSON: {error}") from None


def _one_after_another(text: str) -> list[Any]:
    """The objects of a text that is several documents, each on many lines; none if it is not that."""
    decoder, found, at = json.JSONDecoder(), list[Any](), 0
    while start := _BEGINS.match(text, at):
        try:
            value, at = decoder.raw_decode(text, start.end() - 1)
        except (ValueError, RecursionError):
            return []
        found.append(value)
    return found if not text[at:].strip() else []


def _typed(value: Mapping[str, Any]) -> Any:
    """The value that a database wraps in its type or its words for people; None if it is an object of its own."""
    if len(value) == 1:
        (key, inner), *_ = value.items()
        return inner if key in _TYPES and inner is not None else None
    if "value" in value and value.keys() <= {"value", "display_value", "link"}:  # ServiceNow
        return value["value"]
    for seconds in ("_seconds", "seconds"):  # Firebase
        if set(value) in ({seconds, f"{'_' * seconds.startswith('_')}nanoseconds"}, {seconds, "nanos"}):
            return value[seconds]
    return None


def _holds_named_values(value: Any) -> bool:
    """Whether a list is one object with fields by name, as the embeds of a message of Discord."""
    if not (isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)):
        return False
    return any(named_values(inner) for inner in value[0].values())


class ObjectTable:
    """Objects that are not in the API's form, as a table.

    With a `place` the rows are what each object's list there holds, beside the fields of the object itself.
    """

    def __init__(self, kind: str, objects: Iterator[tuple[int, Any]], name: str, place: str | None = None) -> None:
        self.kind = kind
        self.notes: list[str] = []
        self.holding: set[str] = set()  # columns of the objects that hold the lists
        self._place = place
        self._lists: set[str] = set()
        self._beyond: set[str] = set()
        self._names: dict[str, None] = {}
        self._rows = self._rows_of(objects)
        self._flat = [(number, self._of_header(flat)) for number, flat in islice(self._rows, _LOOKED_AT)]
        if not self._names:
            raise Refused(f"{name} has no reports in it")
        self.header = unique_names(list(self._names))
        if self._beyond:
            self.notes.append(f"{len(self._beyond):,} fields beyond the first {MOST_COLUMNS:,} are not read")
        if self._lists:
            self.notes.append(f"lists are not read: {', '.join(sorted(self._lists)[:20])}")

    def _rows_of(self, objects: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, dict[str, Any] | None]]:
        for number, value in objects:
            own = self._flattened(value if self._place is None else without(value, self._place))
            if self._place is None or own is None:
                yield number, own
                continue
            self.holding.update(own)
            for one in list_at(value, self._place):
                inner = self._flattened(one) or {}
                yield number, own | {f"{self._place}.{key}" if key in own else key: v for key, v in inner.items()}

    def _flattened(self, value: Any) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            return None
        flat: dict[str, Any] = {}
        self._flatten(value, "", 0, flat)
        return flat

    def _of_header(self, flat: dict[str, Any] | None) -> dict[str, Any] | None:
        """The fields that are among the table's columns, or become some."""
        if flat is None:
            return None
        for name in flat:
            if len(self._names) < MOST_COLUMNS:
                self._names[name] = None
            elif name not in self._names:
                self._beyond.add(name)
        return {name: value for name, value in flat.items() if name in self._names} if self._beyond else flat

    def _flatten(self, value: Mapping[str, Any], before: str, depth: int, flat: dict[str, Any]) -> None:
        for key, inner in value.items():
            name = f"{before}{key}"
            name = f"{name}.{key}" if name in flat else name
            while isinstance(inner, dict) and (scalar := _typed(inner)) is not None:
                inner = scalar
            if isinstance(inner, str) and inner[:1] == "{" and isinstance(said := parsed_line(inner.encode()), dict):
                inner = said  # as logs keep the line that was written
            if isinstance(inner, dict) and depth < _DEEPEST:
                bare = key in (_WRAPPERS if depth else _OUTER_WRAPPERS)
                bare = bare or (not depth and key in _ALONE and value.keys() <= _BESIDE)
                bare = bare or name == _FIRESTORE
                self._flatten(inner, before if bare else f"{name}.", depth + 1, flat)
            elif fields := named_values(inner):
                self._flatten(
                    {key if key not in flat else f"{name}.{key}": v for key, v in fields.items()}, "", 1, flat
                )
            elif _holds_named_values(inner) and depth < _DEEPEST:
                self._flatten(inner[0], f"{name}.", depth + 1, flat)
            elif isinstance(inner, list | dict):
                self._lists.add(name)
            else:
                flat[name] = inner

    def batches(self) -> Iterator[Batch]:
        """The objects as rows."""
        for at in range(0, len(self._flat), _BATCH):
            yield self._batch(self._flat[at : at + _BATCH])
        self._flat = []
        while some := list(islice(self._rows, _BATCH)):
            yield self._batch(some)

    def _batch(self, some: Sequence[tuple[int, dict[str, Any] | None]]) -> Batch:
        batch = Batch([], [])
        lines, rows = [], []
        for number, flat in some:
            if flat is None:
                batch.refused.append(refused(number, "not a JSON object"))
            else:
                lines.append(number)
                rows.append([flat.get(name) for name in self._names])
        batch.lines, batch.rows = lines, rows
        return batch
