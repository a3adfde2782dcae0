"""What the tests in a browser share: one running service with its tenants, one Chromium, and visitors of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import console_installation
import pytest
from console_browser import Visitor, chromium
from console_installation import PASSWORD, Installation, hostile_town, town
from playwright.sync_api import Browser

from bench.large_case import plant
from service.demo.world import draw_world_until

__all__ = ["chromium"]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("e2e")
            item.add_marker(pytest.mark.timeout(300))  # the first one waits for the service and its world


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The service with the demo's world as `default`, and tenants of several cases each, for tests that change them."""
    running, end = console_installation.start(tmp_path_factory.mktemp("console"))
    try:
        # as the demo does
        world = draw_world_until(7, 9_000, datetime.now(UTC))
        running.add("default", world.complaints, outcomes=world.outcomes, least_cases=3)
        for seed, name in enumerate(("triage", "shared", "bulk")):
            running.add(name, town(seed, brigades=8), least_cases=6)
        running.add("hostile", hostile_town(5), least_cases=1)
        plant(running.engine, running.add("large", []).id)
        running.wait()
        yield running
    finally:
        end()


@pytest.fixture
def visitor(installation: Installation, chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes a person's browser (`theme`, `width`); signs them in where a name and a tenant are given.

    Checked for troubles at the end.
    """
    made: list[Visitor] = []
    with ExitStack() as stack:

        def make(name: str | None = None, tenant: str = "default", **how: Any) -> Visitor:
            person = stack.enter_context(Visitor(chromium, installation.base, **how))
            made.append(person)
            if name is not None:
                person.sign_in(name, PASSWORD, tenant)
            return person

        yield make
    for person in made:
        person.check()
