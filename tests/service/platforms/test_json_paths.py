"""Paths of field maps: what they select, and that no map and no document makes much work."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from jsonpath import JSONPathEnvironment

from service.intake.documents import MAX_LINES
from service.platforms import registry
from service.platforms.field_map import MAX_FIELDS, BadMapping, read_mapping
from service.platforms.generic import read as read_generic
from service.platforms.json_paths import MAX_SEGMENTS, MAX_WORK, BadPath, Work, compiled
from service.platforms.payload import Unusable
from tests.service.platforms.reading import batch_of
from tests.service.platforms.test_generic import MAPPING, changed

FIELDS = {"id": "$.id", "occurred_at": "$.at", "reporter.id": "$.by", "target.id": "$.post"}
DOCUMENTS: list[Any] = [
    {"a": {"b": [1, 2, {"c": None}]}, "": [[0, [1]], []], "0": "zero"},
    [[1, [2, 3]], {"a": {"b": 1}, "b": 2}, "text", None, []],
    [],
    {},
    "text",
    7,
    None,
]
PATHS = ["$", "$.a.b", "$[*]", "$[*][*]", "$.a[*]", "$.a.b[*]", "$.a.b[1:]", "$[::-1]", "$[-1]", "$[-9]", "$[9]"]
PATHS += ["$[::0]", "$[3:0:-2]", "$[-3:-1]", "$['']", "$['0']", "$[0]", "$[''][*][*]", "$[:2][*]", "$.a.b.c", "$[5:1]"]


def mapping_of(items: str, **fields: Any) -> dict[str, Any]:
    """A mapping that takes every element."""
    return {"signature": {"scheme": "bearer"}, "items": items, "complaint": {"fields": FIELDS | fields}}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("number", range(len(DOCUMENTS)))
def test_a_path_selects_what_the_library_selects(path: str, number: int) -> None:
    document = DOCUMENTS[number]
    expected = (
        [match.obj for match in JSONPathEnvironment(strict=True).compile(path).finditer(document)]  # type: ignore[union-attr]
        if isinstance(document, (dict, list))
        else [document] * (path == "$")
    )
    assert list(compiled(path, several=True).values(document, Work())) == expected
    if "*" not in path and ":" not in path:
        assert compiled(path).value(document, Work()) == (expected[0] if expected else None)


@pytest.mark.parametrize("path", ["$[*,*]", "$[0,0]", "$['a','b']", "$.events[0,-1]", "$" + "[*,*]" * 2])
def test_a_segment_has_one_selector(path: str) -> None:
    with pytest.raises(BadPath, match="selectors in one pair of brackets"):
        compiled(path, several=True)


@pytest.mark.parametrize("path", ["$..a", "$..*", "$[?@.a]", "$[?match(@.a, '(a+)+$')]", "$[?@..a]", "$.a[?$..a]"])
def test_filters_patterns_and_descendants_are_refused(path: str) -> None:
    with pytest.raises(BadPath, match="no filter and no"):
        compiled(path, several=True)


def test_a_path_is_so_long_at_most() -> None:
    compiled("$" + ".a" * MAX_SEGMENTS)
    with pytest.raises(BadPath, match="at most 20"):
        compiled("$" + "[0]" * (MAX_SEGMENTS + 1))


def test_nested_arrays_are_walked_once_for_every_bracket_and_not_twice_per_level() -> None:
    with pytest.raises(BadMapping, match="/items"):
        read_mapping(mapping_of("$" + "[*,*]" * 22))  # as it was found: 2^22 nodes of 45 bytes
    document = json.loads("[" * 20 + "]" * 20)
    work = Work()
    assert len(list(compiled("$" + "[*]" * 19, several=True).values(document, work))) == 1
    assert MAX_WORK - work.left == 2 * 19  # each level, and what is in it


HOSTILE: list[tuple[str, dict[str, Any], Any]] = [
    ("half a million elements that are nothing", mapping_of("$[*][*]"), [[0] * 1_000] * 500),
    (
        "many items with long paths into the document",
        mapping_of(
            "$[*]", **{f"target.attributes.k{n}": {"path": "$" + "[0]" * 20, "from": "document"} for n in range(32)}
        ),
        [[]] * 500_000,
    ),
    (
        "many items with a large text of the document",
        mapping_of(
            "$.e[*]",
            **{
                "id": {"path": "$.big", "from": "document", "prefix": "p/"},
                "text": {"path": "$.big", "from": "document"},
                "target.attributes.x": {"path": "$.big", "from": "document"},
            },
        ),
        {"big": "ä" * 4_000_000, "e": [{}] * 100_000},
    ),
    (
        "many items with a large array of the document",
        mapping_of(
            "$.e[*]",
            **{
                "target.attributes.x": {"path": "$.big", "from": "document"},
                "reporter.trusted": {"path": "$.big", "from": "document"},
            },
        ),
        {"big": ["x"] * 400_000, "e": [{}] * 9_000},
    ),
    ("one array, sliced backwards again and again", mapping_of("$[*][::-1]"), [[0] * 1_000] * 490),
]


@pytest.mark.parametrize(("mapping", "document"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_no_map_makes_a_document_take_long(mapping: dict[str, Any], document: Any) -> None:
    fields = read_mapping(mapping)
    began = time.thread_time()
    with contextlib.suppress(Unusable):
        payload = read_generic(document, fields)
        if len(payload.items) <= MAX_LINES:
            batch_of(payload)
    assert time.thread_time() - began < 5.0  # seconds; measured: 0.6 at most


def test_work_is_counted_whatever_selects_nothing() -> None:
    nested = json.loads("[" * 19 + "0" + "]" * 19)
    mapping = mapping_of("$.e[*]")
    mapping["complaint"]["when"] = {"path": "$.d" + "[0]" * 19, "from": "document", "in": [1]}
    with pytest.raises(Unusable, match=f"more than {MAX_WORK} steps"):  # 400,000 elements, 21 steps each
        read_generic({"e": [0] * 400_000, "d": nested}, read_mapping(mapping))
    with pytest.raises(Unusable):
        list(compiled("$[*]", several=True).values([0] * (MAX_WORK + 1), Work()))


def test_no_item_holds_more_of_the_document_than_is_checked() -> None:
    big = {"path": "$.big", "from": "document"}
    fields = {
        "id": big | {"prefix": "p/"},
        "reporter.id": big,
        "target.attributes.x": big,
        "reporter.trusted": "$.list",
    }
    document = {"big": "x" * 1_000_000, "e": [{"list": [0] * 1_000}] * 3}
    (first, *_) = read_generic(document, read_mapping(mapping_of("$.e[*]", **fields))).items
    assert len(first.document["id"]) == len("p/") + 129 and first.document["reporter"]["trusted"] == []
    assert len(first.document["reporter"]["id"]) == len(first.document["target"]["attributes"]["x"]) == 4_097


def test_an_id_that_is_too_long_is_refused_and_not_made_another_ones() -> None:
    mapping = mapping_of("$[*]", id={"path": "$.id", "prefix": "p/"})
    item = {"id": "x" * 5_000_000, "at": "2026-11-22T11:00:00Z", "by": "r", "post": "t"}
    batch = batch_of(read_generic([item, item | {"id": "7", "by": "y" * 1_000_000}], read_mapping(mapping)))
    assert batch.lines == [] and [refused.pointer for refused in batch.rejected] == ["/id", "/reporter/id"]


def test_a_shape_has_so_many_fields_at_most() -> None:
    with pytest.raises(BadMapping, match=f"at most {MAX_FIELDS}"):
        read_mapping(mapping_of("$[*]", **{f"target.attributes.k{n}": n for n in range(MAX_FIELDS)}))


def test_a_stored_map_that_is_not_valid_any_more_still_says_how_its_posts_are_signed() -> None:
    stored = changed(items="$.events[*,*]")
    assert registry.scheme_of("generic", stored) == registry.scheme_of("generic", MAPPING)
    assert "2 selectors" in (registry.mapping_problem("generic", stored) or "")
    assert registry.mapping_problem("generic", MAPPING) is registry.mapping_problem("discourse", None) is None
    with pytest.raises(BadMapping):
        registry.check("generic", "secret", stored)
