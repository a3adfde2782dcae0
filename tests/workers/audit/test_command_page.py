"""The audit from files to reports."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from audit_world import cluster_in, history_of

from service.errors import Refused
from workers.audit.command import run
from workers.audit.listings import csv_of, members_of, targets_of

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def write_world(folder: Path) -> Path:
    """Twenty accounts that hit eight targets in eight articles within minutes, among readers of forty."""
    draw, start, lines = random.Random(5), datetime(2026, 3, 1, tzinfo=UTC), []
    filed = [
        (f"reader{draw.randrange(400)}", f"t{(t := draw.randrange(300))}", t % 40, draw.uniform(0, 10 * 86_400))
        for _ in range(1_500)
    ]
    filed += [
        (f"brigade{r}", f"hit{v}", v, 86_400 * (v + 1) + draw.uniform(0, 600))
        for v in range(8)
        for r in range(20)
        if draw.random() < 0.8
    ]
    for k, (reporter, target, article, seconds) in enumerate(filed):
        at = (start + timedelta(seconds=seconds)).isoformat()
        lines.append(
            json.dumps(
                {
                    "id": f"c{k}",
                    "occurred_at": at,
                    "reporter": {"id": reporter},
                    "target": {"id": target, "context_id": f"article{article}"},
                }
            )
        )
    path = folder / "complaints.ndjson"
    path.write_text("\n".join(lines))
    return path


def test_the_page_tells_of_the_same_clusters_as_the_report(tmp_path: Path) -> None:
    report = run([write_world(tmp_path)], outcomes=[], out=tmp_path / "r.json", html=tmp_path / "r.html", now=NOW)
    assert report == json.loads((tmp_path / "r.json").read_text())
    text = (tmp_path / "r.html").read_text()
    brigade = next(c for c in report["clusters"] if "brigade3" in c["reporters"])
    assert brigade["disposition"] == "flagged"
    assert f"Cluster <bdi>{brigade['id']}</bdi>" in text
    for id in (*brigade["reporters"], *brigade["targets"]):
        assert f"<bdi>{id}</bdi>" in text
    assert str(tmp_path) not in text


def test_members_and_targets_stand_as_tables_beside_the_page(tmp_path: Path) -> None:
    page = tmp_path / "1: <b>ü.html"
    report = run([write_world(tmp_path)], outcomes=[], out=None, html=page, now=NOW)
    brigade = next(c for c in report["clusters"] if "brigade3" in c["reporters"])
    rows = {}
    for name in ("members", "targets"):
        path = tmp_path / f"1: <b>ü-{name}.csv"
        assert path.read_bytes().startswith(b"\xef\xbb\xbf"), "spreadsheets take it for UTF-8"
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows[name] = [row for row in csv.DictReader(file) if row["cluster"] == brigade["id"]]
        assert f'href="{quote(path.name)}"' in page.read_text()
    assert {row["reporter_id"] for row in rows["members"]} == set(brigade["reporters"])
    assert {row["target_id"] for row in rows["targets"]} == set(brigade["targets"])
    counted = {row["id"]: row for row in report["targets"]}
    for row in rows["targets"]:
        own = counted[row["target_id"]]
        assert (int(row["complaints"]), float(row["independent_complaints"])) == (
            own["complaints"],
            own["independent_complaints"],
        )
        assert 0 < int(row["by_members"]) <= own["complaints"] and row["first_at"].endswith("Z")
    assert sum(int(row["complaints"]) for row in rows["members"]) == sum(int(r["by_members"]) for r in rows["targets"])


def test_the_summary_counts_targets_at_several_thresholds(tmp_path: Path) -> None:
    path = write_world(tmp_path)
    report = run([path], outcomes=[], out=None, now=NOW, as_of=datetime(2026, 3, 10, tzinfo=UTC))
    reporters: dict[str, set[str]] = {}
    later = 0
    for line in path.read_text().splitlines():
        complaint = json.loads(line)
        if complaint["occurred_at"] <= "2026-03-10T00:00:00+00:00":
            reporters.setdefault(complaint["target"]["id"], set()).add(complaint["reporter"]["id"])
        else:
            later += 1
    own = {t: len(who) for t, who in reporters.items()} | {
        row["id"]: row["independent_complaints"] for row in report["targets"]
    }
    assert report["summary"]["thresholds"] == [
        {
            "threshold": n,
            "targets_by_complaints": sum(len(who) >= n for who in reporters.values()),
            "targets_by_independent_complaints": sum(count >= n for count in own.values()),
        }
        for n in (5, 8, 10, 20)
    ]
    assert report["summary"]["rows"]["too_late"] == later > 0
    assert report["summary"]["flagged"]["groups"] == sum(c["disposition"] == "flagged" for c in report["clusters"])
    assert any(
        row["targets_by_independent_complaints"] < row["targets_by_complaints"]
        for row in report["summary"]["thresholds"]
    )


def test_no_output_replaces_a_file_that_is_read_or_another_output(tmp_path: Path) -> None:
    read = write_world(tmp_path).rename(tmp_path / "r-targets.csv")
    with pytest.raises(Refused, match=r"r-targets\.csv is a file that is read: the report would replace it"):
        run([read], outcomes=[], out=None, html=tmp_path / "r.html", now=NOW)
    with pytest.raises(Refused, match=r"--out is .*which is written beside the page"):
        run([read], outcomes=[], out=tmp_path / "a-members.csv", html=tmp_path / "a.html", now=NOW)
    assert read.stat().st_size > 10_000


def test_ids_that_a_spreadsheet_would_run_are_text_in_the_tables() -> None:
    history = history_of([(who, about, 60 * k) for k, about in enumerate(("t1", "@sum")) for who in ("=1+1", "bob")])
    states = [cluster_in(history, ["=1+1", "bob"])]
    assert "k1,flagged,'=1+1,2," in csv_of(members_of(states, history))
    assert "k1,flagged,'@sum,2,2,2.0," in csv_of(targets_of(states, history, {}, []))


def test_without_html_there_is_no_page(tmp_path: Path) -> None:
    run([write_world(tmp_path)], outcomes=[], out=tmp_path / "r.json", now=NOW)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["complaints.ndjson", "r.json"]


def test_a_page_in_a_missing_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--html needs a folder that exists"):
        run(
            [tmp_path / "never-read"],
            outcomes=[],
            out=tmp_path / "r.json",
            html=tmp_path / "missing" / "r.html",
            now=NOW,
        )


def test_one_file_cannot_hold_both_reports(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="name two files"):
        run([tmp_path / "never-read"], outcomes=[], out=tmp_path / "r", html=tmp_path / "." / "r", now=NOW)
