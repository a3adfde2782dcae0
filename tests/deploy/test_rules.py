"""The rules as files: complete, each tested in both directions, each with a section in the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from expressions import DEPLOY, RULES, RUNBOOK, rules

ALERTS = [rule for rule in rules() if "alert" in rule]
TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))
_NAMED = re.compile(r'alertname="(\w+)"')


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_every_alert_says_how_urgent_it_is_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["summary"].endswith(".") and annotations["description"].endswith(".")
    assert annotations["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_the_runbook_has_one_section_an_alert_with_what_it_means_how_to_look_and_what_to_do() -> None:
    text = RUNBOOK.read_text()
    sections = dict(re.findall(r"^### (Brigadewatch\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == {rule["alert"] for rule in ALERTS}
    for name, section in sections.items():
        assert [part for part in ("**Means.**", "**Look.**", "**Do.**") if part not in section] == [], name


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_every_alert_is_seen_to_fire_and_seen_to_be_silent(rule: dict[str, Any]) -> None:
    """promtool runs these tests; this only checks that they exist."""
    fires = silent = 0
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for expected in test["promql_expr_test"]:
                if _NAMED.findall(expected["expr"]) == [rule["alert"]]:
                    fires += bool(expected["exp_samples"])
                    # Silent for another label beside the one that fires, or at another time.
                    silent += not expected["exp_samples"] or " by (" in expected["expr"]
    assert fires and silent


def test_prometheus_itself_finds_no_fault() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; make rules installs it (Debian: apt-get install prometheus)")
    for command in (
        ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
        ["check", "rules", *map(str, RULES)],
        ["test", "rules", *map(str, TESTS)],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
