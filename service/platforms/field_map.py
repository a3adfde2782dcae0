"""Field maps: where in a posted document the fields of complaints and outcomes are, set for one source. PURE.

    {"signature": {"scheme": "hmac", "header": "X-Signature", "prefix": "sha256="},
     "items": "$.events[*]",
     "complaint": {"when": {"path": "$.type", "in": ["flag"]},
                   "fields": {"id": "$.id", "occurred_at": {"path": "$.at", "as": "unix"}, "reporter.id": "$.by",
                              "target.id": {"path": "$.post", "prefix": "post/"},
                              "reason": {"path": "$.why", "map": {"1": "spam", "2": "abuse"}, "default": "other"}}},
     "outcome": {"when": {"path": "$.type", "in": ["closed"]},
                 "fields": {"id": "$.id", "target_id": "$.post", "decided_at": "$.at",
                            "verdict": {"path": "$.result", "map": {"ok": "rejected", "bad": "upheld"}}}}}

A field is a JSONPath (RFC 9535, one value: no wildcard, filter or `..`; json_paths.py), a constant, or an object with
`path` and any of `map`, `default`, `prefix`, `as` (the unit of times that are numbers, unix_times.py) with `earliest`
(the first year that such a time may have), and `from: "document"` (the whole document, not the item). Without a mapping
the documents are complaints and outcomes of the API, signed as Standard Webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.fields import ID_CHARACTERS
from service.intake.items import COMPLAINT, OUTCOME, Noun
from service.platforms.json_paths import MAX_CHARACTERS, BadPath, Path, Work, compiled
from service.platforms.payload import identity
from service.platforms.signatures import ALGORITHMS, BEARER, Hmac, Scheme, Shared, Standard
from service.platforms.unix_times import FIRST_YEAR, UNITS, TimeReader

_LONGEST_MESSAGE = 1_000
MAX_VALUES = 1_000  # of one `map` or `in`
MAX_FIELDS = 64  # of one kind: a complaint has 18 and at most 32 attributes
ACCOUNT_TIME = "reporter.account_created_at"
_COMPLAINT_FIELDS = (
    "id",
    "occurred_at",
    "reporter.id",
    ACCOUNT_TIME,
    "reporter.fingerprint",
    "reporter.trusted",
    "target.id",
    "target.kind",
    "target.author_id",
    "target.context_id",
    "target.context_title",
    "target.context_url",
    "target.url",
    "target.excerpt",
    "reason",
    "text",
    "notice_type",
    "machine",
)
_OUTCOME_FIELDS = ("id", "target_id", "decided_at", "verdict", "action", "decided_by", "complaint_id")
_REQUIRED = {
    "complaint": ("id", "occurred_at", "reporter.id", "target.id"),
    "outcome": ("id", "target_id", "decided_at"),
}
ATTRIBUTES = "target.attributes."
IDS = ("id", "reporter.id", "target.id", "target.author_id", "target.context_id", "target_id", "complaint_id")
_TIMES = ("occurred_at", ACCOUNT_TIME, "decided_at")
_HEADER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class BadMapping(ValueError):
    """A mapping is not valid; the text names the place in it and what is expected there."""

    def __init__(self, message: str) -> None:
        # it quotes the mapping
        super().__init__(message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Where one field's value comes from."""

    path: Path | None  # None: a constant
    from_document: bool = False
    values: Mapping[str, Any] | None = None
    default: Any = None
    prefix: str = ""
    time: TimeReader | None = None  # for times

    def value(self, item: object, document: object, work: Work) -> Any:
        """The value for one item; None where there is none.

        Raises Unusable when the work is used up, BadTime for a number that is not a time in the unit of the map.
        """
        if self.path is None:
            return self.default
        found = self.path.value(document if self.from_document else item, work)
        if self.values is not None:
            found = self.values.get(_key(found))
        if self.time is not None:
            found = self.time.read(found)
        if self.prefix and found is not None:
            text = identity(found)
            # Cut to a length that is refused as well: whole, every item could hold megabytes of its own.
            found = None if text is None else self.prefix + text[: ID_CHARACTERS + 1]
        return self.default if found is None else found


@dataclass(frozen=True, slots=True)
class Shape:
    """How items of one kind are made, and which ones are of it."""

    noun: Noun
    fields: Mapping[str, FieldPath]
    when: FieldPath | None = None
    among: frozenset[str] = frozenset()

    def fits(self, item: object, document: object, work: Work) -> bool:
        """Whether the item is of this kind. Raises Unusable when the work is used up."""
        return self.when is None or _key(self.when.value(item, document, work)) in self.among


@dataclass(frozen=True, slots=True)
class FieldMap:
    """A checked mapping."""

    scheme: Scheme
    items: Path | None
    shapes: tuple[Shape, ...] = field(default=())


def read_mapping(mapping: Mapping[str, Any] | None) -> FieldMap:
    """The mapping, checked whole. Raises BadMapping."""
    if mapping is None:
        return FieldMap(Standard(), None)
    _only(mapping, "the mapping", "signature", "items", "complaint", "outcome")
    shapes = [
        _shape(name, noun, mapping[name])
        for name, noun in (("complaint", COMPLAINT), ("outcome", OUTCOME))
        if name in mapping
    ]
    if not shapes:
        raise BadMapping("mapping has neither 'complaint' nor 'outcome': add at least one")
    if len(shapes) == 2 and any(shape.when is None for shape in shapes):
        raise BadMapping("mapping has both 'complaint' and 'outcome': add a 'when' to each, to distinguish them")
    items = None if mapping.get("items") is None else _path(mapping["items"], "/items", several=True)
    return FieldMap(_scheme(mapping.get("signature")), items, tuple(shapes))


def read_signature(mapping: Mapping[str, Any] | None) -> Scheme:
    """How posts are signed, whatever the rest of the mapping is: a rule that came after it was stored must not make
    its posts look forged. Raises BadMapping.
    """
    return Standard() if mapping is None else _scheme(mapping.get("signature"))


def _shape(name: str, noun: Noun, value: object) -> Shape:
    place = f"/{name}"
    _only(value, place, "when", "fields")
    assert isinstance(value, Mapping)
    fields = value.get("fields")
    if not isinstance(fields, Mapping):
        raise BadMapping(f"{place}/fields has to be an object: each field, with the place of its value")
    if len(fields) > MAX_FIELDS:
        raise BadMapping(f"{place}/fields has {len(fields)} fields; at most {MAX_FIELDS} are allowed")
    allowed = _COMPLAINT_FIELDS if name == "complaint" else _OUTCOME_FIELDS
    for key in fields:
        if key not in allowed and not (
            name == "complaint" and isinstance(key, str) and key.startswith(ATTRIBUTES) and len(key) > len(ATTRIBUTES)
        ):
            raise BadMapping(
                f"{place}/fields/{key}: unknown field; allowed: {', '.join(allowed)}"
                + (f" and {ATTRIBUTES}<name>" if name == "complaint" else "")
            )
    missing = [key for key in _REQUIRED[name] if key not in fields]
    if missing or (name == "outcome" and not {"verdict", "action"} & fields.keys()):
        raise BadMapping(f"{place}/fields is missing {', '.join(missing) or 'verdict or action'}")
    places = {key: _place(spec, f"{place}/fields/{key}", key) for key, spec in fields.items()}
    if value.get("when") is None:
        return Shape(noun, places)
    when = value["when"]
    _only(when, f"{place}/when", "path", "from", "in")
    among = when.get("in")
    if (
        not isinstance(among, list)
        or not 0 < len(among) <= MAX_VALUES
        or not all(isinstance(one, (str, bool, int)) for one in among)
    ):
        raise BadMapping(f"{place}/when/in has to be a list of 1 to {MAX_VALUES} strings, numbers or booleans")
    return Shape(
        noun,
        places,
        _place({key: one for key, one in when.items() if key != "in"}, f"{place}/when", ""),
        frozenset(_key(one) for one in among),
    )


def _place(spec: object, place: str, name: str) -> FieldPath:
    if isinstance(spec, str) and spec.startswith("$"):
        return FieldPath(_path(spec, place), time=TimeReader() if name in _TIMES else None)
    if isinstance(spec, (str, bool, int, float)):
        return FieldPath(None, default=spec)
    _only(spec, place, "path", "from", "map", "default", "prefix", "as", "earliest", "value")
    assert isinstance(spec, Mapping)
    if "value" in spec:  # a constant that begins with $
        if len(spec) > 1 or not isinstance(spec["value"], (str, bool, int, float)):
            raise BadMapping(f"{place}/value has to be a string, number or boolean, without other keys beside it")
        return FieldPath(None, default=spec["value"])
    values, default, prefix = spec.get("map"), spec.get("default"), spec.get("prefix", "")
    if spec.get("from", "item") not in ("item", "document"):
        raise BadMapping(f"{place}/from has to be 'item' or 'document'")
    if values is not None and (
        not isinstance(values, Mapping)
        or len(values) > MAX_VALUES
        or not all(isinstance(one, (str, bool, int, float)) for one in values.values())
    ):
        raise BadMapping(f"{place}/map has to be an object of at most {MAX_VALUES} strings, numbers or booleans")
    if default is not None and not isinstance(default, (str, bool, int, float)):
        raise BadMapping(f"{place}/default has to be a string, number or boolean")
    if not isinstance(prefix, str) or (prefix and name not in IDS):
        raise BadMapping(f"{place}/prefix has to be a string, and is allowed only for ids")
    return FieldPath(
        _path(spec.get("path"), f"{place}/path"),
        spec.get("from") == "document",
        values,
        default,
        prefix,
        _time_reader(spec, place, name),
    )


def _time_reader(spec: Mapping[str, Any], place: str, name: str) -> TimeReader | None:
    unit, earliest = spec.get("as"), spec.get("earliest", FIRST_YEAR)
    if unit is not None and not (isinstance(unit, str) and unit in UNITS and name in _TIMES):
        raise BadMapping(f"{place}/as has to be one of {', '.join(UNITS)}, and is allowed only for {', '.join(_TIMES)}")
    if isinstance(earliest, bool) or not isinstance(earliest, int) or not 1 <= earliest <= 9999:
        raise BadMapping(f"{place}/earliest has to be a year, like 1995")
    if "earliest" in spec and unit is None:
        raise BadMapping(f"{place}/earliest is allowed only beside 'as'")
    return TimeReader(unit, earliest) if name in _TIMES else None


def _scheme(value: object) -> Scheme:
    place = "/signature"
    schemes = "one of 'standard', 'hmac', 'bearer'"
    if not isinstance(value, Mapping):
        raise BadMapping(f"{place} has to be an object with 'scheme', {schemes}")
    scheme = value.get("scheme")
    if scheme == "standard":
        _only(value, place, "scheme")
        return Standard()
    if scheme == "bearer":
        _only(value, place, "scheme", "header", "prefix")
        return (
            Shared(_header(value["header"], place), _text(value.get("prefix", ""), f"{place}/prefix"))
            if "header" in value
            else BEARER
        )
    if scheme != "hmac":
        raise BadMapping(f"{place}/scheme has to be {schemes}")
    _only(value, place, "scheme", "header", "algorithm", "encoding", "prefix", "separator")
    algorithm, encoding, separator = (
        value.get("algorithm", "sha256"),
        value.get("encoding", "hex"),
        value.get("separator"),
    )
    if algorithm not in ALGORITHMS:
        raise BadMapping(f"{place}/algorithm has to be one of {', '.join(ALGORITHMS)}")
    if encoding not in ("hex", "base64"):
        raise BadMapping(f"{place}/encoding has to be 'hex' or 'base64'")
    if separator is not None and separator not in (",", ";", " "):
        raise BadMapping(f"{place}/separator has to be a comma, a semicolon or a space")
    return Hmac(
        _header(value.get("header"), place),
        algorithm,
        encoding,
        _text(value.get("prefix", ""), f"{place}/prefix"),
        separator,
    )


def _header(value: object, place: str) -> str:
    name = value.lower() if isinstance(value, str) else ""
    if not 0 < len(name) <= 64 or not _HEADER_CHARACTERS.issuperset(name):
        raise BadMapping(f"{place}/header has to be the name of a header, like X-Signature")
    return name


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or len(value) > 64 or not value.isascii() or not (value.isprintable()):
        raise BadMapping(f"{place} has to be a string of at most 64 printable ASCII characters")
    return value


def _path(value: object, place: str, *, several: bool = False) -> Path:
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise BadMapping(f"{place} has to be a JSONPath of at most {MAX_CHARACTERS} characters, like $.post.id")
    try:
        return compiled(value, several=several)
    except BadPath as error:
        raise BadMapping(f"{place}: {error}") from None


def _only(value: object, place: str, *allowed: str) -> None:
    if not isinstance(value, Mapping):
        raise BadMapping(f"{place} has to be an object; allowed keys: {', '.join(allowed)}")
    unknown = [key for key in value if key not in allowed]
    if unknown:
        raise BadMapping(f"{place}: unknown key {unknown[0]!r}; allowed: {', '.join(allowed)}")


def _key(value: object) -> str:
    """A value as the key of a map: JSON's own word for booleans and numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    text = identity(value)
    return "" if text is None else text
