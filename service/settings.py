"""Settings from the environment. Only this module reads it; everything else gets a Settings."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import quote

# ASCII, as every mail server takes it; neither a list nor a name in front of it, nor an encoded word (RFC 2047), which
# headers decode: to other addresses, or to a line break
MAIL_ADDRESS = re.compile(r"(?!.*=\?)[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
DEFAULT_DATA = "./brigadewatch-data"
# 32 bytes, hexadecimal or URL-safe base64
_SECRET_KEY = re.compile(r"[0-9a-fA-F]{64}|[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]=")


SmtpTls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The mail server that e-mail is handed to."""

    host: str
    port: int
    tls: SmtpTls  # starttls: the connection is encrypted before anything is said; tls: from the beginning
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how much is allowed; one environment variable each (docs/configuration.md)."""

    data: Path
    redis_url: str | None  # None: `up` and `demo` start an embedded server
    database_url: str  # SQLAlchemy URL
    max_body_bytes: int  # of one request, decompressed
    max_stream_items: int  # per tenant, waiting to be archived; above it 429
    rate_per_tenant: float | None  # items per second; None: unlimited
    rate_per_key: float | None
    redis_timeout_seconds: float
    log_level: str
    # 32 bytes each, as 64 hex digits or a Fernet key; the first one encrypts; empty: the data folder's is used
    secret_keys: tuple[str, ...] = ()
    outbound_allow: str = ""  # CIDR:port, comma-separated: internal addresses that requests may go to
    poll_seconds: float = 60.0  # between two polls of a source
    alive_file: Path | None = None  # the process touches it regularly, for the health check of its container
    # where people reach this installation; with https, cookies are secure, even behind a proxy that uses http
    public_url: str | None = None
    database_timeout_seconds: float = 10.0  # that a request waits for the database; then 503
    max_unanalysed_items: int = 2_000_000  # per tenant, archived or not; above it complaints get 429
    smtp: SmtpSettings | None = None  # None: no e-mail is sent
    daily_files: str | None = None  # a folder or s3://bucket/prefix for the archive by day; None: nowhere
    large_window: int = 2_000_000  # complaints in a window from which on its pairs are computed in DuckDB
    large_memory_bytes: int = 2 * 1024**3  # DuckDB's; beyond it, it spills into the data folder


def read_settings(data: Path | None = None, environ: dict[str, str] | None = None) -> Settings:
    """The settings of this process.

    `data` is a command line's --data and wins over BRIGADEWATCH_DATA. Raises ValueError naming the
    variable if its value is not a number, a key or an address, or names a file that cannot be read.
    """
    env = dict(os.environ) if environ is None else environ
    folder = data or Path(env.get("BRIGADEWATCH_DATA") or DEFAULT_DATA)
    folder = folder.expanduser().resolve()

    def number(name: str, default: float) -> float:
        text = env.get(name) or str(default)
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{name} is {text!r}; expected a number, like {default}") from None

    def rate(name: str) -> float | None:
        found = number(name, 100) if env.get(name) else None
        if found is not None and not 0 < found < math.inf:
            raise ValueError(
                f"{name} is {env[name]!r}; expected a number of items per second above 0 (unset it for no limit)"
            )
        return found

    def at_least(name: str, default: float, least: int) -> float:
        found = number(name, default)
        if not least <= found < math.inf:
            raise ValueError(f"{name} is {env[name]!r}; expected {least} or more")
        return found

    public_url = _public_url(env.get("BRIGADEWATCH_PUBLIC_URL") or "")
    return Settings(
        data=folder,
        redis_url=_with_password(env, "REDIS_URL", "REDIS_PASSWORD_FILE") or None,
        database_url=_with_password(env, "DATABASE_URL", "DATABASE_PASSWORD_FILE")
        or f"sqlite:///{folder / 'brigadewatch.sqlite3'}",
        max_body_bytes=int(number("BRIGADEWATCH_MAX_BODY_BYTES", 8 * 1024 * 1024)),
        max_stream_items=int(number("BRIGADEWATCH_MAX_STREAM_ITEMS", 1_000_000)),
        rate_per_tenant=rate("BRIGADEWATCH_RATE_PER_TENANT"),
        rate_per_key=rate("BRIGADEWATCH_RATE_PER_KEY"),
        redis_timeout_seconds=number("BRIGADEWATCH_REDIS_TIMEOUT_SECONDS", 2.0),
        log_level=env.get("BRIGADEWATCH_LOG_LEVEL") or "INFO",
        secret_keys=_secret_keys(
            env.get("BRIGADEWATCH_SECRET_KEY") or _secret_file(env, "BRIGADEWATCH_SECRET_KEY_FILE") or ""
        ),
        outbound_allow=env.get("BRIGADEWATCH_OUTBOUND_ALLOW") or "",
        poll_seconds=max(1.0, number("BRIGADEWATCH_POLL_SECONDS", 60.0)),
        alive_file=Path(env["BRIGADEWATCH_ALIVE_FILE"]) if env.get("BRIGADEWATCH_ALIVE_FILE") else None,
        public_url=public_url,
        database_timeout_seconds=_database_timeout(number("BRIGADEWATCH_DATABASE_TIMEOUT_SECONDS", 10.0)),
        max_unanalysed_items=int(number("BRIGADEWATCH_MAX_UNANALYSED_ITEMS", 2_000_000)),
        smtp=_smtp(env, public_url),
        daily_files=_daily_files(env.get("BRIGADEWATCH_DAILY_FILES") or ""),
        large_window=int(at_least("BRIGADEWATCH_LARGE_WINDOW", 2_000_000, 1)),
        large_memory_bytes=int(at_least("BRIGADEWATCH_LARGE_MEMORY_BYTES", 2 * 1024**3, 256 * 1024**2)),
    )


def _secret_file(env: dict[str, str], name: str) -> str | None:
    """The first line of the file that a variable names: `docker inspect` and lists of processes do not show it."""
    if not env.get(name):
        return None
    try:
        text = Path(env[name]).read_text(encoding="utf-8-sig").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{name} is {env[name]!r}, which cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        ) from None
    if not text:
        raise ValueError(f"{name} is {env[name]!r}, which is empty; write the secret on its first line")
    return text


def _with_password(env: dict[str, str], url_name: str, file_name: str) -> str:
    """The URL with the password in the file, unless it has one or is a SQLite file's."""
    url = env.get(url_name) or ""
    scheme, separator, rest = url.partition("://")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    user, _, host = authority.rpartition("@")
    if not separator or scheme.startswith("sqlite") or ":" in user:
        return url
    password = _secret_file(env, file_name)
    return url if password is None else f"{scheme}://{user}:{quote(password, safe='')}@{host}{rest[len(authority) :]}"


def _database_timeout(seconds: float) -> float:
    if not 6 <= seconds <= 120:
        raise ValueError(
            f"BRIGADEWATCH_DATABASE_TIMEOUT_SECONDS is {seconds:g}; expected 6 to 120 seconds (a question alone may"
            " wait 5 s for the analysis)"
        )
    return seconds


def _public_url(text: str) -> str | None:
    if text and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", text):
        raise ValueError(
            f"BRIGADEWATCH_PUBLIC_URL is {text!r}; expected an address without a path, like"
            " https://moderation.example.org"
        )
    return text.rstrip("/") or None


def _daily_files(text: str) -> str | None:
    if text and not text.startswith(("/", "s3://")):
        raise ValueError(
            f"BRIGADEWATCH_DAILY_FILES is {text!r}; expected the absolute path of a folder, or s3://BUCKET/PREFIX"
        )
    return text.rstrip("/") if text.startswith("/") else text or None


def _smtp(env: dict[str, str], public_url: str | None) -> SmtpSettings | None:
    host = (env.get("BRIGADEWATCH_SMTP_HOST") or "").strip()
    if not host:
        return None
    tls = env.get("BRIGADEWATCH_SMTP_TLS") or "starttls"
    if tls not in get_args(SmtpTls):
        raise ValueError(f"BRIGADEWATCH_SMTP_TLS is {tls!r}; expected {', '.join(get_args(SmtpTls))}")
    port = env.get("BRIGADEWATCH_SMTP_PORT") or {"starttls": "587", "tls": "465", "none": "25"}[tls]
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65_535):
        raise ValueError(f"BRIGADEWATCH_SMTP_PORT is {port!r}; expected 1 to 65535")
    sender = (env.get("BRIGADEWATCH_SMTP_FROM") or "").strip()
    if not MAIL_ADDRESS.fullmatch(sender):
        raise ValueError(
            f"BRIGADEWATCH_SMTP_FROM is {sender!r}; expected the address that e-mail comes from, like"
            " moderation@example.org"
        )
    if public_url is None:  # without it, a message could not be stopped by the one who gets it
        raise ValueError(
            "BRIGADEWATCH_SMTP_HOST is set, so BRIGADEWATCH_PUBLIC_URL is needed for the links in messages"
        )
    user = env.get("BRIGADEWATCH_SMTP_USER") or ""
    password = env.get("BRIGADEWATCH_SMTP_PASSWORD") or _secret_file(env, "BRIGADEWATCH_SMTP_PASSWORD_FILE") or ""
    if bool(user) != bool(password):
        raise ValueError(
            "BRIGADEWATCH_SMTP_USER and its password (BRIGADEWATCH_SMTP_PASSWORD or its _FILE) go together"
        )
    if user and tls == "none" and host not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("BRIGADEWATCH_SMTP_TLS is none: a password would be sent unencrypted; use starttls or tls")
    return SmtpSettings(host, int(port), cast(SmtpTls, tls), sender, user, password)


def _secret_keys(text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(",")) if text.strip() else ()
    for number, key in enumerate(keys, 1):
        if not _SECRET_KEY.fullmatch(key):  # not printed: it may be a key with a typing error
            raise ValueError(
                f"BRIGADEWATCH_SECRET_KEY: key {number} of {len(keys)} ({len(key)} characters) is not valid; expected"
                " 32 bytes, as 64 hexadecimal digits (make one with: openssl rand -hex 32) or as a Fernet key of 44"
                " characters; separate several keys with commas"
            )
    return keys
