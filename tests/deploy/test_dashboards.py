"""The dashboards as files: drawn from deploy/grafana/drawing, complete, and linked to sections of the runbook that
there are.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from expressions import BOARDS, DEPLOY, RUNBOOK, boards, rules

PANELS = [(board["uid"], panel) for board in boards() for panel in board["panels"] if panel["type"] != "row"]


def test_the_dashboard_files_equal_the_generated_ones() -> None:
    drawn: dict[str, str] = runpy.run_path(str(DEPLOY / "grafana" / "draw.py"))["drawn"]()
    assert drawn == {file.name: file.read_text() for file in BOARDS}, "run make dashboards"


def test_there_are_three_dashboards_with_stable_ids() -> None:
    assert [board["uid"] for board in boards()] == [
        "brigadewatch-detection",
        "brigadewatch-service",
        "brigadewatch-tenants",
    ]
    for board in boards():
        assert board["schemaVersion"] >= 41
        assert board["description"] and board["tags"] == ["brigadewatch"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=[f"{uid}: {panel['title']}" for uid, panel in PANELS])
def test_every_panel_has_a_title_a_description_and_a_unit(board: str, panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 4 and panel["description"].split("\n")[0].endswith(".")
    assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
    assert panel["targets"] and len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    if panel["type"] != "table":
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] and defaults["thresholds"]["steps"][0]["value"] is None
        values = [step["value"] for step in defaults["thresholds"]["steps"][1:]]
        assert values == sorted(values)


def test_panels_do_not_overlap() -> None:
    for board in boards():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken, (board["uid"], panel["title"])
            taken |= cells


def test_a_panel_with_an_alert_links_to_its_section_of_the_runbook() -> None:
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    sections = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", RUNBOOK.read_text(), re.MULTILINE)}
    linked = 0
    for _, panel in PANELS:
        named = re.findall(r"^Alert: (\w+)$", panel["description"], re.MULTILINE)
        assert set(named) <= alerts
        assert [link["url"] for link in panel.get("links", [])] == [f"${{runbook}}#{name.lower()}" for name in named]
        assert {name.lower() for name in named} <= sections
        linked += len(named)
    assert linked > 20


def test_the_provisioning_names_existing_folders() -> None:
    provider: dict[str, Any] = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/dashboards/brigadewatch.yml").read_text()
    )["providers"][0]
    source: dict[str, Any] = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ][0]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards" and source["type"] == "prometheus"
    assert Path(BOARDS[0]).parent.name == "dashboards"
