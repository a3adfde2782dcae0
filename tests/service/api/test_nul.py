"""A NUL, which PostgreSQL's text cannot hold, wherever a caller can put one: an answer, and never 500; and a number
that no column holds.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from case_world import put_cluster
from conftest import Api
from console_world import sign_in
from fastapi.routing import APIRoute

from service.console import settings
from service.console.app import PAGES
from service.storage.accounts.tenants import tenant_id

NUL = "a\0b"
HUGE = 2**40  # beyond an integer, within 64 bits


def fitting(schema: Any, spec: Any, value: Any) -> Any:
    """A document of the schema with `value` in every place of its type that takes any."""
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema or "oneOf" in schema:
        return fitting((schema.get("anyOf") or schema["oneOf"])[0], spec, value)
    if "enum" in schema or "const" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: fitting(part, spec, value) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [fitting(schema.get("items", {}), spec, value)]
    if kind == "string" and isinstance(value, str):
        return "2026-11-01T00:00:00Z" if schema.get("format") == "date-time" else value
    if kind == "integer" and isinstance(value, int):
        return value
    return {"string": "x", "integer": 1, "number": 1.0, "boolean": True}.get(kind)


@pytest.mark.parametrize("value", [NUL, HUGE])
def test_no_call_of_the_document_fails_for_a_nul_or_a_number_too_large(api: Api, value: str | int) -> None:
    api.key()
    put_cluster(api.engine, tenant_id(api.engine, "default"), "k1")
    spec = api.get("/openapi.json").json()
    asked = 0
    for path, calls in spec["paths"].items():
        for method, call in calls.items():
            parameters = call.get("parameters", [])
            inside = "a%00b" if value == NUL else str(HUGE)
            places = [re.sub(r"\{[^}]+\}", inside, path), re.sub(r"\{[^}]+\}", "k1", path)]
            query = {p["name"]: fitting(p["schema"], spec, value) for p in parameters if p["in"] == "query"}
            content = call.get("requestBody", {}).get("content", {}).get("application/json")
            body = None if content is None else fitting(content.get("schema", {}), spec, value)
            for place in places:
                for questions in ({}, *({name: one} for name, one in query.items() if one is not None)):
                    answer = api.request(
                        method.upper(), place, params=questions, **({} if body is None else {"json": body})
                    )
                    assert answer.status_code < 500, (method, place, questions, body, answer.text)
                    asked += 1
    assert asked > 60


def console_routes() -> list[tuple[str, str, list[str]]]:
    """Method, path and names of fields of everything in the console, but what never ends or ends the session."""
    routers = [*PAGES, *settings.SECTION_ROUTERS]
    routes = {
        (method, f"/console{route.path}"): route
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    return [
        (method, path, [field.name for field in (*route.dependant.query_params, *route.dependant.body_params)])
        for (method, path), route in sorted(routes.items(), key=lambda one: one[0])
        if "/live" not in path
    ]


@pytest.mark.parametrize("value", [NUL, HUGE])
def test_no_page_of_the_console_fails_for_either(api: Api, value: str | int) -> None:
    anna = sign_in(api, role="admin")
    put_cluster(api.engine, tenant_id(api.engine, "default"), "k1")
    asked = 0
    for method, path, fields in console_routes():
        place = re.sub(r"\{[^}]+\}", "a%00b" if value == NUL else str(HUGE), path)
        for name in ("", *fields):
            answer = (
                anna.get(place, params={name: value} if name else {})
                if method == "GET"
                else anna.post(place, {name: value} if name else {})
            )
            assert answer.status_code < 500, (method, place, name, answer.text[:500])
            asked += 1
    assert asked > 60
