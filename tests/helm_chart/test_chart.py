"""The Helm chart: what Helm makes of it is valid for Kubernetes, confined, and belongs to one release alone."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from helm_chart.rendered import (
    CHART,
    EVERYTHING,
    MINIMAL,
    ROOT,
    TOOLS,
    VALUES,
    Manifest,
    container_of,
    deployments,
    environment_of,
    helm,
    of_kind,
    options,
    part_of,
    pod_of,
    render,
    selected,
)

# Resources that others define, whose schemas no package registry has; they are off unless somebody wants them.
OF_OTHERS = {"ServiceMonitor", "ScaledObject"}
SCHEMAS = sorted(TOOLS.glob("1.*.json"))


def faults(manifest: Manifest, schema: Path) -> list[str]:
    """What the strict schemas of a version of Kubernetes have against it."""
    definitions = json.loads(schema.read_text())
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = {"group": group, "kind": manifest["kind"], "version": version}
    (name,) = (
        name
        for name, definition in definitions["$defs"].items()
        if kind in definition.get("x-kubernetes-group-version-kind", [])
    )
    validator = jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", **definitions})
    return [
        f"{manifest['kind']} {list(error.instance_path)}: {error.message}" for error in validator.iter_errors(manifest)
    ]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_helm_finds_no_fault(values: Path) -> None:
    done = helm("lint", "--strict", str(CHART), *options(values, ()))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_all_of_it_is_valid_for_the_oldest_and_the_newest_kubernetes(values: Path, schema: Path) -> None:
    found = [one for one in render(values) if one["kind"] not in OF_OTHERS]
    assert [fault for manifest in found for fault in faults(manifest, schema)] == []
    broken = copy.deepcopy(of_kind(found, "Deployment")[0])
    pod_of(broken)["containers"][0]["comand"] = ["x"]
    assert "comand" in "".join(faults(broken, schema))


def test_both_ends_of_what_the_chart_supports_are_tried() -> None:
    oldest, newest = (path.stem for path in SCHEMAS)
    required = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert required == f">={oldest}-0" and newest > "1.30"


def test_a_cluster_without_other_peoples_resource_definitions_takes_it() -> None:
    assert not {manifest["kind"] for manifest in render()} & OF_OTHERS
    assert {manifest["kind"] for manifest in render(EVERYTHING)} >= OF_OTHERS


def test_the_versions_are_the_services() -> None:
    from service import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
    assert container_of(deployments(render())["clock"])["image"] == f"brigadewatch:{__version__}"
    assert "@sha256:" in container_of(deployments(render(EVERYTHING))["clock"])["image"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"] == chart["name"]


def assert_restricted(pod: Manifest, part: str) -> None:
    """The Pod Security Standard "restricted", and a root that cannot be written to."""
    assert pod["securityContext"]["runAsNonRoot"] is True, part
    assert pod["securityContext"].get("runAsUser", 1) > 0, part
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, part
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, part
        assert all("hostPort" not in port for port in container.get("ports", [])), part
        assert container["resources"]["limits"].keys() == {"memory"}, part
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys(), part
    assert all({"emptyDir", "projected", "configMap", "secret"} & volume.keys() for volume in pod["volumes"]), part


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_pod_fits_the_restricted_pod_security_standard(values: Path) -> None:
    for part, deployment in deployments(render(values)).items():
        assert_restricted(pod_of(deployment), part)


def test_no_pod_has_a_token_of_the_cluster_or_variables_of_its_services() -> None:
    """A Service called brigadewatch-max would otherwise set BRIGADEWATCH_MAX_PORT and the like."""
    for part, deployment in deployments(render()).items():
        assert pod_of(deployment)["automountServiceAccountToken"] is False, part
        assert pod_of(deployment)["enableServiceLinks"] is False, part


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_secrets_are_files_of_secrets_that_exist_already(values: Path) -> None:
    manifests = render(values)
    assert of_kind(manifests, "Secret") == []
    for part, deployment in deployments(manifests).items():
        variables, container = environment_of(deployment), container_of(deployment)
        assert all("valueFrom" not in one for one in container["env"]) and "envFrom" not in container
        mounted = {mount["name"]: mount for mount in container["volumeMounts"]}["secrets"]
        (sources,) = (one["projected"]["sources"] for one in pod_of(deployment)["volumes"] if one["name"] == "secrets")
        files = {f"{mounted['mountPath']}/{one['secret']['items'][0]['path']}" for one in sources}
        assert mounted["readOnly"] is True and all(one["secret"]["name"] for one in sources)
        named = {value for name, value in variables.items() if name.endswith("_FILE")}
        assert named == files, part
        assert not [name for name in variables if re.search(r"PASSWORD|SECRET", name) and not name.endswith("_FILE")]


def test_the_secret_is_what_make_secrets_writes() -> None:
    written = set(re.findall(r"^keep (\w+)", (ROOT / "deploy" / "make_secrets.sh").read_text(), re.MULTILINE))
    (sources,) = (
        volume["projected"]["sources"]
        for volume in pod_of(deployments(render())["clock"])["volumes"]
        if volume["name"] == "secrets"
    )
    keys = {one["secret"]["items"][0]["key"] for one in sources}
    assert keys == written - {"grafana_password"} and len(keys) == 3


def test_what_is_written_to_is_a_volume_with_a_bound() -> None:
    for part, deployment in deployments(render()).items():
        volumes = {one["name"]: one for one in pod_of(deployment)["volumes"]}
        mounts = {one["mountPath"]: one["name"] for one in container_of(deployment)["volumeMounts"]}
        assert {"/data", "/tmp"} < mounts.keys(), part
        assert all(volumes[mounts[path]]["emptyDir"]["sizeLimit"] for path in ("/data", "/tmp")), part


def test_probes_ask_for_what_is_served_and_a_migration_may_take_its_time() -> None:
    ops = (ROOT / "service" / "ops" / "routes.py").read_text()
    api = (ROOT / "service" / "api" / "pipeline.py").read_text()
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    for part, deployment in deployments(render()).items():
        container = container_of(deployment)
        start, alive = container["startupProbe"], container["livenessProbe"]
        assert start["periodSeconds"] * start["failureThreshold"] == 3600, part
        assert deployment["spec"]["progressDeadlineSeconds"] > 3600, part
        assert alive["exec"]["command"][-1] == "exec " + re.findall(r"HEALTHCHECK .* CMD (.*)", image)[0]
        assert ("readinessProbe" in container) == (part == "api")
    api_container = container_of(deployments(render())["api"])
    ports = {port["name"]: port["containerPort"] for port in api_container["ports"]}
    assert ports == {"http": 8000, "ops": 8001}
    asked = api_container["startupProbe"]["httpGet"], api_container["readinessProbe"]["httpGet"]
    assert asked == ({"path": "/readyz", "port": "ops"}, {"path": "/healthz", "port": "http"})
    assert 'Route("/readyz"' in ops and '"/healthz"' in api


def test_two_releases_share_nothing_in_one_namespace() -> None:
    one, other = render(EVERYTHING, release="news"), render(EVERYTHING, release="forum")
    names = [{(manifest["kind"], manifest["metadata"]["name"]) for manifest in side} for side in (one, other)]
    assert not names[0] & names[1] and len(names[0]) == len(one)
    assert len({manifest["metadata"]["name"] for manifest in deployments(one).values()}) == 7
    for manifest in one:
        selector = manifest["spec"].get("podSelector", manifest["spec"].get("selector"))
        if manifest["kind"] == "Service":
            selector = {"matchLabels": selector}
        if selector is not None and manifest["kind"] != "ServiceMonitor":
            assert selected(selector, one) and not selected(selector, other), manifest["metadata"]["name"]
    asked = json.dumps(of_kind(one, "ScaledObject"))
    assert "news-brigadewatch-ops" in asked and "forum" not in asked


def test_names_of_long_releases_fit() -> None:
    for manifest in render(EVERYTHING, release="a-name-of-fifty-three-characters-which-is-the-longest"):
        assert len(manifest["metadata"]["name"]) <= 63


def test_every_pod_has_one_network_policy_and_inner_ones_reach_the_stores_alone() -> None:
    manifests = render(EVERYTHING)
    reached: dict[str, list[Manifest]] = {}
    for policy in of_kind(manifests, "NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for name in selected(policy["spec"]["podSelector"], manifests):
            reached.setdefault(name, []).append(policy["spec"])
    assert {name: len(found) for name, found in reached.items() if len(found) != 1} == {}
    assert len(reached) == len(deployments(manifests))
    for name, (policy,) in reached.items():
        outgoing = name.endswith(("-api", "-deliver", "-chores"))
        ports = [port["port"] for rule in policy["egress"] for port in rule.get("ports", [])]
        assert ports == [53, 53, 5353, 5353, 6380, 5432, *([587] if outgoing else [])], name
        open_to_all = [rule for rule in policy["egress"] if "0.0.0.0/0" in json.dumps(rule)]
        assert len(open_to_all) == int(outgoing), name
        assert all("169.254.0.0/16" in rule["to"][0]["ipBlock"]["except"] for rule in open_to_all)
        assert len(policy["ingress"]) == (2 if name.endswith("-api") else 0), name


def test_where_pods_have_ipv6_alone_the_api_listens_there_and_stores_are_reached() -> None:
    manifests = render(CHART / "ci" / "ipv6.yaml")
    assert container_of(deployments(manifests)["api"])["args"].count("::") == 2
    assert "REDIS_PASSWORD_FILE" not in environment_of(deployments(manifests)["api"])
    policy = of_kind(manifests, "NetworkPolicy")[0]["spec"]
    assert [rule["ports"][0]["port"] for rule in policy["egress"] if "ports" in rule] == [53, 6379, 5432]
    assert '"64:ff9b::/96"' in json.dumps(policy)  # NAT64


def test_stopped_means_that_nothing_runs_and_nothing_starts_it_again() -> None:
    manifests = render(CHART / "ci" / "stopped.yaml")
    assert {manifest["spec"]["replicas"] for manifest in deployments(manifests).values()} == {0}
    assert not of_kind(manifests, "ScaledObject") and not of_kind(manifests, "HorizontalPodAutoscaler")


def test_an_autoscalers_number_is_not_set_back_by_an_upgrade() -> None:
    manifests = render(EVERYTHING)
    scaled = {part_of(one) for kind in ("ScaledObject", "HorizontalPodAutoscaler") for one in of_kind(manifests, kind)}
    assert scaled == {"api", "worker-ingest", "worker-detect", "worker-sweep"}
    assert {part for part, one in deployments(manifests).items() if "replicas" not in one["spec"]} == scaled
    for one in of_kind(manifests, "ScaledObject"):
        (trigger,) = one["spec"]["triggers"]
        assert trigger["metadata"]["ignoreNullValues"] == "false"
        assert one["spec"]["scaleTargetRef"]["name"] == f"bw-brigadewatch-{part_of(one)}"


def test_a_node_is_drained_one_process_of_several_at_a_time_and_single_ones_do_not_hold_it_up() -> None:
    workers = {"worker-ingest", "worker-detect", "worker-sweep", "worker-deliver"}
    for values, several in ((MINIMAL, {"api"}), (EVERYTHING, {"api", *workers})):
        manifests = render(values)
        budgets = of_kind(manifests, "PodDisruptionBudget")
        assert {part_of(budget) for budget in budgets} == several
        assert {budget["spec"]["maxUnavailable"] for budget in budgets} == {1}


def test_only_the_api_has_old_and_new_processes_beside_each_other() -> None:
    for part, deployment in deployments(render(EVERYTHING)).items():
        strategy = deployment["spec"]["strategy"]
        assert strategy["type"] == ("RollingUpdate" if part == "api" else "Recreate")


def test_numbers_of_a_values_file_reach_the_service_as_they_are_written() -> None:
    from service.settings import read_settings

    variables = environment_of(deployments(render(EVERYTHING))["api"])
    assert variables["BRIGADEWATCH_MAX_BODY_BYTES"] == "8388608" and variables["BRIGADEWATCH_RATE_PER_TENANT"] == "0.5"
    assert "BRIGADEWATCH_LOG_LEVEL" not in variables
    plain = {name: value for name, value in variables.items() if not name.endswith("_FILE")}
    settings = read_settings(environ={**plain, "BRIGADEWATCH_SMTP_PASSWORD": "x"})
    assert settings.max_body_bytes == 8_388_608 and settings.smtp is not None and settings.smtp.port == 587
