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
def test_every_alert_has_a_severity_a_description_and_a_link_to_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["summary"].endswith(".") and annotations["description"].endswith(".")
    assert annotations["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_the_runbook_has_one_complete_section_per_alert() -> None:
    text = RUNBOOK.read_text()
    sections = dict(re.findall(r"^### (Brigadewatch\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == {rule["alert"] for rule in ALERTS}
    for name, section in sections.items():
        assert [part for part in ("**Means.**", "**Look.**", "**Do.**") if part not in section] == [], name


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(rule: dict[str, Any]) -> None:
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


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
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
