"""What goes out again: a person's data without anybody else's, and a tenant's files, which can be read in again."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from archive_lines import complaint, outcome, withdrawal
from case_world import put_cluster, put_decision
from conftest import RedisClients
from flow import Newspaper, audited
from sqlalchemy import Engine
from typer.testing import CliRunner
from worlds import document, draw_town, keys_of

from service.cli import app
from service.intake.items import COMPLAINT, OUTCOME
from service.intake.privacy_filter import PrivacyFilter
from service.model import moment
from service.moderation.trusted_flaggers import FlaggerTerm
from service.replay import survey_files
from service.settings import Settings
from service.storage.accounts import flagger_registry
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenants import create_tenant
from service.storage.cases.campaign_statements import declare
from service.storage.detection import allow_list
from service.storage.privacy import erasures, export
from service.storage.privacy.privacy_filters import open_privacy_filter
from service.storage.sql.engine import write
from workers import erase
from workers.audit.command import run as run_audit
from workers.audit.files import Reading, read_items

RUN = CliRunner()


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Newspaper]:
    made = Newspaper(fake_redis, engine, settings)
    yield made
    made.forgets()


def edge_of(paper: Newspaper) -> PrivacyFilter:
    return open_privacy_filter(paper.engine, SecretBox(paper.resources.settings), paper.id)


def person(paper: Newspaper, reporter: str) -> dict[str, Any]:
    with paper.engine.connect() as connection:
        return export.person(connection, paper.id, edge_of(paper), reporter, now_us=1)


def told(paper: Newspaper) -> None:
    paper.accepts(
        complaint("a", reporter="ann", text="what she wrote herself", reporter_more={"fingerprint": "f"}),
        complaint("b", 5, reporter="ann", target="u"),
        complaint("c", 6, reporter="bob"),
        complaint("d", 7, reporter="ann"),
        withdrawal("b"),
        outcome("o1"),
        outcome("o2", complaint_id="c"),
        outcome("o3", complaint_id="a", verdict="rejected"),
        outcome("o4", target="elsewhere"),
    )
    paper.works()


def test_a_person_gets_what_is_kept_about_them_and_nobody_else_s(paper: Newspaper) -> None:
    told(paper)
    put_cluster(paper.engine, paper.id, "k1", reporters=["ann", "zoe-2", "zoe-3"], excluded=["ann"])
    put_cluster(paper.engine, paper.id, "k2", reporters=["zoe-2", "zoe-3", "dan"])
    put_decision(paper.engine, paper.id, "k1", "d1", excluded=["ann", "zoe-2"], note="ann is fine, zoe-2 is not")
    found = person(paper, "ann")
    assert [(one["complaint"]["id"], one["state"]) for one in found["complaints"]] == [
        ("a", "standing"),
        ("b", "withdrawn"),
        ("d", "repeat"),
    ]
    assert found["complaints"][0]["complaint"]["text"] == "what she wrote herself"
    assert [one["id"] for one in found["outcomes"]] == ["o1", "o3"]
    assert [(one["id"], one["reporter_count"], one["excluded"]) for one in found["clusters"]] == [("k1", 2, True)]
    assert [(one["id"], one["excludes_this_person"]) for one in found["decisions"]] == [("d1", True)]
    assert "zoe" not in json.dumps(found) and found["erasures"] == []


def test_a_person_learns_that_they_are_on_the_allow_list_but_not_what_the_note_says(paper: Newspaper) -> None:
    with write(paper.engine) as connection:
        allow_list.allow(connection, paper.id, "ann", note="with zoe", by="mia", now_us=7_000_000)
    found = person(paper, "ann")["allowed_reporters"]
    assert found == [{"reporter_id": "ann", "at": "1970-01-01T00:00:07Z"}]
    assert person(paper, "bob")["allowed_reporters"] == []


def test_an_organisation_learns_that_it_is_in_the_registry_of_trusted_flaggers(paper: Newspaper) -> None:
    with write(paper.engine) as connection:
        flagger_registry.add_flagger(
            connection,
            paper.id,
            "ann",
            entity="Hotline",
            coordinator="CnaM",
            term=FlaggerTerm(1_000_000, area=("hate",)),
            note="with zoe",
            by="mia",
            now_us=7_000_000,
        )
    (found,) = person(paper, "ann")["trusted_flaggers"]
    assert found["since_at"] == "1970-01-01T00:00:01Z" and found["area"] == '["hate"]'
    assert "zoe" not in json.dumps(found) and "mia" not in json.dumps(found)
    assert person(paper, "bob")["trusted_flaggers"] == []


def test_both_the_id_and_the_pseudonym_are_looked_up(paper: Newspaper) -> None:
    pseudonym = edge_of(paper).pseudonym("ann")
    paper.accepts(complaint("a", reporter="ann"), complaint("b", reporter=pseudonym, target="u"))
    paper.works()
    assert [one["complaint"]["id"] for one in person(paper, "ann")["complaints"]] == ["a", "b"]
    assert [one["complaint"]["id"] for one in person(paper, pseudonym)["complaints"]] == ["b"]


def test_after_an_erasure_there_is_the_erasure_and_nothing_else(paper: Newspaper) -> None:
    told(paper)
    with write(paper.engine) as connection:
        job = erasures.request_erasure(
            connection, paper.id, edge_of(paper), SecretBox(paper.resources.settings), "ann", actor="test", now_us=7
        )
    erase.run(paper.name, paper.resources)
    found = person(paper, "ann")
    assert (found["complaints"], found["clusters"], found["outcomes"]) == ([], [], [])
    assert [(one["job"], one["state"]) for one in found["erasures"]] == [(job, "done")]


def test_somebody_never_seen_has_an_export_too_and_another_tenant_s_person_is_never_seen(paper: Newspaper) -> None:
    told(paper)
    other = create_tenant(paper.engine, "other", 0)
    with paper.engine.connect() as connection:
        found = export.person(connection, other, PrivacyFilter(), "ann", now_us=1)
    assert "ann" in found["reporter_ids"]
    assert all(
        found[name] == []
        for name in ("complaints", "outcomes", "clusters", "decisions", "warnings_suggested", "erasures")
    )


def exported(paper: Newspaper, out: Path, *arguments: str) -> Any:
    return RUN.invoke(
        app,
        ["export", "--tenant", paper.name, "--out", str(out), *arguments, "--data", str(paper.resources.settings.data)],
    )


def test_the_command_writes_a_person_s_file_for_its_owner_alone(paper: Newspaper, tmp_path: Path) -> None:
    told(paper)
    done = exported(paper, tmp_path / "ann.json", "--reporter", "ann")
    assert done.exit_code == 0, done.output
    assert len(json.loads((tmp_path / "ann.json").read_text())["complaints"]) == 3
    assert stat.S_IMODE((tmp_path / "ann.json").stat().st_mode) == 0o600


def test_a_tenant_s_files_hold_everything_in_its_place(paper: Newspaper, tmp_path: Path) -> None:
    told(paper)
    paper.accepts(
        complaint("m", reporter="server", machine=True),
        complaint("s", reporter="eve", text_hash="00", text_signature="AA=="),
    )
    paper.works()
    put_cluster(paper.engine, paper.id, "k1", reporters=["ann", "bob", "cid"], excluded=["cid"])
    put_decision(paper.engine, paper.id, "k1", "d1", excluded=["cid"], note="a note")
    put_cluster(paper.engine, paper.id, "k2", reporters=["ann"])
    with write(paper.engine) as connection:
        declare(connection, paper.id, "k1", ["k2"], "together", note="same chat", by="ann", now=moment(0))
    out = tmp_path / "all"
    assert exported(paper, out).exit_code == 0
    files = {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in out.iterdir()}
    assert {name: len(lines) for name, lines in files.items()} == {
        "complaints.ndjson": 4,
        "outcomes.ndjson": 4,
        "withdrawn.ndjson": 1,
        "machine.ndjson": 1,
        "withdrawals.ndjson": 1,
        "clusters.ndjson": 2,
        "decisions.ndjson": 1,
        "campaigns.ndjson": 1,
        "campaign_statements.ndjson": 1,
        "audit_trail.ndjson": 1,
    }
    assert files["campaigns.ndjson"][0]["clusters"] == ["k1", "k2"]
    assert files["campaign_statements.ndjson"][0]["note"] == "same chat"
    assert files["clusters.ndjson"][0]["reporters"] == ["ann", "bob"] and files["clusters.ndjson"][0][
        "excluded_reporters"
    ] == ["cid"]
    assert files["decisions.ndjson"][0]["note"] == "a note"
    assert set(files["complaints.ndjson"][3]) == {"id", "occurred_at", "reporter", "target"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in out.iterdir())


def test_a_tenant_s_files_are_read_by_audit_and_by_replay_and_give_the_same_group(
    paper: Newspaper, tmp_path: Path
) -> None:
    town = draw_town(2)
    documents = [document(row) for row in town.rows]
    paper.posts(documents, batch=500)
    out = tmp_path / "all"
    assert exported(paper, out).exit_code == 0
    report = run_audit(
        [out / "complaints.ndjson"],
        outcomes=[out / "outcomes.ndjson"],
        out=tmp_path / "report.json",
        html=None,
        now=datetime(2027, 1, 1, tzinfo=UTC),
        window_seconds=14 * 86_400,
        step_seconds=86_400,
        as_of=None,
    )
    flagged = {frozenset(cluster["reporters"]) for cluster in report["clusters"] if cluster["disposition"] == "flagged"}
    assert flagged == {frozenset(f"r{r}" for r in town.brigades[0])}
    assert {s.members for s in audited(documents)[0] if s.disposition == "flagged"} == {
        keys_of(people) for people in flagged
    }
    reading = Reading()
    for name, noun in (("complaints.ndjson", COMPLAINT), ("outcomes.ndjson", OUTCOME)):
        list(read_items(out / name, noun, datetime(2027, 1, 1, tzinfo=UTC), reading, lambda _: None))
    assert (reading.items, reading.rejected) == (len(documents), 0)
    survey = survey_files([out / "complaints.ndjson"], [out / "outcomes.ndjson"])
    assert survey.lines == len(documents) and survey.first_time is not None


def test_nothing_is_written_over_an_earlier_export(paper: Newspaper, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "complaints.ndjson").write_text("mine")
    done = exported(paper, tmp_path / "all")
    assert done.exit_code != 0 and (tmp_path / "all" / "complaints.ndjson").read_text() == "mine"
    assert exported(paper, tmp_path / "all" / "complaints.ndjson").exit_code != 0
