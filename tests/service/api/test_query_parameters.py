"""Query parameters that a call does not take, on every call of the OpenAPI document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from service.api import query_parameters
from service.app import create_app
from service.settings import read_settings
from tests.conftest import Api
from tests.service.api.test_submissions import complaint, is_problem, stored
from tests.service.api.test_webhooks import (
    NOW,
    REVIEWABLE,
    SECRET,
    Counted,
    counted,
    encoded,
    headers,
    post,
    source,
    standard,
)
from tests.service.platforms.payloads import STANDARD_SECRET

__all__ = ["counted"]  # the fixture
INTAKE = "/v1/webhooks/{platform}/{source}"
DOCUMENT = create_app(read_settings(Path("unused"), {}), engine=create_engine("sqlite://")).openapi()


@dataclass(frozen=True)
class Call:
    """An operation of the document; `declared`: its query parameters, and whether each is a list."""

    method: str
    path: str
    declared: dict[str, bool]

    def make(self, api: Api, query: str, **arguments: Any) -> Any:
        return api.request(self.method, f"{re.sub(r'{[^}]+}', 'x', self.path)}?{query}", **arguments)


def calls() -> list[Call]:
    """Every call under /v1 but the webhooks' intake."""
    return [
        Call(
            method.upper(),
            path,
            {
                parameter["name"]: "'array'" in str(parameter["schema"])
                for parameter in operation.get("parameters", [])
                if parameter["in"] == "query"
            },
        )
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1/") and path != INTAKE
    ]


every_call = pytest.mark.parametrize("call", calls(), ids=lambda call: f"{call.method} {call.path}")


def test_the_document_has_calls_with_and_without_parameters() -> None:
    assert len(calls()) >= 23
    assert {name for call in calls() for name, is_list in call.declared.items() if is_list} == {
        "disposition",
        "status",
        "state",
    }
    assert any(not call.declared for call in calls())


@every_call
def test_an_unknown_parameter_is_refused_and_the_nearest_is_named(api: Api, call: Call) -> None:
    known = ", ".join(call.declared)
    for name in call.declared:
        misspelt = name[0] + name[2:]
        problem = is_problem(call.make(api, f"{misspelt}=8"), 422)
        assert problem["detail"] == (f"unknown query parameter {misspelt!r}: did you mean {name!r}? (known: {known})")
        assert problem["errors"] == [{"id": None, "detail": problem["detail"], "pointer": f"/{misspelt}"}]
    problem = is_problem(call.make(api, "zzz"), 422)
    assert problem["detail"] == "unknown query parameter 'zzz'" + (
        f" (known: {known})" if known else ": this call takes no query parameters"
    )


@every_call
def test_a_declared_parameter_is_known_and_only_lists_may_be_repeated(api: Api, call: Call) -> None:
    for name, is_list in call.declared.items():
        assert "unknown query parameter" not in call.make(api, f"{name}=x").text
        twice = call.make(api, f"{name}=1&{name}=1")
        if is_list:
            assert "expected once" not in twice.text
        else:
            problem = is_problem(twice, 422)
            assert problem["detail"] == f"query parameter {name!r} is given 2 times; expected once"
            assert problem["errors"][0]["pointer"] == f"/{name}"


@every_call
def test_a_nul_in_a_value_is_refused_and_named(api: Api, call: Call) -> None:
    for name in call.declared:
        problem = is_problem(call.make(api, f"{name}=a%00b"), 422)
        assert problem["errors"][0]["pointer"] == f"/{name}" and "NUL" in problem["detail"]


@every_call
def test_the_key_comes_first(api: Api, call: Call) -> None:
    is_problem(call.make(api, "zzz=1", key=""), 401)
    is_problem(call.make(api, "zzz=1", key=f"bw_{'0' * 40}"), 401)
    scopes = {"ingest", "read", "moderate", "admin"}
    answers = [call.make(api, "zzz=1", key=api.key("default", scope)).status_code for scope in sorted(scopes)]
    assert sorted(answers) == [403, 403, 403, 422]


@every_call
def test_the_document_says_that_it_may_be_422(call: Call) -> None:
    assert "422" in DOCUMENT["paths"][call.path][call.method.lower()]["responses"]


def test_what_is_refused_is_not_stored(api: Api) -> None:
    is_problem(api.post("/v1/complaints?dry_run=1", json=complaint()), 422)
    assert api.post("/v1/complaints", json=complaint()).json()["position"] == 1


def test_a_signed_post_is_refused_once_its_signature_is_verified(api: Api, counted: Counted) -> None:
    made = source(api, "generic", secret=STANDARD_SECRET)
    body = encoded(complaint())
    signed = {**standard(STANDARD_SECRET, "msg_1", int(NOW.timestamp()), body), "webhook-source": made.id}
    is_problem(post(api, "/v1/complaints?zzz=1", body + b" ", signed), 401)
    is_problem(post(api, "/v1/complaints?zzz=1", body, signed), 422)
    assert stored(api) == []
    assert post(api, "/v1/complaints", body, signed).status_code == 202


def test_a_platform_may_append_what_it_likes_to_the_path_of_its_webhooks(api: Api, counted: Counted) -> None:
    made = source(api, "discourse")
    body = encoded(REVIEWABLE)
    answer = post(api, f"{made.path}?zzz=1&zzz=2", body, headers("discourse", SECRET, body))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)


def test_every_fault_is_listed_up_to_a_bound_and_long_names_are_cut(api: Api) -> None:
    problem = is_problem(api.get("/v1/targets/t?treshold=8&statsu=open&threshold=1&threshold=2&treshold=9"), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/treshold", "/statsu", "/threshold"]
    assert problem["rejected_count"] == 3
    assert problem["detail"] == problem["errors"][0]["detail"]
    many = is_problem(api.get(f"/v1/clusters?{'&'.join(f'status{n}' for n in range(1_000))}"), 422)
    assert (len(many["errors"]), many["rejected_count"]) == (query_parameters.LISTED_FAULTS, 1_000)
    long = is_problem(api.get(f"/v1/targets/t?{'threshold' * 500}=1"), 422)
    assert f"{('threshold' * 5)[:40]}…'" in long["detail"] and len(long["detail"]) < 150
    assert len(long["errors"][0]["pointer"]) < 150


@pytest.mark.parametrize(
    ("query", "shown"),
    [("=1", "''"), ("%00=1", r"'\x00'"), ("%0a=1", r"'\n'"), ("a%E2%80%AEb=1", r"'a\u202eb'"), ("%FF", "'\ufffd'")],
)
def test_a_name_of_any_characters_is_refused_readably(api: Api, query: str, shown: str) -> None:
    assert is_problem(api.get(f"/v1/targets/t?{query}"), 422)["detail"] == (
        f"unknown query parameter {shown} (known: threshold, after, wait, counted, namespace)"
    )


def test_names_are_compared_whatever_their_capitals_and_hyphens(api: Api) -> None:
    for name, meant in (("Threshold", "threshold"), ("THRESHOLD", "threshold"), ("removal-threshold", "threshold")):
        assert f"did you mean {meant!r}?" in is_problem(api.get(f"/v1/targets/t?{name}=8"), 422)["detail"]
    for name, meant in (("min-score", "min_score"), ("minScore", "min_score"), ("reporter_id", "reporter")):
        assert f"did you mean {meant!r}?" in is_problem(api.get(f"/v1/clusters?{name}=8"), 422)["detail"]
    assert "did you mean" not in is_problem(api.get("/v1/clusters?page=2"), 422)["detail"]


def test_head_is_answered_as_get_and_other_methods_as_before(api: Api) -> None:
    refused = api.request("HEAD", "/v1/targets/t?treshold=8")
    assert (refused.status_code, refused.content) == (422, b"")
    assert api.request("HEAD", "/v1/targets/t?threshold=8").status_code == 200
    assert api.request("OPTIONS", "/v1/targets/t?treshold=8").status_code == 405
    assert api.get("/v1/nothing?treshold=8").status_code == 404


def test_what_is_not_under_v1_is_not_checked(api: Api) -> None:
    for path in ("/healthz?zzz=1", "/openapi.json?zzz=1", "/console/sign-in?zzz=1"):
        assert api.get(path).status_code == 200, path


def test_without_a_query_nothing_is_looked_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(query_parameters, "declared_parameters")
    assert api.get("/v1/targets/t").status_code == 200
    assert api.get("/v1/targets/t?").status_code == 200
