"""A tenant's own thresholds: which can be set, how they are written, what is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from service.policy import DEFAULT_POLICY, read_override, thresholds
from service.storage.accounts.policy_overrides import change_overrides, overrides_of, policy_of
from service.storage.accounts.tenants import create_tenant
from service.storage.sql.engine import write
from service.storage.sql.schema import audit_trail, policy_overrides


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prior_unfounded=0.3", ("prior_unfounded", 0.3)),
        (" flags_per_day = 0 ", ("flags_per_day", 0)),
        ("default_threshold=12", ("default_threshold", 12)),
        ("warn_share=1", ("warn_share", 1.0)),
    ],
)
def test_an_override_is_parsed_with_the_type_of_its_threshold(text: str, expected: tuple[str, Any]) -> None:
    assert read_override(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "x=1",
        "prior_unfounded",
        "prior_unfounded=",
        "prior_unfounded=much",
        "flags_per_day=1.5",
        "flags_per_day=1e3",
        "weights=1",
        "growth_rounds=3",
        "lag_scales=1",
    ],
)
def test_malformed_and_unknown_overrides_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=VALUE|may set|must be"):
        read_override(text)


@pytest.mark.parametrize(
    "values",
    [
        {"prior_unfounded": float("nan")},
        {"prior_unfounded": float("inf")},
        {"prior_unfounded": "0.3"},
        {"prior_unfounded": True},
        {"prior_unfounded": None},
        {"flags_per_day": 1.0},
        {"flags_per_day": -1},
        {"default_threshold": 0},
        {"default_threshold": 10**9},
        {"prior_unfounded": 1.0},
        {"unheard_of": 1},
        {"lag_scales": [1]},
        {"warn_share": [1]},
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_changes_nothing(values: dict[str, Any], engine: Engine) -> None:
    number = create_tenant(engine, "t", 1)
    with write(engine) as connection, pytest.raises(ValueError, match=r"must be|outside|unknown threshold"):
        change_overrides(connection, number, put=values, by="ann", now_us=1)
    with engine.connect() as connection:
        assert overrides_of(connection, number) == {} and policy_of(connection, number) == DEFAULT_POLICY


def test_thresholds_that_are_not_named_stay_and_every_change_is_recorded(engine: Engine) -> None:
    number, other = create_tenant(engine, "t", 1), create_tenant(engine, "u", 1)
    with write(engine) as connection:
        change_overrides(connection, number, put={"prior_unfounded": 0.3, "default_threshold": 12}, by="ann", now_us=1)
        change_overrides(connection, number, put={"flags_per_day": 7}, by="bob", now_us=2)
        same = change_overrides(connection, number, put={"flags_per_day": 7}, by="cat", now_us=3)
        assert (same.prior_unfounded, same.default_threshold, same.flags_per_day) == (0.3, 12, 7)
        assert same.version != DEFAULT_POLICY.version
        assert policy_of(connection, other) == DEFAULT_POLICY
        assert (
            change_overrides(connection, number, put={}, drop=["prior_unfounded"], by="ann", now_us=4).prior_unfounded
            == 0.5
        )
        assert (
            change_overrides(connection, number, put={"default_threshold": 8}, by="ann", now_us=5).default_threshold
            == 8
        )
        assert overrides_of(connection, number) == {"flags_per_day": 7}, (
            "a value equal to the default is not an override"
        )
        assert change_overrides(connection, number, put={}, drop=None, by="ann", now_us=6) == DEFAULT_POLICY
        with pytest.raises(ValueError, match="unknown threshold|not a threshold"):
            change_overrides(connection, number, put={}, drop=["unheard_of"], by="ann", now_us=7)
        rows = connection.execute(
            select(audit_trail.c.actor, audit_trail.c.detail)
            .where(audit_trail.c.tenant_id == number, audit_trail.c.action == "policy")
            .order_by(audit_trail.c.id)
        ).all()
        assert [row.actor for row in rows] == ["ann", "bob", "ann", "ann", "ann"], "what changed nothing is no entry"
        assert json.loads(rows[1].detail)["after"] == {
            "prior_unfounded": 0.3,
            "default_threshold": 12,
            "flags_per_day": 7,
        }
        assert connection.scalar(select(func.count()).select_from(policy_overrides)) == 5


def test_every_threshold_has_a_reason_and_its_default_and_bounds_are_valid_values() -> None:
    for one in thresholds(DEFAULT_POLICY):
        assert one.why, one.name
        if one.settable:
            assert DEFAULT_POLICY.overridden({one.name: one.default}) == DEFAULT_POLICY
            for bound in (one.low, one.high):
                if bound is not None:
                    DEFAULT_POLICY.overridden({one.name: type(one.default)(bound)})
