"""The examples of docs/api.md work as printed, and its paths are those of the OpenAPI document."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from service.api.campaigns import CampaignStatementRequest
from service.api.subscription_models import SubscriptionRequest
from service.model import DecisionRequest
from tests.conftest import Api

GUIDE = (Path(__file__).resolve().parent.parent / "docs" / "api.md").read_text()
EXAMPLE = re.compile(r"<!-- example: (GET|POST) (\S+) (\d+)(?: (\{[^\n]*\}))? -->\n```json\n(.*?)\n```", re.DOTALL)
SCHEMA = re.compile(r"<!-- schema: (.+?) -->\n```json\n(.*?)\n```", re.DOTALL)
MODELS: dict[str, type[BaseModel]] = {
    "CampaignStatementRequest": CampaignStatementRequest,
    "DecisionRequest": DecisionRequest,
    "SubscriptionRequest": SubscriptionRequest,
}
PATH = re.compile(r"(GET|POST|DELETE|PATCH) (/v1/[a-z_/{}]*[a-z}])")


def test_every_request_answers_as_printed(api: Api) -> None:
    examples = EXAMPLE.findall(GUIDE)
    assert len(examples) == 11
    for method, path, status, sent, printed in examples:
        shown = json.loads(printed)
        if method == "GET":
            answer = api.get(path)
        else:
            answer = api.post(path, json=json.loads(sent) if sent else shown)
        assert answer.status_code == int(status), (path, answer.text)
        if sent:
            found = answer.json()
            found.pop("request_id", None)
            found |= {"title": shown["title"]} if "title" in found else {}  # of Python, and other words since 3.13
            assert found == shown
        elif method == "GET":
            assert answer.json().keys() >= shown.keys()


@pytest.mark.parametrize(("name", "printed"), SCHEMA.findall(GUIDE))
def test_every_other_body_is_valid(name: str, printed: str) -> None:
    MODELS[name].model_validate_json(printed)


def test_every_path_in_the_guide_exists(api: Api) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    named = PATH.findall(re.sub(r"<!--.*?-->", "", GUIDE, flags=re.DOTALL))
    assert named
    assert [(method, path) for method, path in named if method.lower() not in paths.get(path, {})] == []
