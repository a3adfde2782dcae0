"""Secrets that are files: they end up where the variables would have put them, and a missing one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from sqlalchemy.engine import make_url

from service.settings import read_settings

PASSWORD = "p@ss/w:rd?#%41 ü"


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "password").write_text(f"{PASSWORD}\nignored\n")
    return str(tmp_path / "password")


@pytest.mark.parametrize(
    "url", ["redis://valkey:6379/0", "rediss://user@valkey:6379/0", "redis://valkey/0?x=a@b", "redis://@valkey/0"]
)
def test_the_password_of_redis_comes_from_its_file(tmp_path: Path, file: str, url: str) -> None:
    found = read_settings(tmp_path, {"REDIS_URL": url, "REDIS_PASSWORD_FILE": file}).redis_url
    assert found is not None
    options = redis.ConnectionPool.from_url(found.replace("?x=a@b", "")).connection_kwargs
    assert (options["host"], options["password"], options.get("username")) == (
        "valkey",
        PASSWORD,
        "user" if "user@" in url else None,
    )


@pytest.mark.parametrize("url", ["postgresql://me@db:5432/b", "postgresql://me@db/b?sslmode=verify-full"])
def test_the_password_of_postgresql_comes_from_its_file(tmp_path: Path, file: str, url: str) -> None:
    found = make_url(read_settings(tmp_path, {"DATABASE_URL": url, "DATABASE_PASSWORD_FILE": file}).database_url)
    assert (found.username, found.password, found.host, found.database) == ("me", PASSWORD, "db", "b")
    assert dict(found.query) == ({"sslmode": "verify-full"} if "?" in url else {})


def test_a_sign_in_the_query_is_not_taken_for_the_end_of_the_user(tmp_path: Path, file: str) -> None:
    url = "postgresql://me@db/b?application_name=a@b"
    found = make_url(read_settings(tmp_path, {"DATABASE_URL": url, "DATABASE_PASSWORD_FILE": file}).database_url)
    assert (found.password, found.host, dict(found.query)) == (PASSWORD, "db", {"application_name": "a@b"})


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://me:mine@db/b"),
        ("DATABASE_URL", "sqlite:////data/b.sqlite3"),
        ("REDIS_URL", "redis://:mine@valkey/0"),
        ("DATABASE_URL", ""),
        ("REDIS_URL", ""),
    ],
)
def test_a_url_with_a_password_and_one_that_needs_none_stay(tmp_path: Path, file: str, name: str, url: str) -> None:
    both = {"REDIS_PASSWORD_FILE": file, "DATABASE_PASSWORD_FILE": file}
    assert read_settings(tmp_path, {name: url} | both) == read_settings(tmp_path, {name: url})


def test_the_secret_key_comes_from_its_file_unless_the_variable_has_it(tmp_path: Path) -> None:
    key, other = tmp_path / "key", "cd" * 32
    key.write_text(f"{'ab' * 32},{other}\n")
    named = {"BRIGADEWATCH_SECRET_KEY_FILE": str(key)}
    assert read_settings(tmp_path, named).secret_keys == ("ab" * 32, other)
    assert read_settings(tmp_path, named | {"BRIGADEWATCH_SECRET_KEY": other}).secret_keys == (other,)


def test_a_byte_order_mark_before_a_secret_is_not_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    found = read_settings(tmp_path, {"REDIS_URL": "redis://cache:6379/0", "REDIS_PASSWORD_FILE": str(file)})
    assert found.redis_url == "redis://:s3cret@cache:6379/0"


@pytest.mark.parametrize("name", ["BRIGADEWATCH_SECRET_KEY_FILE", "REDIS_PASSWORD_FILE", "DATABASE_PASSWORD_FILE"])
def test_a_file_that_is_missing_empty_or_binary_is_named(tmp_path: Path, name: str) -> None:
    urls = {"REDIS_URL": "redis://r", "DATABASE_URL": "postgresql://d/b"}
    for content in (None, b"", b"\n secret\n", b"\xff\xfe"):
        file = tmp_path / "secret"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read_settings(tmp_path, urls | {name: str(file)})


MAIL = {
    "BRIGADEWATCH_SMTP_HOST": "mail.example.org",
    "BRIGADEWATCH_SMTP_FROM": "moderation@example.org",
    "BRIGADEWATCH_PUBLIC_URL": "https://moderation.example.org",
}


def test_a_mail_server_has_the_usual_port_of_its_encryption_and_hides_its_password(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).smtp is None
    for tls, port in (("", 587), ("starttls", 587), ("tls", 465), ("none", 25)):
        found = read_settings(tmp_path, MAIL | {"BRIGADEWATCH_SMTP_TLS": tls}).smtp
        assert found is not None and (found.port, found.tls) == (port, tls or "starttls")
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    named = {"BRIGADEWATCH_SMTP_USER": "news", "BRIGADEWATCH_SMTP_PASSWORD_FILE": str(file)}
    found = read_settings(tmp_path, MAIL | named).smtp
    assert found is not None and found.password == "s3cret" and "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"BRIGADEWATCH_SMTP_TLS": "ssl"}, "BRIGADEWATCH_SMTP_TLS"),
        ({"BRIGADEWATCH_SMTP_PORT": "70000"}, "BRIGADEWATCH_SMTP_PORT"),
        ({"BRIGADEWATCH_SMTP_FROM": ""}, "BRIGADEWATCH_SMTP_FROM"),
        ({"BRIGADEWATCH_SMTP_FROM": "a@b.example\nBcc: c@d.example"}, "BRIGADEWATCH_SMTP_FROM"),
        ({"BRIGADEWATCH_PUBLIC_URL": ""}, "BRIGADEWATCH_PUBLIC_URL"),
        ({"BRIGADEWATCH_SMTP_USER": "news"}, "BRIGADEWATCH_SMTP_PASSWORD"),
        (
            {
                "BRIGADEWATCH_SMTP_USER": "news",
                "BRIGADEWATCH_SMTP_PASSWORD": "s3cret",
                "BRIGADEWATCH_SMTP_TLS": "none",
            },
            "unencrypted",
        ),
    ],
)
def test_a_mail_server_that_cannot_work_is_refused(tmp_path: Path, changes: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        read_settings(tmp_path, MAIL | changes)
    assert "s3cret" not in str(refused.value)
