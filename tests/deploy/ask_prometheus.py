"""Run every expression of the rules and dashboards in a real Prometheus, with our configuration and a working service.

`make prometheus` runs it. The exit code is 1 when an expression fails, or has no data where it should.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from console_installation import Installation, town
from expressions import DEPLOY, Expression, expressions, rules
from listening import free_port
from worked import ask, worked

SCRAPES = 20  # before any query: one per second, so that rates have enough data


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """A Prometheus with deploy/prometheus that scrapes the target every second instead of every 15."""
    shutil.copytree(DEPLOY / "prometheus", folder / "config")
    config = folder / "config" / "prometheus.yml"
    config.write_text(config.read_text().replace("15s", "1s"))
    (folder / "config" / "targets" / "api.yml").write_text(f'- targets: ["{target}"]\n')
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    process = subprocess.Popen(command)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=20) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def query(client: httpx.Client, path: str, **parameters: str) -> Any:
    """The data of an answer. Raises RuntimeError with the message of Prometheus."""
    answer = client.get(path, params=parameters).json()
    if answer["status"] != "success":
        raise RuntimeError(f"{answer['errorType']}: {answer['error']}")
    return answer["data"]


def wait_for_scrapes(client: httpx.Client, installation: Installation) -> None:
    """Wait for enough scrapes, with traffic meanwhile."""
    tenant, deadline, later = installation.tenants["news"], time.monotonic() + 120, iter(town(6, brigades=1))
    with installation.client(tenant) as visitor:
        while True:
            try:
                found = query(client, "/query", query='count_over_time(up{job="brigadewatch"}[10m])')["result"]
                if found and float(found[0]["value"][1]) >= SCRAPES:
                    return
            except (httpx.TransportError, ValueError):
                pass  # it starts
            if time.monotonic() > deadline:
                raise RuntimeError("Prometheus did not scrape within two minutes")
            ask(visitor)
            installation.send(
                tenant,
                "complaints",
                [document | {"id": f"later-{document['id']}"} for document in (next(later) for _ in range(20))],
            )
            time.sleep(0.5)


def fault(client: httpx.Client, expression: Expression) -> str | None:
    """What is wrong with the answer; None if nothing is."""
    try:
        found = query(client, "/query", query=expression.query)
    except RuntimeError as error:
        return str(error)
    values = (
        [float(found["result"][1])]
        if found["resultType"] == "scalar"
        else [float(series["value"][1]) for series in found["result"]]
    )
    if all(math.isnan(value) for value in values) and not expression.may_be_empty:
        return "no data"
    return None


def main() -> int:
    """The exit code."""
    if shutil.which("prometheus") is None:
        sys.stderr.write("prometheus is not installed (Debian: apt-get install prometheus): make prometheus needs it\n")
        return 3
    with (
        tempfile.TemporaryDirectory() as name,
        worked(Path(name) / "service") as installation,
        prometheus(Path(name), urlsplit(installation.up.ops).netloc) as client,
    ):
        began = time.monotonic()
        wait_for_scrapes(client, installation)
        everything = expressions()
        faults = {f"{one.place}: {one.text}": why for one in everything if (why := fault(client, one))}
        states = [rule for group in query(client, "/rules")["groups"] for rule in group["rules"]]
        faults |= {
            f"rule {rule['name']}": rule.get("lastError", "not evaluated") for rule in states if rule["health"] != "ok"
        }
        if len(states) != len(rules()):
            faults["rules"] = f"{len(states)} of {len(rules())} rules were loaded"
        firing = sorted(
            {alert["labels"]["alertname"] for alert in query(client, "/alerts")["alerts"] if alert["state"] == "firing"}
        )
        series = query(client, "/query", query='count({__name__=~"brigadewatch_.*"})')["result"][0]["value"][1]
        size = query(client, "/query", query='max(scrape_samples_scraped{job="brigadewatch"})')["result"][0]["value"][1]
        took = query(client, "/query", query='max(max_over_time(scrape_duration_seconds{job="brigadewatch"}[5m]))')[
            "result"
        ][0]["value"][1]
    with_data = sum(not one.may_be_empty for one in everything)
    sys.stdout.write(
        f"{len(everything)} expressions queried ({with_data} must have data, the others are conditions), {len(states)}"
        f" rules evaluated, {len(faults)} faults\n{series} series of brigadewatch, {size} samples per scrape, the"
        f" slowest scrape took {float(took) * 1e3:.0f} ms; {SCRAPES} scrapes in {time.monotonic() - began:.0f} s\n"
        f"alerts that fired: {', '.join(firing) or 'none'}\n",
    )
    for place, why in faults.items():
        sys.stdout.write(f"FAULT {place}\n      {why}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
