"""The OpenAPI document describes everything in it, in plain English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from service.app import create_app
from service.settings import read_settings

METHODS = ("get", "post", "put", "patch", "delete")
SUMMARY = re.compile(r"[A-Z][a-z]+ [^?.]*[^?. ]\Z")  # a verb and its object, neither a question nor a sentence


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document as /openapi.json serves it."""
    folder: Path = tmp_path_factory.mktemp("data")
    return create_app(read_settings(folder, {}), engine=create_engine("sqlite://")).openapi()


def undescribed(schema: Any, place: str, described: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every property in the schema without a description; alternatives may repeat the properties of their parent."""
    if isinstance(schema, list):
        for part in schema:
            yield from undescribed(part, place, described)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        for name, part in properties.items():
            if not part.get("description") and name not in described:
                yield f"{place}.{name}"
            yield from undescribed(part, f"{place}.{name}")
        for key in schema.keys() - {"properties", "example", "examples"}:
            alternative = key in ("anyOf", "oneOf", "allOf")
            yield from undescribed(
                schema[key], place, frozenset(properties) | described if alternative else frozenset()
            )


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def test_every_schema_and_every_property_has_a_description(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    missing = [name for name, schema in schemas.items() if not schema.get("description")]
    for name, schema in schemas.items():
        missing += undescribed(schema, name)
    assert missing == []


def test_every_operation_has_a_summary_and_a_description(document: dict[str, Any]) -> None:
    missing = [
        f"{name}: {part}"
        for name, operation in operations(document)
        for part in ("summary", "description")
        if not operation.get(part)
    ]
    assert missing == []


def test_every_summary_is_a_verb_with_its_object(document: dict[str, Any]) -> None:
    assert [
        operation["summary"] for _, operation in operations(document) if not SUMMARY.match(operation["summary"])
    ] == []


def test_every_parameter_body_and_response_has_a_description(document: dict[str, Any]) -> None:
    missing: list[str] = []
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if not parameter.get("description"):
                missing.append(f"{name}: parameter {parameter['name']}")
        body = operation.get("requestBody")
        if body is not None:
            if not body.get("description"):
                missing.append(f"{name}: body")
            missing += undescribed(body["content"], f"{name}: body")
        for status, response in operation["responses"].items():
            if response.get("description") in (None, "", "Successful Response"):
                missing.append(f"{name}: {status}")
            missing += undescribed(response.get("content", {}), f"{name}: {status}")
    assert missing == []


def test_every_authentication_scheme_has_a_description(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert [name for name, scheme in schemes.items() if not scheme.get("description")] == []


def test_the_check_finds_a_property_without_a_description() -> None:
    schema = {"properties": {"a": {"description": "An a."}, "b": {}}, "anyOf": [{"properties": {"a": {}, "c": {}}}]}
    assert sorted(undescribed(schema, "Thing")) == ["Thing.b", "Thing.c"]
