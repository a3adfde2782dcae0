"""The Helm chart, rendered by Helm itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "brigadewatch"
TOOLS = ROOT / "build" / "helm"
MINIMAL, EVERYTHING = CHART / "ci" / "minimal.yaml", CHART / "ci" / "everything.yaml"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm, without a cluster and without the settings of whoever runs it."""
    program = TOOLS / "helm"
    assert program.exists(), f"{program} is missing: `make helm` fetches it"
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": os.devnull, "HOME": str(TOOLS)}
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=60, env=environment)


def options(values: Path, sets: Sequence[str]) -> list[str]:
    """A file of values and single ones, NAME=VALUE."""
    return ["--values", str(values), *(part for each in sets for part in ("--set", each))]


def render(values: Path = MINIMAL, *sets: str, release: str = "bw", namespace: str = "moderation") -> list[Manifest]:
    """What would be installed."""
    done = helm("template", release, str(CHART), "--namespace", namespace, *options(values, sets))
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    """Those of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def part_of(manifest: Manifest) -> str:
    """The part that it belongs to: api, worker-detect and so on."""
    part: str = manifest["metadata"]["labels"]["app.kubernetes.io/component"]
    return part


def deployments(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """All Deployments by part."""
    return {part_of(manifest): manifest for manifest in of_kind(manifests, "Deployment")}


def pod_of(deployment: Manifest) -> Manifest:
    """The specification of its pods."""
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def container_of(deployment: Manifest) -> Manifest:
    """The one container of its pods."""
    (container,) = pod_of(deployment)["containers"]
    return dict(container)


def environment_of(deployment: Manifest) -> dict[str, str]:
    """Its variables."""
    return {one["name"]: one["value"] for one in container_of(deployment)["env"]}


def selects(selector: Manifest, labels: Manifest) -> bool:
    """Whether a selector matches labels (matchLabels, and matchExpressions with In)."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def selected(selector: Manifest, manifests: Sequence[Manifest]) -> set[str]:
    """The names of the Deployments whose pods it selects."""
    return {
        one["metadata"]["name"]
        for one in of_kind(manifests, "Deployment")
        if selects(selector, one["spec"]["template"]["metadata"]["labels"])
    }
