"""Real WordPress sites with the plugin: the two newest branches that can be had, behind PHP's own server and behind
nginx with PHP-FPM, as a single site and as a network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_browser import chromium
from up import Up, make_key
from wordpress.programs import SUITES, core, missing
from wordpress.servers import BuiltIn, Database, Nginx
from wordpress.site import Site

__all__ = ["chromium"]
NEWEST, BEFORE = SUITES
KINDS = {
    "newest, nginx": (NEWEST, Nginx, False),
    "before, PHP's server, network": (BEFORE, BuiltIn, True),
    "newest, PHP's server, network": (NEWEST, BuiltIn, True),
    "before, nginx": (BEFORE, Nginx, False),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.wordpress)
            # Two processes (-n 2 --dist loadgroup) share the kinds of site, so that none is installed twice.
            kind = next((kind for kind in KINDS if kind in item.name), None)
            item.add_marker(pytest.mark.xdist_group(kind or item.path.name))


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    absent = missing()
    assert not absent, f"make wordpress installs what is missing here: {absent}"
    made = Database(tmp_path_factory.mktemp("mariadb"))
    yield made
    made.end()


@pytest.fixture(scope="session")
def sites(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """One of each kind that was asked for so far."""
    made: dict[str, Site] = {}
    yield made
    for one in made.values():
        one.end()


@pytest.fixture
def ready(
    sites: dict[str, Site], database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Site]]:
    """Makes a site of a kind ready: its service is a port at which nobody listens, so that what it queues can be looked
    at. In the end nothing may stand in PHP's log.
    """
    used: list[Site] = []

    def make(kind: str) -> Site:
        if kind not in sites:
            suite, server, network = KINDS[kind]
            folder, name = tmp_path_factory.mktemp("wordpress"), f"wp{len(sites)}"
            sites[kind] = Site(folder, core(suite), database, name, server, multisite=network)
            sites[kind].activate()
        used.append(sites[kind])
        sites[kind].start_over()
        return sites[kind]

    yield make
    for one in used:
        one.close_browsers()
        assert one.log() == "", one.log()


@pytest.fixture(params=["newest, nginx", "before, PHP's server, network"])
def site(request: pytest.FixtureRequest, ready: Callable[[str], Site]) -> Site:
    """One of the newest branch, and one of the branch before it."""
    return ready(request.param)


@pytest.fixture(params=list(KINDS))
def any_site(request: pytest.FixtureRequest, ready: Callable[[str], Site]) -> Site:
    """One of each kind."""
    return ready(request.param)


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running brigadewatch."""
    folder: Path = tmp_path_factory.mktemp("brigadewatch")
    started = Up(str(folder / "data"), folder / "up.log")
    yield started
    if started.process.poll() is None:
        started.process.terminate()
        started.process.wait(30)


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """The name of a tenant of the test's own."""
    return "wp-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


@pytest.fixture
def key(up: Up, tenant: str) -> str:
    """A key of this tenant."""
    return make_key(up.data, "ingest", "read", "forget", tenant=tenant)
