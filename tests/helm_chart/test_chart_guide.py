"""What docs/how-to/kubernetes.md has people apply is valid, and fits the chart and docker-compose.yml."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_chart.rendered import (
    EVERYTHING,
    MINIMAL,
    ROOT,
    deployments,
    environment_of,
    of_kind,
    part_of,
    pod_of,
    render,
    selects,
)
from helm_chart.test_chart import SCHEMAS, assert_restricted, faults

GUIDE = (ROOT / "docs" / "how-to" / "kubernetes.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VALKEY = list(yaml.safe_load_all((ROOT / "deploy" / "helm" / "valkey.yaml").read_text()))
POSTGRES, VALUES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
SHELL = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)


def server_options(script: str) -> str:
    """What follows the program of a server, on one line."""
    return " ".join(script.split("/tmp/valkey.conf --bind")[1].replace("\\\n", " ").split())


def test_its_values_install_and_fit_the_stores_that_it_has_people_start(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    found = deployments(render(tmp_path / "values.yaml", release="brigadewatch"))
    variables = environment_of(found["api"])
    service, valkey = VALKEY[0]["metadata"]["name"], VALKEY[0]["spec"]["ports"][0]["port"]
    assert variables["REDIS_URL"] == f"redis://{service}:{valkey}/0"
    cluster = yaml.safe_load(POSTGRES)
    database = cluster["spec"]["bootstrap"]["initdb"]
    address = f"{database['owner']}@{cluster['metadata']['name']}-rw:5432/{database['database']}"
    assert variables["DATABASE_URL"].startswith(f"postgresql://{address}?")
    assert f"{cluster['metadata']['name']}-app" in str(pod_of(found["api"])["volumes"])


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
def test_its_valkey_is_valid_for_kubernetes(schema: Path) -> None:
    assert [fault for manifest in VALKEY for fault in faults(manifest, schema)] == []


def test_its_valkey_is_confined_has_composes_options_and_is_reached_by_the_chart_alone() -> None:
    (server,), (policy,) = of_kind(VALKEY, "StatefulSet"), of_kind(VALKEY, "NetworkPolicy")
    assert_restricted(server["spec"]["template"]["spec"], "valkey")
    container: dict[str, Any] = server["spec"]["template"]["spec"]["containers"][0]
    composed = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE["services"]["valkey"]["command"][0])
    assert server_options(container["args"][0]) == server_options(composed)
    assert container["resources"]["limits"]["memory"] == "2Gi"  # as VALKEY_MEMORY
    (rule,) = policy["spec"]["ingress"]
    for deployment in deployments(render(MINIMAL)).values():
        assert selects(rule["from"][0]["podSelector"], deployment["spec"]["template"]["metadata"]["labels"])


def test_its_loop_makes_a_resource_of_every_file_of_rules(tmp_path: Path) -> None:
    """kubectl is a file that keeps what it would have applied."""
    (loop,) = (block for block in SHELL if "PrometheusRule" in block)
    kept = tmp_path / "applied.yaml"
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\n{{ echo ---; cat; }} >> {kept}\n")
    (tmp_path / "kubectl").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["sh", "-euc", loop], cwd=ROOT, env={"PATH": path}, check=True, capture_output=True)
    applied = {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(kept.read_text())}
    files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    assert applied == {f"brigadewatch-{file.stem}": yaml.safe_load(file.read_text()) for file in files}
    assert len(applied) == len(files) > 3


def test_its_commands_name_what_the_chart_makes() -> None:
    from typer.main import get_command

    from service.cli import app

    manifests = render(MINIMAL, release="brigadewatch")
    names = {f"{one['kind']}/{one['metadata']['name']}" for one in manifests}
    kinds = {"deployment": "Deployment", "svc": "Service"}
    named = {f"{kinds[kind]}/{name}" for kind, name in re.findall(r"\b(deployment|svc)/([a-z-]+)", GUIDE)}
    assert named and named <= names
    known = get_command(app).commands  # type: ignore[attr-defined]
    for first, second in re.findall(r"-- brigadewatch (\w+) (\w+)", GUIDE):
        assert second in known[first].commands
    (secret,) = (block for block in SHELL if "create secret generic" in block)
    pods = str(pod_of(deployments(manifests)["clock"])["volumes"])
    assert all(key in pods for key in re.findall(r"--from-file=secrets/(\w+)", secret))


def test_its_table_of_metrics_is_what_the_chart_asks_for() -> None:
    told = dict(re.findall(r"^\| (worker-\w+) \|.*\| `(brigadewatch_\w+)` \|$", GUIDE, re.MULTILINE))
    asked = {
        part_of(one): re.findall(r"brigadewatch_\w+", one["spec"]["triggers"][0]["metadata"]["query"])[0]
        for one in of_kind(render(EVERYTHING), "ScaledObject")
    }
    assert told == asked
