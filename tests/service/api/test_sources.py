"""Sources over HTTP and on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.data_folder import prepare
from service.settings import read_settings
from service.storage.database import write
from service.storage.secret_box import SecretBox
from service.storage.sources import Source, add_source, list_sources
from service.storage.tenants import create_tenant, tenant_id
from tests.conftest import NOW_US, Api
from tests.service.api.test_accept import is_problem
from tests.service.test_cli import run


def added(api: Api, tenant: str = "default", platform: str = "mastodon", **fields: str) -> Source:
    api.key(tenant)
    (api.settings.data / "secret.key").write_text("5a" * 32)
    with write(api.engine) as connection:
        return add_source(connection, SecretBox(api.settings), tenant_id(api.engine, tenant), platform, secret="open sesame", now_us=NOW_US, url=fields.get("url"))


def test_sources_are_listed_page_by_page_without_their_secrets(api: Api) -> None:
    made = sorted(added(api, platform=platform, url="https://p.example").id for platform in ("mastodon", "lemmy", "discourse"))
    first = api.get("/v1/sources?limit=2")
    assert [item["id"] for item in first.json()["items"]] == made[:2]
    second = api.get("/v1/sources", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert [item["id"] for item in second.json()["items"]] == made[2:]
    assert second.json()["next_cursor"] is None
    items = first.json()["items"] + second.json()["items"]
    assert {item["platform"]: item["polled"] for item in items} == {"mastodon": False, "lemmy": True, "discourse": False}
    assert "sesame" not in first.text + second.text and '"secret"' not in first.text
    assert items[0]["path"] == f"/v1/webhooks/{items[0]['platform']}/{items[0]['id']}"
    is_problem(api.get("/v1/sources?cursor=x"), 400)
    is_problem(api.get("/v1/sources?limit=0"), 422)


def test_another_tenants_source_never_existed(api: Api) -> None:
    mine, theirs = added(api), added(api, "other")
    unknown, foreign = api.request("DELETE", f"/v1/sources/{mine.id[:-1]}x"), api.request("DELETE", f"/v1/sources/{theirs.id}")
    is_problem(foreign, 404)
    assert (unknown.status_code, unknown.content) == (foreign.status_code, foreign.content)
    assert theirs.id not in api.get("/v1/sources").text
    assert api.request("DELETE", f"/v1/sources/{mine.id}").status_code == 204
    is_problem(api.request("DELETE", f"/v1/sources/{mine.id}"), 404)
    assert api.get("/v1/sources").json()["items"] == []
    with api.engine.connect() as connection:
        assert [source.id for source in list_sources(connection, tenant_id(api.engine, "other"))] == [theirs.id]


def test_sources_are_for_administrators(api: Api) -> None:
    made = added(api)
    key = api.key("default", "ingest", "read", "moderate")
    is_problem(api.get("/v1/sources", key=key), 403)
    is_problem(api.request("DELETE", f"/v1/sources/{made.id}", key=key), 403)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def test_the_path_is_alone_on_stdout_and_the_secret_nowhere(data: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep me out of sight\n")
    unknown = run("sources", "add", "--tenant", "news", "--platform", "discourse", "--secret-file", str(secret), "--data", data)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "news" in unknown.stderr
    assert run("tenants", "create", "news", "--data", data).returncode == 0
    made = run("sources", "add", "--tenant", "news", "--platform", "discourse", "--secret-file", str(secret), "--data", data)
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"/v1/webhooks/discourse/src_[0-9a-f]{48}\n", made.stdout)
    assert "out of sight" not in made.stderr
    listed = run("sources", "list", "--tenant", "news", "--data", data)
    assert '"signed":true' in listed.stdout and "out of sight" not in listed.stdout
    assert run("sources", "rotate", made.stdout.strip(), "--tenant", "news", "--secret-file", str(secret), "--data", data).returncode == 0
    assert run("sources", "remove", made.stdout.strip(), "--tenant", "news", "--data", data).returncode == 0
    assert run("sources", "remove", made.stdout.strip(), "--tenant", "news", "--data", data).returncode == 1
    assert run("sources", "list", "--tenant", "news", "--data", data).stdout == ""


def make_tenant(data: str) -> None:
    engine = prepare(read_settings(Path(data), {}))
    create_tenant(engine, "news", NOW_US)
    engine.dispose()


@pytest.mark.parametrize("arguments", [
    ("--platform", "myspace", "--no-secret"), ("--platform", "discourse"), ("--platform", "mastodon", "--no-secret"), ("--platform", "lemmy", "--secret-file", "{secret}"),
    ("--platform", "discourse", "--no-secret", "--secret-file", "{secret}"), ("--platform", "discourse", "--secret-file", "{missing}"), ("--platform", "discourse", "--secret-file", "{bytes}"),
])
def test_what_could_be_no_source_is_wrong_usage(data: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    make_tenant(data)
    named = [a.format(secret=tmp_path / "secret", missing=tmp_path / "missing", bytes=tmp_path / "bytes") for a in arguments]
    done = run("sources", "add", "--tenant", "news", *named, "--data", data)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr


def test_an_unsigned_source_is_said_loudly(data: str) -> None:
    make_tenant(data)
    done = run("sources", "add", "--tenant", "news", "--platform", "discourse", "--no-secret", "--data", data)
    assert done.returncode == 0 and done.stdout.startswith("/v1/webhooks/discourse/")
    assert "UNSIGNED" in done.stderr
