"""What `make compose` goes by: lines of the workers' logs, who ticked when, and that a machine without an engine is
told so.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.demo.campaigns import CAMPAIGNS
from service.demo.world import draw_world
from service.logs import Logfmt

DEPLOY = Path(__file__).parents[2] / "deploy"
sys.path.insert(0, str(DEPLOY))

from compose_stack import Failed, fields_of  # noqa: E402
from try_compose import found_campaigns, overlaps  # noqa: E402


def test_the_log_line_of_a_worker_is_parsed_correctly() -> None:
    record = logging.LogRecord("job", logging.INFO, "", 0, "job", None, None)
    record.facts = {"work": "detect", "tenant": "news", "result": "done", "seconds": 0.25, "because": 'a "word" = x'}
    fields = fields_of(Logfmt("worker-detect").format(record))
    assert (fields["work"], fields["tenant"], fields["result"], fields["seconds"]) == ("detect", "news", "done", "0.25")
    assert fields["process"] == "worker-detect" and "time" in fields


def test_overlapping_ticks_of_a_tenant_are_found_and_consecutive_ones_are_not() -> None:
    after = [("a", "first", 0.0, 1.0), ("b", "second", 0.5, 1.5), ("a", "second", 1.1, 2.0), ("a", "first", 2.1, 3.0)]
    assert overlaps(after) == 0
    assert overlaps([*after, ("a", "second", 2.5, 2.6)]) == 1
    assert overlaps([("a", "first", 0.0, 5.0), ("a", "first", 1.0, 2.0), ("a", "second", 4.0, 4.5)]) == 1


def test_a_missing_campaign_is_an_error_and_honest_clusters_are_counted() -> None:
    world = draw_world(5, 9_000)
    planted = {
        plan.name: frozenset(account for account, name in world.campaign_by_account.items() if name == plan.name)
        for plan in CAMPAIGNS
    }
    groups = frozenset((members, frozenset({"t"})) for members in planted.values())
    assert found_campaigns(groups, world) == 0
    assert found_campaigns(groups | {(frozenset({"reader-1", "reader-2"}), frozenset({"t"}))}, world) == 1
    with pytest.raises(Failed, match="slow brigade"):
        found_campaigns(frozenset(group for group in groups if group[0] != planted["slow brigade"]), world)


def test_without_a_docker_engine_it_prints_a_message_and_exits_with_3(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "try_compose.py")],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert done.returncode == 3
    assert done.stdout.startswith("not run: neither `docker compose` nor `docker-compose` is installed")
