"""The data folder: created by whichever command runs first, safely even if several run at once.

It holds the SQLite database (without DATABASE_URL), the secret key, the embedded Redis with its append-only file, the
logs of `up`, and while `up` runs the addresses of its Redis and API.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from service.errors import Refused, StoreUnavailable
from service.settings import Settings
from service.storage.accounts.secret_box import SECRET_NAME, SecretBox
from service.storage.sql.engine import migrate, open_database, schema_version, sqlite_file
from service.storage.sql.private_files import create_private, of_database, tighten, trees

_LOCK_NAME, _RUNNING_NAME, _REDIS_URL_NAME, _API_URL_NAME = ".lock", ".running", "redis.url", "api.url"


def prepare(settings: Settings, *, make_secret: bool = True, answer_seconds: float | None = None) -> Engine:
    """Create the folder, its secret key (unless BRIGADEWATCH_SECRET_KEY has one) and the schema where missing, and open
    the database.

    Concurrent callers wait for each other. `answer_seconds`: see open_database. Raises Refused when the folder cannot
    be created, and (NoSecretKey) when there is no secret key and `make_secret` is false; StoreUnavailable when the
    database does not answer.
    """
    if not make_secret:
        SecretBox(settings).check()
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(settings.data / _LOCK_NAME):
            if make_secret and not settings.secret_keys:
                _make_secret(settings.data / SECRET_NAME)
            tighten(_private(settings))
            engine = open_database(settings.database_url, answer_seconds)
            migrate(engine)
    except OSError as error:
        raise Refused(
            f"cannot use the data folder {settings.data}: {error.strerror or error}; choose another with --data or"
            " BRIGADEWATCH_DATA"
        ) from error
    return engine


def _private(settings: Settings) -> Iterator[Path]:
    """What other users of the machine may not read: named one by one, since the folder may hold strangers' files."""
    for name in (SECRET_NAME, _LOCK_NAME, _RUNNING_NAME, _REDIS_URL_NAME, _API_URL_NAME):
        yield settings.data / name
    yield from trees([settings.data / "redis", settings.data / "logs"])
    database = sqlite_file(settings.database_url)
    if database is not None:
        yield from of_database(database.resolve())


def open_existing(settings: Settings) -> Engine:
    """Open the database of an installation that exists, for commands that only read or change it. Creates neither
    folder nor file, table or key, wherever it is called; brings an older schema up to date.

    Raises Refused when there is none.
    """
    file = sqlite_file(settings.database_url)
    ways_out = (
        "; name the folder of the installation with --data or BRIGADEWATCH_DATA, or create one with `brigadewatch up`"
        " or `brigadewatch tenants create NAME`"
    )
    if file is not None and not file.is_file():
        raise Refused(f"there is no brigadewatch database {file}{ways_out}")
    engine = open_database(settings.database_url)
    if schema_version(engine) is None:
        engine.dispose()
        server = "; check DATABASE_URL, or create them with `brigadewatch tenants create NAME`"
        raise Refused(
            f"the database {file or engine.url.render_as_string(hide_password=True)} has no tables of brigadewatch"
            + (server if file is None else ways_out)
        )
    migrate(engine)
    return engine


def redis_url(settings: Settings) -> str:
    """The address of Redis: REDIS_URL, or the embedded server of an `up` that runs on the same folder.

    Raises StoreUnavailable when there is neither.
    """
    if settings.redis_url:
        return settings.redis_url
    try:
        return (settings.data / _REDIS_URL_NAME).read_text().strip()
    except OSError:
        raise StoreUnavailable(
            f"no Redis: REDIS_URL is not set, and no `brigadewatch up` is running on {settings.data}"
        ) from None


def api_url(settings: Settings) -> str | None:
    """The address of the API of the `up` that runs on the same folder; None if none runs or it is still starting."""
    try:
        address = (settings.data / _API_URL_NAME).read_text().strip()
    except OSError:
        return None
    with (settings.data / _RUNNING_NAME).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return address
    return None  # no `up` holds the folder: the address is left over from one that was killed


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """Hold the folder for one `up` or `demo`. Raises Refused while another one holds it."""
    create_private(settings.data / _RUNNING_NAME)
    with (settings.data / _RUNNING_NAME).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"another `brigadewatch up` is running on {settings.data}; stop it, or choose another --data folder"
            ) from None
        yield


@contextmanager
def published_redis_url(settings: Settings, url: str) -> Iterator[None]:
    """While inside, other commands on the same folder find the embedded Redis at `url`."""
    with _published(settings.data / _REDIS_URL_NAME, url):
        yield


@contextmanager
def published_api_url(settings: Settings, url: str) -> Iterator[None]:
    """While inside, other commands on the same folder find the API at `url`."""
    with _published(settings.data / _API_URL_NAME, url):
        yield


@contextmanager
def _published(path: Path, text: str) -> Iterator[None]:
    _write_private(path, text)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    create_private(path)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file releases the lock, also when the process is killed


def _make_secret(path: Path) -> None:
    if not path.exists():
        _write_private(path, secrets.token_hex(32))


def _write_private(path: Path, text: str) -> None:
    # Written to a temporary file and renamed: a kill in between leaves no partial secret.
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
