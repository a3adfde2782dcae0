"""The chart and docker-compose.yml start the same processes, in the same way: whoever changes one changes the other."""

from __future__ import annotations

import re
from typing import Any

import yaml
from helm_chart.rendered import (
    CHART,
    EVERYTHING,
    MINIMAL,
    ROOT,
    container_of,
    deployments,
    environment_of,
    of_kind,
    part_of,
    pod_of,
    render,
    selects,
)

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECOND = yaml.safe_load((ROOT / "deploy" / "second-host.yml").read_text())
OURS: dict[str, Any] = {
    name: service
    for name, service in COMPOSE["services"].items()
    if "brigadewatch_secret_key" in service.get("secrets", [])
}
# Compose empties these, since a file has the secret; uvicorn reads the last one itself.
IN_A_FILE = {"BRIGADEWATCH_SECRET_KEY", "BRIGADEWATCH_SMTP_PASSWORD"}
OF_UVICORN = {"FORWARDED_ALLOW_IPS"}
UNITS = {"g": "Gi", "m": "Mi"}


def default_of(text: object) -> str:
    """What Compose puts in place of ${NAME:-default}."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(text))


def seconds(text: str) -> int:
    """20s as a number."""
    return int(text.removesuffix("s"))


def test_the_same_processes_are_started_with_the_same_commands() -> None:
    assert {part: container_of(one)["args"] for part, one in deployments(render()).items()} == {
        name: service["command"] for name, service in OURS.items()
    }


def test_each_has_the_same_memory_user_and_room_to_write_and_as_long_to_end() -> None:
    for part, one in deployments(render()).items():
        service, pod, container = OURS[part], pod_of(one), container_of(one)
        limit = default_of(service["mem_limit"])
        assert container["resources"]["limits"] == {"memory": limit[:-1] + UNITS[limit[-1]]}, part
        assert pod["terminationGracePeriodSeconds"] >= seconds(service["stop_grace_period"]), part
        assert str(pod["securityContext"]["runAsUser"]) == service["user"], part
        (path, size) = service["tmpfs"][0].split(":size=")
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert mounts[path]["emptyDir"] == {"medium": "Memory", "sizeLimit": size[:-1] + UNITS[size[-1]]}, part
        assert service["volumes"] == ["data:/data"] and "/data" in mounts, part


def test_a_process_asks_for_no_more_memory_than_it_may_have_and_for_no_less_than_it_takes_at_rest() -> None:
    """At rest: the figures of the test run in docs/deploy.md."""
    (row,) = re.findall(r"memory after that, MiB \| (.*) \|", (ROOT / "docs" / "deploy.md").read_text())
    at_rest = {name: int(size) for name, size in re.findall(r"([a-z-]+) (\d+)", row)}
    for part, one in deployments(render()).items():
        resources = container_of(one)["resources"]
        asked, limit = (resources[kind]["memory"] for kind in ("requests", "limits"))
        assert at_rest[part] <= int(asked.removesuffix("Mi")) <= int(limit[:-2]) * (1024 if limit[-2:] == "Gi" else 1)


def test_every_variable_of_compose_can_be_set_and_no_other() -> None:
    """A new setting of the service: add it to `settings` in values.yaml and values.schema.json of the chart."""
    settings = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    given = {name for part in deployments(render(EVERYTHING)).values() for name in environment_of(part)}
    for name, service in OURS.items():
        assert given | settings.keys() == service["environment"].keys() - IN_A_FILE, name
        assert all(service["environment"][variable] == "" for variable in IN_A_FILE), name
    assert SECOND["services"]["worker-detect"]["environment"].keys() <= given | settings.keys()


def test_every_variable_is_one_that_the_service_reads() -> None:
    read = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', (ROOT / "service" / "settings.py").read_text()))
    settings = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    given = {name for part in deployments(render(EVERYTHING)).values() for name in environment_of(part)}
    assert given >= {"REDIS_URL", "DATABASE_URL", "BRIGADEWATCH_SECRET_KEY_FILE"}
    assert given | settings.keys() <= read | OF_UVICORN


def test_all_processes_have_the_same_settings() -> None:
    first, *others = (environment_of(one) for one in deployments(render(EVERYTHING)).values())
    assert all(other == first for other in others)


def test_the_same_processes_have_a_way_out() -> None:
    """In Compose those on a network that is not internal; the API is on one since it is published."""
    inside = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    out = {name for name, service in OURS.items() if set(service["networks"]) - inside}
    manifests = render(MINIMAL)
    found = {
        part
        for policy in of_kind(manifests, "NetworkPolicy")
        for part, one in deployments(manifests).items()
        if selects(policy["spec"]["podSelector"], one["spec"]["template"]["metadata"]["labels"])
        and "0.0.0.0/0" in str(policy["spec"]["egress"])
    }
    assert found == out


def test_what_runs_on_a_second_host_may_be_several_here() -> None:
    scaled = {part_of(one) for one in of_kind(render(EVERYTHING), "ScaledObject")}
    assert SECOND["services"].keys() <= scaled


def test_every_queue_has_a_worker() -> None:
    from service.storage.redis_store.job_kinds import QUEUES

    assert deployments(render()).keys() == {"api", "clock", *(f"worker-{queue}" for queue in QUEUES)}
