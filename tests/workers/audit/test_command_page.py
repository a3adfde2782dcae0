"""The audit from files to reports."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.errors import Refused
from workers.audit.command import run

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
