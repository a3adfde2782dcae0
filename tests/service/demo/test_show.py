"""The whole demo: real processes, a small world, what it prints, and that Ctrl-C leaves nothing behind."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from service.demo.documents import World
from service.demo.show import planted, protected_target


def test_the_demo_flags_the_brigade_holds_a_removal_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        demo = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "demo", "--complaints", "9000", "--seed", "1"],
            stdout=file,
            stderr=file,
        )
    try:
        deadline = time.monotonic() + 110
        while "Press Ctrl-C to stop." not in out.read_text():
            assert demo.poll() is None, out.read_text()
            assert time.monotonic() < deadline, out.read_text()
            time.sleep(0.2)
        children = psutil.Process(demo.pid).children(recursive=True)
        printed = out.read_text()
        for line in re.findall(r"^curl .*$", printed, re.MULTILINE):
            _, _, header, url = shlex.split(line)
            name, _, value = header.partition(": ")
            assert httpx.get(url, headers={name: value}).status_code == 200
        sign_in_as_printed(printed)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
    finally:
        demo.kill()
        demo.wait()
    assert "tight brigade: 25 of 25 accounts flagged" in printed
    # The world ends now, and the hour decides which comments the attack under way takes. In 6 of the day's 96 quarters
    # one reader's only two complaints are about two of them, and that reader is taken for a member; in none are two.
    honest = re.search(r"other honest accounts flagged: (\d+) ", printed)
    assert honest is not None
    assert int(honest[1]) <= 1
    assert "recommendation: hold" in printed
    assert len(re.findall(r"^curl ", printed, re.MULTILINE)) == 2
    assert not psutil.wait_procs(children, timeout=5)[1]
    folder = re.search(r"^data +(\S+)$", printed, re.MULTILINE)
    assert folder is not None
    assert not Path(folder[1]).exists()


def sign_in_as_printed(printed: str) -> None:
    """Sign in with both accounts at the printed address and reach the queue of cases."""
    address = re.search(r"^console +(http://127\.0\.0\.1:\d+/console)\b", printed, re.MULTILINE)
    people = dict(re.findall(r"^ +(demo-\w+) +(\S+)$", printed, re.MULTILINE))
    assert address is not None
    assert sorted(people) == ["demo-admin", "demo-moderator"]
    for name, password in people.items():
        with httpx.Client(follow_redirects=True) as browser:
            form = re.search(r'name="csrf" value="([^"]+)"', browser.get(address[1]).text)
            assert form is not None
            cases = browser.post(
                f"{address[1]}/sign-in", data={"csrf": form[1], "tenant": "default", "name": name, "password": password}
            )
            assert cases.url.path == "/console/clusters"
            assert f">{name}<" in cases.text


def test_the_printed_target_is_the_held_one_with_most_complaints_that_are_not_independent() -> None:
    def assessment(name: str, complaints: int, independent: float, recommendation: str) -> dict[str, object]:
        return {
            "target_id": name,
            "complaints": complaints,
            "independent_complaints": independent,
            "recommendation": recommendation,
        }

    found = protected_target(
        [assessment("a", 40, 38.0, "review"), assessment("b", 20, 4.0, "hold"), assessment("c", 12, 1.0, "hold")]
    )
    assert found is not None
    assert found["target_id"] == "b"
    assert protected_target([assessment("a", 40, 38.0, "review")]) is None


def test_each_cluster_is_labelled_with_what_its_accounts_were_planted_as() -> None:
    world = World(campaign_by_account={"u1": "slow brigade", "u2": "slow brigade"})
    assert planted(world, ["u1", "u2", "u3"]) == "slow brigade: 2, honest readers: 1"


@pytest.mark.parametrize("complaints", ["8999", "many"])
def test_a_demo_too_small_for_its_campaigns_exits_with_2(complaints: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "demo", "--complaints", complaints], capture_output=True, text=True
    )
    assert done.returncode == 2
