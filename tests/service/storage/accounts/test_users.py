"""Accounts of the console: names, roles, the last admin."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from conftest import NOW_US
from sqlalchemy import Engine

from service.errors import NotFound, Refused
from service.storage.accounts import users
from service.storage.accounts.passwords import checked_password, hash_password, verify_password
from service.storage.accounts.tenants import create_tenant
from service.storage.accounts.users import User
from service.storage.sql import schema
from service.storage.sql.engine import write


@pytest.fixture
def tenant(engine: Engine) -> int:
    return create_tenant(engine, "news", NOW_US)


def make(engine: Engine, tenant: int, name: str, role: users.Role = "admin") -> User:
    with write(engine) as connection:
        return users.create_user(connection, tenant, name, role, "hash", actor="test", now_us=NOW_US)


def test_a_name_is_one_however_it_is_typed(engine: Engine, tenant: int) -> None:
    made = make(engine, tenant, "  Zoë ")
    assert made.name == "Zoë"
    with engine.connect() as connection:
        assert users.find_user(connection, tenant, "Zoe\u0308").id == made.id
    with pytest.raises(Refused, match="already"):
        make(engine, tenant, "Zoe\u0308")


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "a\u202eb", "a\nb", "x" * 129, "\u200b"])
def test_what_nobody_could_read_is_no_name(name: str) -> None:
    with pytest.raises(Refused):
        users.checked_name(name)


def test_the_last_admin_stays_unless_the_operator_says_so(engine: Engine, tenant: int) -> None:
    anna, ben = make(engine, tenant, "anna"), make(engine, tenant, "ben")
    with write(engine) as connection:
        users.disable_user(connection, anna, actor="ben", now_us=NOW_US)
        for change in (
            lambda: users.disable_user(connection, ben, actor="ben", now_us=NOW_US),
            lambda: users.set_role(connection, ben, "viewer", actor="ben", now_us=NOW_US),
        ):
            with pytest.raises(Refused, match="only admin"):
                change()
        users.disable_user(connection, ben, actor="cli", now_us=NOW_US, last_admin_too=True)
        assert [user.disabled_us for user in users.list_users(connection, tenant)] == [NOW_US, NOW_US]
        users.enable_user(connection, users.find_user(connection, tenant, "anna"), actor="cli", now_us=NOW_US)
        assert users.find_user(connection, tenant, "anna").disabled_us is None


def test_another_tenants_people_are_nobody(engine: Engine, tenant: int) -> None:
    anna = make(engine, tenant, "anna")
    other = create_tenant(engine, "forum", NOW_US)
    with engine.connect() as connection:
        assert users.list_users(connection, other) == []
        for look in (
            lambda: users.find_user(connection, other, "anna"),
            lambda: users.read_user(connection, other, anna.id),
        ):
            with pytest.raises(NotFound):
                look()


def test_every_change_is_in_the_audit_trail(engine: Engine, tenant: int) -> None:
    anna = make(engine, tenant, "anna", "viewer")
    with write(engine) as connection:
        users.set_role(connection, anna, "moderator", actor="cli", now_us=NOW_US)
        users.set_password(connection, anna, "other", actor="cli", now_us=NOW_US)
        users.disable_user(connection, anna, actor="cli", now_us=NOW_US)
        rows = connection.execute(
            sa.select(schema.audit_trail.c.action, schema.audit_trail.c.subject, schema.audit_trail.c.actor).order_by(
                schema.audit_trail.c.id
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("user-created", "user:anna", "test"),
        ("user-role", "user:anna", "cli"),
        ("user-password", "user:anna", "cli"),
        ("user-disabled", "user:anna", "cli"),
    ]


@pytest.mark.parametrize(
    "password", ["short", "x" * 1_025, "aaaaaaaaaaaaaaaa", "anna-of-the-desk", "\ud800" + "abcdefghijklmnop"]
)
def test_passwords_that_are_guessed_or_cannot_be_hashed_are_refused(password: str) -> None:
    with pytest.raises(Refused):
        checked_password(password, name="anna-of-the-desk")


def test_a_password_is_the_same_however_it_is_typed() -> None:
    stored = hash_password(checked_password("pass\u00e9 compose\u0301 \ufb01n", name="anna"))
    assert verify_password(stored, "passe\u0301 compos\u00e9 fin")
    assert not verify_password(stored, "passe compose fin")
    assert not verify_password(None, "passe compose fin")
    assert not verify_password("no hash at all", "passe compose fin")


def test_nothing_matches_an_account_without_a_password() -> None:
    from service.storage.accounts.passwords import verify_password

    for password_hash in (None, "", "not a hash"):
        for password in ("", "the password of nobody"):  # the latter is what an unknown name is compared with
            assert verify_password(password_hash, password) is False
