"""Guessing passwords with the figures of an attack that once succeeded."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from service.storage.accounts import sessions, users
from service.storage.accounts.tenants import create_tenant
from service.storage.sql import schema
from service.storage.sql.engine import write

SECOND = 1_000_000
OFFICE = "192.0.2.1"


@pytest.fixture
def tenant(engine: Engine) -> int:
    number = create_tenant(engine, "paper", 1)
    with write(engine) as connection:
        for name in ("mallory", "anna", "ben", "cleo"):
            users.create_user(connection, number, name, "moderator", f"hash of {name}", actor="cli", now_us=1)
    return number


def signs_in(engine: Engine, name: str, address: str, now_us: int) -> bool:
    """Whether somebody with the right password gets in."""
    with write(engine) as connection:
        attempt = sessions.begin_attempt(connection, "paper", name, address, now_us)
        if attempt.user_id is None:
            return False
        token = sessions.open_session(
            connection, attempt.user_id, attempt.password_hash or "", address, now_us, attempt=attempt
        )
    return token is not None


@pytest.mark.parametrize("seconds", [0, 1])
def test_one_valid_account_lets_nobody_guess_others(engine: Engine, tenant: int, seconds: int) -> None:
    """3,600 guesses of somebody who signs in to an account of their own in between, at once and within an hour."""
    verdicts: Counter[str] = Counter()
    now_us, own = 1_000 * SECOND, 0
    for number in range(3_600):
        if number % 19 == 0:
            own += signs_in(engine, "mallory", OFFICE, now_us)
        with write(engine) as connection:
            guess = sessions.begin_attempt(connection, "paper", ("anna", "ben", "cleo")[number % 3], OFFICE, now_us)
        verdicts["checked" if guess.password_hash else guess.verdict] += 1
        now_us += seconds * SECOND
    assert own > 0
    assert verdicts["checked"] <= (15 if seconds == 0 else 40), verdicts
    assert verdicts["address-locked"] >= 3_500, verdicts


def test_104_attempts_of_one_address_in_a_day_keep_nobody_out_elsewhere(engine: Engine, tenant: int) -> None:
    for number in range(104):
        now_us = (1_000 + number * 830) * SECOND
        with write(engine) as connection:
            sessions.begin_attempt(connection, "paper", "anna", "198.51.100.1", now_us)
        assert signs_in(engine, "anna", OFFICE, now_us + SECOND), f"kept out after {number + 1} attempts"


def test_a_success_takes_back_its_own_attempt_and_a_wait_that_it_began(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        for number in range(19):
            sessions.begin_attempt(connection, "paper", f"guess-{number}", OFFICE, SECOND)
    assert signs_in(engine, "anna", OFFICE, SECOND), "the twentieth"
    with engine.connect() as connection:
        row = connection.execute(
            sa.select(schema.sign_in_addresses).where(schema.sign_in_addresses.c.address == OFFICE)
        ).one()
        counted = connection.execute(sa.select(schema.users.c.failures, schema.users.c.locked_until_us)).all()
    assert (row.failures, row.locked_until_us) == (19, None)
    assert set(counted) == {(0, None)}


def test_a_person_has_so_many_sessions_and_the_one_unused_for_longest_ends(engine: Engine, tenant: int) -> None:
    with write(engine) as connection:
        tokens = [
            sessions.open_session(connection, 2, "hash of anna", OFFICE, number * SECOND) or ""
            for number in range(1, sessions.MOST_SESSIONS + 1)
        ]
        sessions.touch(connection, sessions.hash_of(tokens[0]), 400 * SECOND)
        other = sessions.open_session(connection, 3, "hash of ben", OFFICE, SECOND) or ""
        tokens.append(sessions.open_session(connection, 2, "hash of anna", OFFICE, 500 * SECOND) or "")
        open_now = [sessions.read_session(connection, token, 500 * SECOND) is not None for token in tokens]
        assert open_now == [True, False] + [True] * (sessions.MOST_SESSIONS - 1)
        assert sessions.read_session(connection, other, 500 * SECOND) is not None
    with engine.connect() as connection:
        details = connection.scalars(sa.select(schema.audit_trail.c.detail).order_by(schema.audit_trail.c.id)).all()
    assert '"sessions_ended": 1' in details[-1]
