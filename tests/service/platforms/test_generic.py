"""The generic platform: mappings that are checked when they are saved, and what they make of documents."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from service.platforms import registry
from service.platforms.field_map import BadMapping, read_mapping
from service.platforms.payload import Unusable
from service.platforms.signatures import BEARER, Hmac, Shared, Standard
from tests.service.platforms.reading import batch_of, read, taken

MAPPING: dict[str, Any] = {
    "signature": {"scheme": "hmac", "header": "X-Signature", "prefix": "sha256="},
    "items": "$.events[*]",
    "complaint": {
        "when": {"path": "$.type", "in": ["flag"]},
        "fields": {
            "id": {"path": "$.id", "prefix": "flag/"},
            "occurred_at": {"path": "$.at", "as": "unix"},
            "reporter.id": "$.by.id",
            "reporter.trusted": {"path": "$.by.staff", "default": False},
            "target.id": {"path": "$.post", "prefix": "post/"},
            "target.kind": "post",
            "target.context_id": {"path": "$.site", "from": "document"},
            "target.context_title": {"path": "$.title", "from": "document"},
            "target.context_url": {"path": "$.address", "from": "document"},
            "target.attributes.lang": "$.lang",
            "reason": {"path": "$.why", "map": {"1": "spam", "2": "abuse"}, "default": "other"},
            "text": "$.note",
            "machine": "$.by.bot",
        },
    },
    "outcome": {
        "when": {"path": "$.type", "in": ["closed"]},
        "fields": {
            "id": "$.id",
            "target_id": {"path": "$.post", "prefix": "post/"},
            "decided_at": {"path": "$.at", "as": "unix_ms"},
            "verdict": {"path": "$.ok", "map": {"true": "rejected", "false": "upheld"}},
            "decided_by": {"path": "$.auto", "map": {"true": "automatic"}, "default": "person"},
        },
    },
}
DOCUMENT: dict[str, Any] = {
    "site": "s-1",
    "title": "\u202eBread\u2066" + "d" * 10_000,
    "address": "https://news.example/" + "a" * 5_000,  # cut, it would lead elsewhere
    "events": [
        {
            "type": "flag",
            "id": 7,
            "at": 1_714_730_400,
            "by": {"id": 55, "staff": True},
            "post": 9,
            "why": 2,
            "note": "x" * 5_000,
            "lang": "de",
        },
        {"type": "flag", "id": 8, "at": 1_714_730_401.5, "by": {"id": 56, "bot": True}, "post": 9, "why": "unheard of"},
        {"type": "closed", "id": "o-1", "at": 1_714_730_500_000, "post": 9, "ok": False, "auto": True},
        {"type": "liked", "id": 9},
    ],
}


def changed(**at: Any) -> dict[str, Any]:
    """The mapping with values set at paths like complaint__fields__id; ... removes."""
    mapping = copy.deepcopy(MAPPING)
    for path, value in at.items():
        *outer, last = path.split("__")
        place = mapping
        for name in outer:
            place = place[name]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return mapping


def test_a_batch_holds_complaints_and_outcomes() -> None:
    delivery = read("generic", DOCUMENT, mapping=MAPPING)
    first, second, closed = taken(delivery)
    assert first == {
        "kind": "c",
        "id": "flag/7",
        "occurred_at": "2024-05-03T10:00:00Z",
        "reporter": {"id": "55", "trusted": True},
        "reason": "abuse",
        "text": "x" * 4_096,
        "target": {
            "id": "post/9",
            "kind": "post",
            "context_id": "s-1",
            "context_title": "\u202eBread\u2066" + "d" * 293,
            "attributes": {"lang": "de"},
        },
    }
    assert (second["occurred_at"], second["reason"], second["machine"]) == (
        "2024-05-03T10:00:01.500000Z",
        "other",
        True,
    )
    assert closed == {
        "kind": "o",
        "id": "o-1",
        "target_id": "post/9",
        "decided_at": "2024-05-03T10:01:40Z",
        "verdict": "upheld",
        "decided_by": "automatic",
    }
    assert delivery.notes == ["ignored: 1 of 4 elements match neither 'complaint' nor 'outcome' of the mapping"]


def test_one_document_may_be_one_complaint_with_constants() -> None:
    mapping = {
        "signature": {"scheme": "bearer"},
        "complaint": {
            "fields": {
                "id": "$['the id']",
                "occurred_at": "$.t",
                "reporter.id": "$.u[0].id",
                "target.id": {"value": "$money"},
                "target.attributes.n": 3,
                "notice_type": "terms",
            }
        },
    }
    (item,) = taken(
        read("generic", {"the id": "c", "t": "2024-05-03T12:00:00+02:00", "u": [{"id": "r"}]}, mapping=mapping)
    )
    assert item["target"] == {"id": "$money", "attributes": {"n": 3}} and item["occurred_at"] == "2024-05-03T10:00:00Z"


def test_what_is_missing_is_refused_by_the_contracts_field() -> None:
    batch = batch_of(
        read(
            "generic", {"events": [{"type": "flag", "id": 7, "at": "yesterday", "post": 9, "by": []}]}, mapping=MAPPING
        )
    )
    assert batch.lines == [] and batch.rejected[0].pointer in ("/occurred_at", "/reporter")


@pytest.mark.parametrize(
    "document",
    [
        None,
        1,
        "[]",
        '{"events": []}',
        [],
        {},
        {"events": "x"},
        {"events": [1, None, "s", []]},
        {"events": {"a": {"type": "flag"}}},
    ],
)
def test_documents_of_another_shape_are_no_items(document: object) -> None:
    delivery = read("generic", document, mapping=MAPPING)
    assert taken(delivery) == []


def test_without_a_mapping_the_documents_are_the_contracts_own_and_machine_is_no_field_of_theirs() -> None:
    complaint = {"id": "c", "occurred_at": "2024-05-03T10:00:00Z", "reporter": {"id": "r"}, "target": {"id": "t"}}
    outcome = {"id": "o", "target_id": "t", "decided_at": "2024-05-03T10:00:00Z", "action": "kept"}
    assert [item["kind"] for item in taken(read("generic", [complaint, outcome]))] == ["c", "o"]
    assert [item["id"] for item in taken(read("generic", complaint))] == ["c"]
    assert [refused.pointer for refused in batch_of(read("generic", {**complaint, "machine": True})).rejected] == [
        "/machine"
    ]
    for document in (None, "c", [complaint, 1]):
        with pytest.raises(Unusable):
            read("generic", document)


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({}, "neither 'complaint'"),
        ({"complaint": {}}, "/complaint/fields"),
        (changed(signature=...), "/signature has to be"),
        (changed(signature={"scheme": "magic"}), "one of 'standard'"),
        (changed(signature={"scheme": "hmac"}), "/signature/header"),
        (changed(signature={"scheme": "hmac", "header": "X S"}), "/signature/header"),
        (changed(signature__algorithm="md5"), "algorithm has to be one of sha256"),
        (changed(signature__encoding="hex64"), "encoding has to be"),
        (changed(signature__separator="x"), "separator has to be"),
        (changed(signature__secret="s"), "unknown key 'secret'"),
        (changed(signature={"scheme": "standard", "header": "x"}), "unknown key 'header'"),
        (changed(extra=1), "unknown key 'extra'"),
        (changed(items="events"), "not a valid JSONPath"),
        (changed(items="$..events"), "but no filter and no"),
        (changed(items="$.events[?@.a==1]"), "but no filter and no"),
        (changed(items=7), "has to be a JSONPath of at most"),
        (changed(complaint__fields__id="$.a[*]"), "has to select one value"),
        (changed(complaint__fields__id="$..a"), "has to select one value"),
        (changed(complaint__fields__id="$["), "not a valid JSONPath"),
        (changed(complaint__fields__id="$" + ".a" * 101), "at most 200"),
        (changed(complaint__fields__id=...), "is missing id"),
        (changed(outcome__fields__verdict=...), "is missing verdict or action"),
        (changed(complaint__fields__colour="$.c"), "unknown field; allowed: id"),
        (changed(complaint__fields={"target.attributes.": "$.a"}), "unknown field; allowed: id"),
        (changed(complaint__fields__id=None), "has to be an object"),
        (changed(complaint__fields__id={"path": "$.a", "map": [1]}), "/map has to be an object"),
        (changed(complaint__fields__id={"path": "$.a", "map": {"a": []}}), "/map has to be an object"),
        (changed(complaint__fields__id={"path": "$.a", "default": {}}), "/default has to be"),
        (changed(complaint__fields__text={"path": "$.a", "prefix": "p"}), "only for ids"),
        (changed(complaint__fields__text={"path": "$.a", "as": "unix"}), "/as has to be one of"),
        (changed(complaint__fields__occurred_at={"path": "$.a", "as": "days"}), "/as has to be one of"),
        (changed(complaint__fields__occurred_at={"path": "$.a", "as": ["unix"]}), "/as has to be one of"),
        (changed(complaint__fields__id={"path": "$.a", "from": "moon"}), "/from has to be"),
        (changed(complaint__fields__id={"value": []}), "/value has to be"),
        (changed(complaint__fields__id={}), "has to be a JSONPath"),
        (changed(complaint__when=...), "add a 'when'"),
        (changed(complaint__when={"path": "$.a"}), "/when/in has to be a list"),
        (changed(complaint__when={"path": "$.a", "in": []}), "/when/in has to be a list"),
        (changed(complaint__when={"path": "$.a", "in": [{}]}), "/when/in has to be a list"),
        (changed(complaint__when={"in": ["a"]}), "has to be a JSONPath"),
        (changed(complaint=[]), "has to be an object"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused_with_its_place(mapping: dict[str, Any], why: str) -> None:
    with pytest.raises(BadMapping, match=why.replace("[", r"\[")):
        registry.check("generic", "secret", mapping)


def test_the_mapping_states_the_signature() -> None:
    assert registry.scheme_of("generic", MAPPING) == Hmac("x-signature", prefix="sha256=")
    assert (
        registry.scheme_of("generic", changed(signature={"scheme": "standard"}))
        == registry.scheme_of("generic")
        == Standard()
    )
    assert registry.scheme_of("generic", changed(signature={"scheme": "bearer"})) == BEARER
    assert registry.scheme_of("generic", changed(signature={"scheme": "bearer", "header": "X-Token"})) == Shared(
        "x-token"
    )
    with pytest.raises(ValueError, match="whsec_"):
        registry.check("generic", "secret", None)
    assert len(read_mapping(MAPPING).shapes) == 2


def test_the_mapping_in_the_documents_works() -> None:
    page = (Path(__file__).parents[3] / "docs" / "integrations" / "README.md").read_text()
    mapping = json.loads(page.partition("```json\n")[2].partition("```")[0])
    event = {
        "type": "flag",
        "id": 1,
        "at": 1_714_730_400,
        "by": {"id": 2},
        "comment": 3,
        "author": 4,
        "reply": True,
        "why": 1,
    }
    closed = {"type": "closed", "id": 5, "at": 1_714_730_500, "comment": 3, "result": "removed", "auto": True}
    first, second = taken(read("generic", {"article": "a-1", "events": [event, closed]}, mapping=mapping))
    assert (first["target"], first["reason"]) == (
        {"id": "3", "kind": "comment", "author_id": "4", "context_id": "a-1", "attributes": {"is_reply": True}},
        "spam",
    )
    assert (second["verdict"], second["action"], second["decided_by"]) == ("upheld", "removed", "automatic")


@pytest.mark.parametrize("path", ["", " ", "$[", "$.a b", "\ud800"])
def test_an_invalid_path_is_named_in_the_error_even_if_the_library_has_no_message(path: str) -> None:
    with pytest.raises(BadMapping, match=r"is not a valid JSONPath \(RFC 9535\): "):
        read_mapping(
            {
                "complaint": {
                    "fields": {
                        "id": {"path": path},
                        "occurred_at": "$.at",
                        "reporter.id": "$.by",
                        "target.id": "$.post",
                    }
                }
            }
        )
