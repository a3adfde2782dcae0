"""What tests share: a migrated database (`--database postgresql` for the other one), a fake Redis, a real server
once a session (`--redis=PATH` for another one), and the API in this process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fakeredis
import httpx
import pytest
import redis
import redis.asyncio
from postgres_server import Databases, PostgresServer
from redis_process import RedisProcess, use_program
from sqlalchemy import Engine

from service.app import create_app
from service.settings import Settings, read_settings
from service.storage.accounts.secret_box import SECRET_NAME
from service.storage.accounts.tenants import create_key, create_tenant
from service.storage.redis_store.client import connect
from service.storage.redis_store.redis_identity import agree, user_of
from service.storage.sql.engine import migrate, open_database

NOW_US = 1_795_000_000_000_000


@dataclass
class RedisClients:
    """A blocking and an asyncio client of one server, and the loop that the latter lives on."""

    blocking: Any
    asyncio: Any
    loop: asyncio.AbstractEventLoop
    url: str | None  # None: no server that another client could connect to

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)


class Line:
    """What a server puts before the app: hands over the path as it was sent, past what a client normalises."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.raw_path: bytes | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.raw_path is not None:
            scope = {**scope, "raw_path": self.raw_path, "path": unquote(self.raw_path)}
        await self._app(scope, receive, send)


@dataclass
class Api:
    """The API in this process, called as a client would."""

    app: Any
    line: Line
    client: httpx.AsyncClient
    redis: RedisClients
    engine: Engine
    settings: Settings
    keys: dict[tuple[str, frozenset[str]], str] = field(default_factory=dict)

    def key(self, tenant: str = "default", *scopes: str) -> str:
        """A key of the tenant (made on the way) with these scopes, all of them unless told."""
        wanted = frozenset(scopes or ("ingest", "read", "moderate", "admin"))
        if tenant not in {name for name, _ in self.keys}:
            create_tenant(self.engine, tenant, NOW_US)
        if (tenant, wanted) not in self.keys:
            self.keys[tenant, wanted] = create_key(self.engine, tenant, wanted, "test", NOW_US)
        return self.keys[tenant, wanted]

    def request(
        self,
        method: str,
        path: str,
        *,
        tenant: str = "default",
        key: str | None = None,
        raw_path: bytes | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """One call with the tenant's key; `raw_path` goes out as it is, past the client's own normalising.

        The same X-Request-ID each time: answers can be compared.
        """
        headers = {
            "X-Request-ID": "test",
            "Authorization": f"Bearer {self.key(tenant) if key is None else key}",
            **arguments.pop("headers", {}),
        }
        self.line.raw_path = raw_path
        answer: httpx.Response = self.redis.run(self.client.request(method, path, headers=headers, **arguments))
        return answer

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help=(
            "where the tests keep their tables; postgresql: on the server that DATABASE_URL names, without one on a"
            " server of their own"
        ),
    )
    parser.addoption(
        "--redis",
        metavar="PATH",
        help=(
            "the Redis or Valkey server to test with, in one word (--redis=PATH: pytest looks for its configuration"
            " beside a path that stands alone); default: the packaged Valkey (tests/redis_servers finds others)"
        ),
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--redis"):
        use_program(config.getoption("--redis"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    used = config.getoption("--database")
    for item in items:
        for marker in item.iter_markers("only_on"):
            database, why = marker.args
            if database != used:
                item.add_marker(pytest.mark.skip(reason=f"on {database} alone: {why}"))


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Iterator[Databases | None]:
    """Where databases are made on PostgreSQL; None: the tests run on SQLite."""
    if request.config.getoption("--database") != "postgresql":
        yield None
        return
    with ExitStack() as stack:
        address = os.environ.get("DATABASE_URL", "")
        if not address.startswith("postgresql"):
            server = PostgresServer()
            stack.callback(server.stop)
            address = server.address("postgres")
        made = Databases(address)
        stack.callback(made.close)
        yield made


@pytest.fixture(scope="session")
def template(databases: Databases | None) -> Iterator[str]:
    """The name of a migrated database, to copy."""
    assert databases is not None
    name = databases.create()
    engine = open_database(databases.url(name))
    migrate(engine)
    engine.dispose()
    yield name
    databases.drop(name)


@pytest.fixture(scope="session")
def make_database(
    request: pytest.FixtureRequest, databases: Databases | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., str]]:
    """Makes a database: its URL. `migrated`: with the newest schema; on SQLite that is left to whoever opens it."""
    made: list[str] = []

    def make(*, migrated: bool = False) -> str:
        if databases is None:
            return f"sqlite:///{tmp_path_factory.mktemp('database') / 'b.sqlite3'}"
        made.append(databases.create(request.getfixturevalue("template") if migrated else None))
        return databases.url(made[-1])

    yield make
    for name in made:
        assert databases is not None
        databases.drop(name)


@pytest.fixture
def settings(
    tmp_path: Path, databases: Databases | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A data folder of the test's own, and a database: a file in the folder, or one on PostgreSQL that is migrated
    already (commands find it, too).
    """
    if databases is None:
        yield read_settings(tmp_path / "data", {})
    else:
        name = databases.create(request.getfixturevalue("template"))
        monkeypatch.setenv("DATABASE_URL", databases.url(name))
        yield read_settings(tmp_path / "data", {"DATABASE_URL": databases.url(name)})
        databases.drop(name)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A migrated database of the test's own, beside the secret key that `up` would have made."""
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / SECRET_NAME).write_text("5e" * 32)
    opened = open_database(settings.database_url)
    migrate(opened)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A real server, for the session; empty it with the fixture `valkey_url`."""
    server = RedisProcess(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey_server: RedisProcess) -> str:
    """The URL of the real server, emptied."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


@pytest.fixture
def fake_redis(loop: asyncio.AbstractEventLoop) -> Iterator[RedisClients]:
    """fakeredis, both kinds of client on one pretended server."""
    server = fakeredis.FakeServer()
    clients = RedisClients(fakeredis.FakeRedis(server=server), fakeredis.FakeAsyncRedis(server=server), loop, url=None)
    yield clients
    clients.run(clients.asyncio.aclose())
    clients.blocking.close()


@pytest.fixture
def real_redis(valkey_url: str, loop: asyncio.AbstractEventLoop) -> Iterator[RedisClients]:
    """The real server, emptied."""
    clients = RedisClients(redis.Redis.from_url(valkey_url), connect(valkey_url, 10.0), loop, url=valkey_url)
    yield clients
    clients.run(clients.asyncio.aclose())
    clients.run(clients.asyncio.connection_pool.disconnect())
    clients.blocking.close()


@pytest.fixture(params=["fake", "real"])
def clients(request: pytest.FixtureRequest) -> RedisClients:
    """Either: what has to hold on every adapter is tested with this one."""
    found: RedisClients = request.getfixturevalue(f"{request.param}_redis")
    return found


@pytest.fixture
def make_api(settings: Settings, engine: Engine, loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Api]]:
    """Makes the API on given Redis clients (and other settings than the default ones)."""
    made: list[tuple[Api, Any]] = []

    def make(clients: RedisClients, used: Settings = settings) -> Api:
        if clients.blocking is not None:
            agree(engine, clients.blocking, user_of(used))  # as `brigadewatch api` does before it starts
        app = create_app(used, engine=engine, redis=clients.asyncio)
        lifespan = app.router.lifespan_context(app)
        clients.run(lifespan.__aenter__())
        line = Line(app)
        transport = httpx.ASGITransport(line, raise_app_exceptions=False)
        api = Api(
            app, line, httpx.AsyncClient(transport=transport, base_url="http://testserver"), clients, engine, used
        )
        made.append((api, lifespan))
        return api

    yield make
    for api, lifespan in made:
        api.redis.run(api.client.aclose())
        api.redis.run(lifespan.__aexit__(None, None, None))


@pytest.fixture
def api(make_api: Callable[..., Api], fake_redis: RedisClients) -> Api:
    """The API on fakeredis."""
    return make_api(fake_redis)
