"""Retention by a clock that is probably wrong, or further than usual: nothing goes until somebody consents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from aged_archive import DAY_US, Archive, told
from archive_lines import complaint
from conftest import RedisClients
from sqlalchemy import Engine

from service import wall_clock
from service.errors import Refused
from service.ops.clocks import Clocks
from service.settings import Settings
from service.storage.accounts.audit_log import AuditEntry, AuditFilter, list_page
from service.storage.privacy.retention_guard import (
    Consent,
    RetentionState,
    expected,
    judge,
    read_state,
    words,
)
from service.storage.sql import schema
from service.storage.sql.engine import write
from service.storage.sql.schema import STANDING
from service.storage.sql.timers import due
from workers.clock import LONGEST_US

NOW = 1_795_000_000_000_000
MONTH_AGO = NOW - 30 * DAY_US
RAN = RetentionState(before_us=MONTH_AGO - DAY_US)


class Step:
    """Steps the one place where production reads the host's clock, and Redis' clock with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._true_us = wall_clock.now_us
        self.redis_too = True
        self.days = 0.0
        monkeypatch.setattr(wall_clock, "now_us", lambda: self._true_us() + round(self.days * DAY_US))
        monkeypatch.setattr("workers.retain.read_clocks", self._clocks)

    def _clocks(self, redis: object, connection: object) -> Clocks:
        now_us = wall_clock.now_us()
        return Clocks({"host": now_us, "redis": now_us if self.redis_too else self._true_us()})


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    return Step(monkeypatch)


@pytest.fixture
def paper(fake_redis: RedisClients, engine: Engine, settings: Settings) -> Iterator[Archive]:
    made = Archive(fake_redis, engine, settings)
    yield made
    made.forgets()


def waits(paper: Archive) -> str | None:
    with paper.engine.connect() as connection:
        refusal = read_state(connection, paper.id).refusal
    return None if refusal is None else f"{refusal.because} {refusal.records}"


@pytest.mark.parametrize(
    ("state", "before_us", "oldest_us", "records", "agree", "because"),
    [
        pytest.param(RAN, MONTH_AGO, MONTH_AGO - DAY_US, 40, True, None, id="a usual day"),
        pytest.param(RAN, MONTH_AGO, MONTH_AGO - DAY_US, 4_000_000, True, None, id="a day of a hundred times as many"),
        pytest.param(RAN, MONTH_AGO + 7 * DAY_US, MONTH_AGO, 300, True, None, id="a week without workers"),
        pytest.param(RAN, MONTH_AGO + 40 * DAY_US, NOW, 1, True, "amount", id="40 days ahead, whatever the amount"),
        pytest.param(RAN, MONTH_AGO + 40 * DAY_US, NOW, 0, True, None, id="nothing to delete"),
        pytest.param(RAN, MONTH_AGO, MONTH_AGO - DAY_US, 40, False, "clocks", id="clocks that differ"),
        pytest.param(RetentionState(), MONTH_AGO, MONTH_AGO - 3 * DAY_US, 3, True, None, id="a first one, days late"),
        pytest.param(RetentionState(), MONTH_AGO, MONTH_AGO - 300 * DAY_US, 9, True, "amount", id="of an old tenant"),
        pytest.param(
            RetentionState(consent=Consent(MONTH_AGO, 900)), MONTH_AGO + 60, 1, 950, True, None, id="with consent"
        ),
        pytest.param(
            RetentionState(consent=Consent(MONTH_AGO, 900)), MONTH_AGO, 1, 1_100, True, "amount", id="to less"
        ),
        pytest.param(
            RetentionState(consent=Consent(MONTH_AGO, 900)),
            MONTH_AGO + 40 * DAY_US,
            1,
            900,
            True,
            "amount",
            id="to another cut-off: the clock stepped since",
        ),
        pytest.param(
            RetentionState(consent=Consent(MONTH_AGO, 900)), MONTH_AGO, 1, 900, False, "clocks", id="not of clocks"
        ),
    ],
)
def test_what_a_run_may_delete(
    state: RetentionState, before_us: int, oldest_us: int, records: int, agree: bool, because: str | None
) -> None:
    assert judge(state, before_us=before_us, oldest_us=oldest_us, count=lambda: records, agree=agree) == because


def test_forty_days_forward_delete_nothing_and_the_next_run_is_not_put_off(paper: Archive, step: Step) -> None:
    told(paper, complaint("a"), complaint("b", 1, "s"))
    paper.keeps(30)
    paper.retains()
    step.days = 40
    paper.retains()
    assert paper.states() == {"a": STANDING, "b": STANDING}
    assert waits(paper) == "amount 2"
    step.days = 0
    with paper.engine.connect() as connection:
        assert ("retain", "paper") in due(connection, wall_clock.now_us(), LONGEST_US), "planned 40 days ahead"
    paper.retains()
    assert paper.states() == {"a": STANDING, "b": STANDING}
    assert waits(paper) is None, "the clock is right again: nothing waits"


def test_a_clock_of_one_host_alone_deletes_nothing_even_with_consent(paper: Archive, step: Step) -> None:
    told(paper, complaint("a"))
    paper.keeps(30)
    step.days, step.redis_too = 40, False
    with pytest.raises(Refused, match="retention would delete 1 records now"):
        paper.consents(5_000)
    paper.consents(1)
    paper.retains()
    assert paper.states() == {"a": STANDING}
    assert waits(paper) == "clocks 1"
    step.days = 0
    paper.retains()
    assert waits(paper) is None
    assert paper.states() == {"a": STANDING}


def test_a_first_retention_of_an_old_tenant_is_one_visible_step(paper: Archive) -> None:
    told(paper, complaint("old"))
    paper.ages(300)
    told(paper, complaint("new", 1, "s"))
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"old": STANDING, "new": STANDING}
    with paper.engine.connect() as connection:
        refusal = read_state(connection, paper.id).refusal
        announced = expected(connection, paper.id, paper.resources.now_us())
    assert refusal is not None and announced is not None and announced.records == refusal.records
    assert f"--consent-to-delete {refusal.records}`" in words(refusal)
    paper.consents(refusal.records)
    paper.retains()
    assert paper.states() == {"new": STANDING}
    assert waits(paper) is None
    with paper.engine.connect() as connection:
        assert read_state(connection, paper.id).consent is None, "used up"
        lines = [line for line in audit_lines(paper) if line.action == "retention-consent"]
    assert [(line.actor, line.detail["records"]) for line in lines] == [("test", refusal.records)]
    paper.ages(41)  # without a run
    paper.retains()
    assert paper.states() == {"new": STANDING}, "the consent was for one run"
    assert waits(paper) == "amount 1"


def test_rows_received_while_the_clock_was_ahead_hold_up_nothing(paper: Archive) -> None:
    """Of three rows in their order, the first was received 40 days ahead, the second has expired, the third not."""
    for name in "abc":
        told(paper, complaint(name, 0, f"s-{name}"))
    now_us, f = paper.resources.now_us(), schema.feed.c
    with write(paper.engine) as connection:
        rows = connection.scalars(sa.select(f.last_seq).order_by(f.last_seq)).all()
        for row, days in zip(rows, (40, -31, 0), strict=True):
            connection.execute(
                sa.update(schema.feed).where(f.last_seq == row).values(received_us=now_us + days * DAY_US)
            )
    paper.keeps(30)
    paper.retains()
    assert paper.states() == {"c": STANDING}


def audit_lines(paper: Archive) -> list[AuditEntry]:
    with paper.engine.connect() as connection:
        return list_page(connection, paper.id, AuditFilter(), before_id=None, limit=100)[0]
