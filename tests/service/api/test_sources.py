"""Sources over HTTP and on the command line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.cli import main
from service.data_folder import prepare
from service.settings import read_settings
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import create_tenant, tenant_id
from service.storage.sql.engine import write
from service.storage.webhooks.sources import Source, add_source, list_sources
from tests.conftest import NOW_US, Api
from tests.service.api.test_submissions import is_problem


def added(api: Api, tenant: str = "default", platform: str = "mastodon", **fields: str) -> Source:
    api.key(tenant)
    (api.settings.data / "secret.key").write_text("5a" * 32)
    with write(api.engine) as connection:
        return add_source(
            connection,
            SecretBox(api.settings),
            tenant_id(api.engine, tenant),
            platform,
            secret="open sesame",
            now_us=NOW_US,
            url=fields.get("url"),
        )


def test_sources_are_listed_page_by_page_without_their_secrets(api: Api) -> None:
    made = sorted(
        added(api, platform=platform, url="https://p.example").id for platform in ("mastodon", "lemmy", "discourse")
    )
    first = api.get("/v1/sources?limit=2")
    assert [item["id"] for item in first.json()["items"]] == made[:2]
    second = api.get("/v1/sources", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert [item["id"] for item in second.json()["items"]] == made[2:]
    assert second.json()["next_cursor"] is None
    items = first.json()["items"] + second.json()["items"]
    assert {item["platform"]: item["polled"] for item in items} == {
        "mastodon": False,
        "lemmy": True,
        "discourse": False,
    }
    assert "sesame" not in first.text + second.text and '"secret"' not in first.text
    assert items[0]["path"] == f"/v1/webhooks/{items[0]['platform']}/{items[0]['id']}"
    is_problem(api.get("/v1/sources?cursor=x"), 400)
    is_problem(api.get("/v1/sources?limit=0"), 422)


def test_another_tenants_source_never_existed(api: Api) -> None:
    mine, theirs = added(api), added(api, "other")
    unknown, foreign = (
        api.request("DELETE", f"/v1/sources/{mine.id[:-1]}x"),
        api.request("DELETE", f"/v1/sources/{theirs.id}"),
    )
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


@dataclass
class Done:
    """What a command line gave."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command line in this process: a process of its own takes two seconds each."""
    monkeypatch.delenv("BRIGADEWATCH_SECRET_KEY", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["brigadewatch", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run


def test_the_path_is_alone_on_stdout_and_the_secret_nowhere(data: str, tmp_path: Path, run: Command) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep me out of sight\n")
    assert run("tenants", "create", "other", "--data", data).returncode == 0
    unknown = run(
        "sources", "add", "--tenant", "news", "--platform", "discourse", "--secret-file", str(secret), "--data", data
    )
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "news" in unknown.stderr
    assert run("tenants", "create", "news", "--data", data).returncode == 0
    made = run(
        "sources", "add", "--tenant", "news", "--platform", "discourse", "--secret-file", str(secret), "--data", data
    )
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"/v1/webhooks/discourse/src_[0-9a-f]{48}\n", made.stdout)
    assert "out of sight" not in made.stderr
    listed = run("sources", "list", "--tenant", "news", "--data", data)
    assert '"signed":true' in listed.stdout and "out of sight" not in listed.stdout
    assert (
        run(
            "sources", "rotate", made.stdout.strip(), "--tenant", "news", "--secret-file", str(secret), "--data", data
        ).returncode
        == 0
    )
    assert run("sources", "remove", made.stdout.strip(), "--tenant", "news", "--data", data).returncode == 0
    assert run("sources", "remove", made.stdout.strip(), "--tenant", "news", "--data", data).returncode == 1
    assert run("sources", "list", "--tenant", "news", "--data", data).stdout == ""


def make_tenant(data: str) -> None:
    engine = prepare(read_settings(Path(data), {}))
    create_tenant(engine, "news", NOW_US)
    engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--platform", "myspace", "--no-secret"),
        ("--platform", "discourse"),
        ("--platform", "mastodon", "--no-secret"),
        ("--platform", "lemmy", "--secret-file", "{secret}"),
        ("--platform", "discourse", "--no-secret", "--secret-file", "{secret}"),
        ("--platform", "discourse", "--secret-file", "{missing}"),
        ("--platform", "discourse", "--secret-file", "{bytes}"),
    ],
)
def test_what_could_be_no_source_is_wrong_usage(
    data: str, tmp_path: Path, run: Command, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    make_tenant(data)
    named = [
        a.format(secret=tmp_path / "secret", missing=tmp_path / "missing", bytes=tmp_path / "bytes") for a in arguments
    ]
    done = run("sources", "add", "--tenant", "news", *named, "--data", data)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr


def test_an_unsigned_source_is_said_loudly(data: str, run: Command) -> None:
    make_tenant(data)
    done = run("sources", "add", "--tenant", "news", "--platform", "discourse", "--no-secret", "--data", data)
    assert done.returncode == 0 and done.stdout.startswith("/v1/webhooks/discourse/")
    assert "UNSIGNED" in done.stderr


def test_a_mapping_is_checked_when_it_is_saved(data: str, tmp_path: Path, run: Command) -> None:
    make_tenant(data)
    secret, mapping = tmp_path / "secret", tmp_path / "mapping.json"
    secret.write_text("open sesame\r\n")
    fields = {"id": "$.id", "occurred_at": "$.at", "reporter.id": "$.by", "target.id": "$.post"}
    common = (
        "sources",
        "add",
        "--tenant",
        "news",
        "--platform",
        "generic",
        "--secret-file",
        str(secret),
        "--mapping",
        str(mapping),
        "--data",
        data,
    )
    for wrong, said in (
        ("{", "not valid JSON"),
        ("[]", "one JSON object"),
        (json.dumps({"complaint": {"fields": {**fields, "id": "$..id"}}}), "one value"),
        (json.dumps({"complaint": {"fields": fields}}), "/signature"),
    ):
        mapping.write_text(wrong)
        done = run(*common)
        assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
    stored = json.dumps({"signature": {"scheme": "bearer"}, "complaint": {"fields": fields}})
    mapping.write_text(stored, encoding="utf-8-sig")  # as editors on Windows do
    made = run(*common)
    assert made.returncode == 0, made.stderr
    assert (
        json.loads(run("sources", "list", "--tenant", "news", "--data", data).stdout)["mapping"]["complaint"]["fields"]
        == fields
    )
    assert (
        run(
            "sources",
            "rotate",
            made.stdout.strip(),
            "--tenant",
            "news",
            "--secret-file",
            str(secret),
            "--overlap",
            "0s",
            "--data",
            data,
        ).returncode
        == 0
    )
    assert run("sources", "rotate", made.stdout.strip(), "--tenant", "news", "--data", data).returncode == 2


def test_a_second_installation_is_refused_with_the_way_out(data: str, tmp_path: Path, run: Command) -> None:
    make_tenant(data)
    (tmp_path / "secret").write_text("open sesame")

    def add(*more: str, platform: str = "discourse") -> Done:
        file = str(tmp_path / "secret")
        named = ("--tenant", "news", "--platform", platform, "--secret-file", file, "--data", data)
        return run("sources", "add", *named, *more)

    assert "WARNING" not in add().stderr
    refused = add()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "without a namespace" in refused.stderr and "(--namespace NAME, or --same-installation)" in refused.stderr
    assert add("--namespace", "Forum 2").returncode == 2
    assert run("sources", "list", "--tenant", "news", "--data", data).stderr == ""
    second = add("--namespace", "forum2")
    assert second.returncode == 0 and "WARNING" not in second.stderr
    assert run("sources", "list", "--tenant", "news", "--data", data).stderr == ""
    warned = "WARNING: Connected without a namespace: discourse, mastodon."
    assert warned in add(platform="mastodon").stderr
    listed = run("sources", "list", "--tenant", "news", "--data", data)
    assert warned in listed.stderr and listed.stdout.count('"namespace":"forum2"') == 1
    assert add("--same-installation").returncode == 0
    assert "discourse (2 times)" in run("sources", "list", "--tenant", "news", "--data", data).stderr
