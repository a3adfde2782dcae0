"""Values that make no sense are refused before anything is installed, in words that say what to change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_chart.rendered import CHART, MINIMAL, VALUES, helm, options, render

NONSENSE = [
    ("image.tga=1.0", "additional properties 'tga' not allowed"),
    ("image.digest=0123", "/image/digest"),
    ("parts.worker-detect.replicas=0", "/parts/worker-detect/replicas"),
    ("parts.worker-detect.replicas=two", "got string, want integer"),
    ("parts.worker-index.replicas=1", "additional properties 'worker-index' not allowed"),
    ("parts.clock=null", "missing property 'clock'"),
    ("parts.clock.resources.limits.memory=null", "missing property 'memory'"),
    ("parts.clock.resources.limits.memory=4 GB", "/parts/clock/resources/limits/memory"),
    ("parts.api.autoscaling.enabled=true,parts.api.autoscaling.min=9", "min is 9, more than max, which is 6"),
    ("parts.worker-detect.autoscaling.enabled=true", "keda.prometheusUrl is empty"),
    ("settings.BRIGADEWATCH_MAX_BODYBYTES=1", "additional properties 'BRIGADEWATCH_MAX_BODYBYTES' not allowed"),
    ("settings.BRIGADEWATCH_SECRET_KEY=0", "additional properties 'BRIGADEWATCH_SECRET_KEY' not allowed"),
    ("settings.BRIGADEWATCH_SMTP_PORT=smtp", "/settings/BRIGADEWATCH_SMTP_PORT"),
    ("settings.BRIGADEWATCH_LOG_LEVEL=loud", "value must be one of"),
    ("settings.BRIGADEWATCH_PUBLIC_URL=moderation.example.org", "/settings/BRIGADEWATCH_PUBLIC_URL"),
    ("settings.BRIGADEWATCH_SMTP_HOST=mail.example.org", "BRIGADEWATCH_PUBLIC_URL is needed"),
    ("settings.FORWARDED_ALLOW_IPS=*", "name your proxy's addresses"),
    ("listenOn=127.0.0.1", "value must be one of '0.0.0.0', '::'"),
    ("runAsUser=0", "minimum: got 0, want 1"),
    ("podLabels.app\\.kubernetes\\.io/component=api", "invalid propertyName"),
    ("ingress.enabled=true", "ingress.host is empty"),
    ("redis.url=", 'redis.url is "": expected redis://'),
    ("redis.url=valkey:6379", 'redis.url is "valkey:6379": expected redis://'),
    ("redis.url=redis://:hunter2@valkey:6379", "redis.url has a password in it"),
    ("redis.url=valkey://:hunter2@valkey:6379", "redis.url has a password in it"),
    ("database.url=sqlite:////data/brigadewatch.sqlite3", "SQLite is for one machine"),
    ("database.url=postgresql://me:hunter2@db/brigadewatch", "database.url has a password in it"),
    ("database.url=postgresql://me@db/brigadewatch?password=hunter2", "database.url has a password in it"),
    ("existingSecret=", "name the Secret that holds brigadewatch_secret_key"),
    ("existingSecret=,redis.password.secret=other,database.password.secret=other", "brigadewatch_secret_key"),
]


@pytest.mark.parametrize(("value", "expected"), NONSENSE, ids=[value for value, _ in NONSENSE])
def test_nonsense_is_refused_with_a_word_about_it(value: str, expected: str) -> None:
    done = helm("template", "bw", str(CHART), *options(MINIMAL, [value]))
    assert done.returncode != 0
    assert expected in done.stderr
    assert "hunter2" not in done.stderr


def test_values_without_a_secret_say_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("{}\n")
    done = helm("template", "bw", str(CHART), *options(tmp_path / "values.yaml", ()))
    assert done.returncode != 0
    assert "sh deploy/make_secrets.sh && kubectl create secret generic brigadewatch --from-file=" in done.stderr


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_notes_name_what_was_installed_and_commands_that_exist(values: Path) -> None:
    from typer.main import get_command

    from service.cli import app

    done = helm("install", "bw", str(CHART), "--namespace", "moderation", "--dry-run=client", *options(values, ()))
    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("NOTES:\n")[1]
    names = {(one["kind"].lower(), one["metadata"]["name"]) for one in render(values)}
    kinds = {"deployment": "deployment", "svc": "service"}
    named = {(kinds[kind], name) for kind, name in re.findall(r"(deployment|svc)/([\w-]+)", notes)}
    assert named <= names
    known = get_command(app).commands  # type: ignore[attr-defined]
    commands = re.findall(r"-- brigadewatch (\w+) (\w+)", notes)
    assert all(second in known[first].commands for first, second in commands)
    assert (bool(commands) and bool(named)) or "Everything is stopped" in notes


def test_an_ingress_without_a_known_proxy_is_warned_of() -> None:
    sets = options(MINIMAL, ["ingress.enabled=true", "ingress.host=moderation.example.org"])
    done = helm("install", "bw", str(CHART), "--dry-run=client", *sets)
    assert "WARNING: settings.FORWARDED_ALLOW_IPS is empty" in done.stdout
    assert "WARNING: settings.BRIGADEWATCH_PUBLIC_URL is empty" in done.stdout


def paths(values: dict[str, Any], schema: dict[str, Any], before: str = "") -> Iterator[tuple[str, bool]]:
    """Every value's path, and whether the schema knows it; maps of anything are their owner's."""
    for key, value in values.items():
        path = f"{before}/{key}"
        found = schema.get("properties", {}).get(key)
        yield path, found is not None
        if isinstance(value, dict) and found is not None and "properties" in found:
            yield from paths(value, found, path)


def test_the_schema_has_what_the_values_have_and_no_more() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    found = dict(paths(values, schema))
    assert len(found) > 100 and [path for path, known in found.items() if not known] == []
    unset: list[str] = []

    def look(values: Any, schema: dict[str, Any], path: str) -> None:
        for key, inner in schema.get("properties", {}).items():
            if not isinstance(values, dict) or key not in values:
                unset.append(f"{path}/{key}")
            else:
                look(values[key], inner, f"{path}/{key}")

    look(values, schema, "")
    assert unset == ["/global"]  # of a chart that has this one inside
