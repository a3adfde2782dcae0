"""What a person sees of one target, and of one reporter's complaints."""

from __future__ import annotations

import pytest
from case_world import at_us, put_cluster, put_complaint
from sqlalchemy import Engine

from service.model import moment
from service.storage.accounts.tenants import create_tenant
from service.storage.complaints import target_history
from service.storage.complaints.target_history import list_of_reporter, list_of_target, read_points
from service.storage.sql import schema


@pytest.fixture
def tenant(engine: Engine) -> int:
    number = create_tenant(engine, "paper", 0)
    put_cluster(engine, number, "k-1", reporters=("r1", "r2", "r3"), targets=("t1",), excluded=("r3",))
    put_cluster(engine, number, "k-0", reporters=("r1",), targets=("t1",), disposition="revoked")
    put_complaint(engine, number, 1, "r1", "t1", hours=1, cluster="k-1")
    put_complaint(engine, number, 2, "r2", "t1", hours=2, cluster="k-1")
    put_complaint(engine, number, 3, "r3", "t1", hours=3)
    put_complaint(engine, number, 4, "r2", "t1", hours=4, state=schema.REPEAT)
    put_complaint(engine, number, 5, "r9", "t2", hours=5)
    return number


def test_points_are_the_standing_complaints_by_cluster(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        points = read_points(connection, tenant, "t1", ["k-1"])
    assert points.by_cluster == {"k-1": [moment(at_us(1)), moment(at_us(2))]}
    assert (points.others, points.left_out) == ([moment(at_us(3))], 0)


def test_only_the_latest_points_are_drawn_and_the_rest_is_counted(
    engine: Engine, tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_history, "POINTS_DRAWN", 2)
    with engine.connect() as connection:
        points = read_points(connection, tenant, "t1", ["k-1"])
    assert (points.by_cluster, points.others, points.left_out) == ({"k-1": [moment(at_us(2))]}, [moment(at_us(3))], 1)


def test_complaints_come_newest_first_in_pages_with_state_and_clusters(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        page, after = list_of_target(connection, tenant, "t1", after=None, limit=3)
        rest, end = list_of_target(connection, tenant, "t1", after=after, limit=3)
    assert [(c.id, c.state, c.clusters) for c in page + rest] == [
        ("c4", "repeat", ()),
        ("c3", "stands", ()),
        ("c2", "stands", ("k-1",)),
        ("c1", "stands", ("k-1",)),
    ]
    assert end is None
    assert page[0].text == "<b>rude</b>"


def test_a_reporters_complaints_are_theirs_alone(engine: Engine, tenant: int) -> None:
    with engine.connect() as connection:
        assert [c.id for c in list_of_reporter(connection, tenant, "r2", after=None, limit=9)[0]] == ["c4", "c2"]
        assert list_of_reporter(connection, tenant + 1, "r2", after=None, limit=9) == ([], None)
