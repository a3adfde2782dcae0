"""The OpenAPI document: what FastAPI finds in the routes, completed with what it cannot find there.

That is authentication, schemas that no route's signature names, and the failures that all requests of a kind share:
those with a key, with a body. tests/fuzz checks the service against the document, so it has to be complete.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from service.api import openapi_parts, problems, targets
from service.api.pages import ListOf

SECURITY_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key made with `brigadewatch keys create`."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "A Standard Webhooks signature, with webhook-id and webhook-timestamp (at most 5 minutes off)."
        " Svix's names of the three are accepted too.",
    },
    "source": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-source",
        "description": "Id of the `generic` source that signs, made with `brigadewatch sources add`.",
    },
}
_ANY_REQUEST = (414, 431)
_WITH_A_KEY = (401, 403, 422, 503)  # 422: unknown query parameters, at least
_WITH_A_BODY = (400, 408, 413, 415, 422)
_FIRST = "$response.body#/items/0/id"
_SAME = "$request.path.id"
_CLUSTER, _SUBSCRIPTION = "/v1/clusters/{id}", "/v1/subscriptions/{id}"
# From a list to the operations on each of its items: (list, method, path, parameters).
_LINKS = (
    *(
        ("/v1/clusters", method, f"{_CLUSTER}{rest}", {"id": _FIRST})
        for method, rest in (
            ("get", ""),
            ("get", "/graph"),
            ("get", "/complaints"),
            ("get", "/decisions"),
            ("post", "/decisions"),
        )
    ),
    *(
        ("/v1/subscriptions", method, f"{_SUBSCRIPTION}{rest}", {"id": _FIRST})
        for method, rest in (("get", ""), ("patch", ""), ("delete", ""), ("get", "/deliveries"))
    ),
    (
        f"{_SUBSCRIPTION}/deliveries",
        "post",
        f"{_SUBSCRIPTION}/deliveries/{{delivery}}/replay",
        {"id": _SAME, "delivery": _FIRST},
    ),
    ("/v1/campaigns", "get", "/v1/campaigns/{id}", {"id": _FIRST}),
    ("/v1/sources", "delete", "/v1/sources/{id}", {"id": _FIRST}),
)


def document(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI document."""
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    _, extra = models_json_schema(
        [(model, "validation") for model in (*openapi_parts.EXTRA_MODELS, targets.AssessRequest)],
        ref_template="#/components/schemas/{model}",
    )
    for name, schema in extra["$defs"].items():
        schemas.setdefault(name, schema)
    for name, schema in schemas.items():
        if name.startswith("ListOf_"):
            schema["description"] = ListOf.__doc__
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made["components"]["securitySchemes"] = SECURITY_SCHEMES
    made["security"] = [{"key": []}]
    for operation in (operation for path in made["paths"].values() for operation in path.values()):
        _complete(operation)
    for listed, method, path, parameters in _LINKS:
        operation = made["paths"][path][method]
        made["paths"][listed]["get"]["responses"]["200"].setdefault("links", {})[operation["summary"]] = {
            "operationId": operation["operationId"],
            "parameters": parameters,
        }
    return made


def _complete(operation: dict[str, Any]) -> None:
    """Describe ids, and add the failures that the operation shares with others; every failure is a problem."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"] not in ("platform", "source"):
            parameter["schema"] = openapi_parts.ID_PARAMETER["schema"]
            parameter.setdefault("description", openapi_parts.ID_PARAMETER["description"])
    statuses = [
        *_ANY_REQUEST,
        *(_WITH_A_KEY if operation.get("security", True) else ()),
        *(_WITH_A_BODY if "requestBody" in operation else ()),
    ]
    responses = operation.setdefault("responses", {})
    for status, answer in openapi_parts.refusals(*statuses).items():
        # "model" is for FastAPI's routes: it puts the schema among the components
        responses.setdefault(str(status), {name: part for name, part in answer.items() if name != "model"})
    for status, answer in responses.items():
        if status >= "4":
            example = answer.get("content", {}).get(problems.MEDIA_TYPE, {})
            answer["content"] = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, **example}}
    operation["responses"] = dict(sorted(responses.items()))
