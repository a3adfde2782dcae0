"""Fuzz the whole API of a running service, and every parser of outside input.

    python tests/fuzz [--quick] [--seed 1] [--only openapi|parsers|tables]

openapi: schemathesis tests the OpenAPI document with all of its checks against a running `brigadewatch up` with a small
world: with a key of each scope, with one of all scopes, and without a key. No answer may be a server error,
undocumented, or different from its documented schema. parsers: the properties in tests/fuzz/test_*.py, with many more
cases than `make test` uses. tables: known rows, written as people's files and damaged (tests/fuzz/tables.py). All
print the number of cases. Exit code 0: no failures; 1: at least one failure.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import httpx  # noqa: E402  (the test folders are not packages)
from up import Up, make_key  # noqa: E402

from service.demo.world import draw_world  # noqa: E402

SCOPES = ("ingest", "read", "moderate", "forget", "admin")
COMPLAINTS = 3_000  # of the world: enough for some clusters
# by --quick: cases per operation with all scopes and with one; cases per property
CASES = {
    False: {"all": 200, "one": 40, "parser": 5_000, "table": 1_000_000},
    True: {"all": 12, "one": 4, "parser": 100, "table": 20_000},
}
QUIET_SECONDS = 180.0


KNOWN = """
[[operations]]
include-path-regex = "^/v1/{noun}/\\\\{{id\\\\}}"
parameters = {{ id = "{id}" }}
"""


def fill(up: Up, key: str) -> tuple[int, str]:
    """Post a world and wait until it is analysed. Returns the number of clusters, and existing ids as configuration for
    schemathesis.
    """
    world = draw_world(7, COMPLAINTS)
    with httpx.Client(base_url=up.api, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        for path, documents in (("/v1/complaints", world.complaints), ("/v1/outcomes", world.outcomes)):
            for start in range(0, len(documents), 1_000):
                client.post(path, json=documents[start : start + 1_000]).raise_for_status()
        subscription = (
            client.post(
                "/v1/subscriptions", json={"url": "https://receiver.example/hook", "events": ["cluster.decided"]}
            )
            .raise_for_status()
            .json()["id"]
        )
        up.wait(
            lambda: (
                (state := client.get("/v1/pipeline").json())["pending"] == 0
                and state["swept_position"] == state["analysed_position"]
            ),
            QUIET_SECONDS,
        )
        found = [
            cluster["id"] for cluster in client.get("/v1/clusters?disposition=any&status=any&limit=100").json()["items"]
        ]
        known = {
            "clusters": found[0],
            "subscriptions": subscription,
            "reporters": "nobody",
            "targets": world.complaints[0]["target"]["id"],
        }
        return len(found), "".join(KNOWN.format(noun=noun, id=identifier) for noun, identifier in known.items())


def openapi(quick: bool, seed: int) -> bool:
    """Run schemathesis with every kind of key; returns whether there were no failures."""
    with tempfile.TemporaryDirectory(prefix="brigadewatch-fuzz-") as folder:
        data = f"{folder}/data"
        up = Up(data, Path(folder) / "up.log")
        try:
            # A separate tenant each, since one key's erasures would affect the examples of another.
            everything = make_key(data, *SCOPES)
            count, known = fill(up, everything)
            print(f"openapi: {count} clusters in the service", flush=True)
            config = Path(folder) / "known.toml"
            config.write_text((HERE / "schemathesis.toml").read_text() + known)
            search = Search(up, quick, seed, folder)
            good = search.run("all scopes", everything)
            good &= search.run("all scopes, existing ids", everything, config=config)
            for scope in SCOPES:
                good &= search.run(f"the scope {scope}", make_key(data, scope, tenant=scope), thorough=False)
            good &= search.run("no key", None, thorough=False)
            api_logs = "\n".join(
                path.read_text(errors="replace") for path in sorted((Path(data) / "logs").glob("*.log"))
            )
            failures = re.findall(r'^.*(?:level=error|"level": ?"error").*$', api_logs, re.MULTILINE)
            for line in failures[:10]:
                print(f"  error in a log: {line[:600]}")
            return good and not failures
        finally:
            up.process.terminate()
            up.process.wait(30)


@dataclass(frozen=True)
class Search:
    """Runs of schemathesis on one service."""

    up: Up
    quick: bool
    seed: int
    folder: str

    def run(
        self, name: str, key: str | None, *, thorough: bool = True, config: Path = HERE / "schemathesis.toml"
    ) -> bool:
        """Run schemathesis with this key; returns whether there were no failures.

        Not `thorough` is enough for keys whose calls are mostly refused, since other runs test what is behind that.
        """
        known = config.name == "known.toml"
        phases = (
            "examples,fuzzing"
            if self.quick and (known or not thorough)
            else "examples,coverage,fuzzing,stateful"
            if thorough
            else "examples,coverage,fuzzing"
        )
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--no-color",
            "--config-file",
            str(config),
            "run",
            f"{self.up.api}/openapi.json",
            "--seed",
            str(self.seed),
            "--max-examples",
            str(CASES[self.quick]["all" if thorough else "one"]),
            "--phases",
            phases,
            "--request-timeout",
            "30",
            "--continue-on-failure",
            *([] if key is None else ["--header", f"Authorization: Bearer {key}"]),
            # An erased reporter is rejected from then on, even in documented examples: only the key with nothing but
            # the scope admin erases.
            *(["--exclude-name", "DELETE /v1/reporters/{id}"] if thorough else []),
            *(
                [
                    "--include-path-regex",
                    r"^/v1/(clusters|subscriptions|reporters|targets)/\{id\}",
                    "--exclude-name",
                    "DELETE /v1/subscriptions/{id}",
                ]
                if known
                else []
            ),
        ]
        began = time.monotonic()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks", "COLUMNS": "200"},
        )
        found = re.search(r"(\d+) generated", done.stdout)
        print(
            f"openapi, {name}: {found[1] if found else 'no'} cases in {time.monotonic() - began:.0f} s:"
            f" {'no failures' if done.returncode == 0 else 'FAILED'}",
            flush=True,
        )
        if done.returncode != 0:
            for line in (done.stdout + done.stderr).splitlines():
                print(f"    {line[:400]}")
        return done.returncode == 0


def parsers(quick: bool, seed: int) -> bool:
    """Run the properties; returns whether all of them held."""
    environment = {**os.environ, "BRIGADEWATCH_FUZZ_CASES": str(CASES[quick]["parser"])}
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE),
        "--hypothesis-seed",
        str(seed),
        "-p",
        "no:cacheprovider",
        "--timeout",
        "3600",
        "-W",
        "ignore::hypothesis.errors.HypothesisWarning",
    ]
    return subprocess.run(command, cwd=REPOSITORY, env=environment).returncode == 0


def tables(quick: bool, seed: int) -> bool:
    """Read known rows from damaged files; returns whether nothing was lost or invented without a word."""
    command = [sys.executable, str(HERE / "tables.py"), "--cases", str(CASES[quick]["table"]), "--seed", str(seed)]
    return subprocess.run(command, cwd=REPOSITORY).returncode == 0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer cases: some minutes instead of hours")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random cases (default: %(default)s)")
    parser.add_argument("--only", choices=("openapi", "parsers", "tables"), help="run only this part (default: all)")
    options = parser.parse_args()
    parts = {"tables": tables, "parsers": parsers, "openapi": openapi}
    results = {name: part(options.quick, options.seed) for name, part in parts.items() if options.only in (None, name)}
    for name, good in results.items():
        print(f"{name}: {'no failures' if good else 'FAILED'}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
