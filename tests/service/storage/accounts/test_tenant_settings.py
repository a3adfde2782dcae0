"""What an operator sets for one tenant."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from service.cli import app, main
from service.errors import Refused
from service.settings import Settings
from service.storage.accounts.policy_overrides import set_overrides
from service.storage.accounts.tenant_settings import TenantSettings, change_settings, settings_of
from service.storage.accounts.tenants import create_key, create_tenant, find_key
from service.storage.sql.engine import write
from service.storage.sql.schema import audit_trail


def changed(engine: Engine, number: int, **changes: Any) -> TenantSettings:
    with write(engine) as connection:
        return change_settings(connection, number, actor="ann", now_us=7, **changes)


def trail(engine: Engine) -> list[tuple[str, str, dict[str, Any]]]:
    with engine.connect() as connection:
        return [
            (row.actor, row.action, json.loads(row.detail))
            for row in connection.execute(
                select(audit_trail).where(audit_trail.c.action != "key-created").order_by(audit_trail.c.id)
            )
        ]


def test_a_tenant_that_nobody_set_anything_for_keeps_no_text_and_everything_else(engine: Engine) -> None:
    number = create_tenant(engine, "paper", 0)
    with engine.connect() as connection:
        assert settings_of(connection, number) == TenantSettings(
            pseudonyms=False, keep_text=False, retention_days=None, rate_per_second=None
        )
    record = find_key(engine, create_key(engine, "paper", ["read"], "", 0))
    assert record is not None and record.settings == TenantSettings()


def test_what_is_set_comes_with_the_key_and_stands_in_the_audit_trail_once(engine: Engine) -> None:
    number, other = create_tenant(engine, "paper", 0), create_tenant(engine, "forum", 0)
    for _ in range(2):
        assert changed(engine, number, pseudonyms=True, retention_days=30, rate_per_second=2.5) == TenantSettings(
            True, False, 30, 2.5
        )
    changed(engine, number, retention_days=None)
    record = find_key(engine, create_key(engine, "paper", ["read"], "", 0))
    assert record is not None and record.settings == TenantSettings(True, False, None, 2.5)
    with engine.connect() as connection:
        assert settings_of(connection, other) == TenantSettings()
    assert trail(engine) == [
        (
            "ann",
            "settings",
            {
                "pseudonyms": {"after": True, "before": False},
                "rate_per_second": {"after": 2.5, "before": None},
                "retention_days": {"after": 30, "before": None},
            },
        ),
        ("ann", "settings", {"retention_days": {"after": None, "before": 30}}),
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"retention_days": 13}, "14..36500.*last 14 days"),
        ({"retention_days": -1}, "14..36500"),
        ({"retention_days": 10**9}, "36500"),
        ({"rate_per_second": 0}, "above 0"),
        ({"rate_per_second": float("nan")}, "above 0"),
        ({"rate_per_second": float("inf")}, "at most"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_bound_and_changes_nothing(
    engine: Engine, changes: dict[str, Any], told: str
) -> None:
    number = create_tenant(engine, "paper", 0)
    with pytest.raises(Refused, match=f"(?s){told}"):
        changed(engine, number, pseudonyms=True, **changes)
    with engine.connect() as connection:
        assert settings_of(connection, number) == TenantSettings()
    assert trail(engine) == []


def test_retention_is_bounded_by_the_tenant_s_own_window(engine: Engine) -> None:
    number = create_tenant(engine, "paper", 0)
    with write(engine) as connection:
        set_overrides(connection, number, {"window_seconds": 30 * 86_400}, by="ann", now_us=1)
    with pytest.raises(Refused, match="30.*last 30 days"):
        changed(engine, number, retention_days=29)
    assert changed(engine, number, retention_days=30).retention_days == 30


@pytest.mark.parametrize("name", ["sealed_key", "colour"])
def test_there_is_nothing_else_to_set(engine: Engine, name: str) -> None:
    number = create_tenant(engine, "paper", 0)
    with pytest.raises(TypeError, match=name):
        changed(engine, number, **{name: "x"})


def test_the_command_line_sets_and_shows(settings: Settings) -> None:
    runner, data = CliRunner(), ["--data", str(settings.data)]
    assert runner.invoke(app, ["tenants", "create", "paper", *data]).exit_code == 0
    done = runner.invoke(
        app,
        [
            "tenants",
            "set",
            "paper",
            "--pseudonyms",
            "on",
            "--keep-text",
            "on",
            "--retention",
            "180d",
            "--rate",
            "200",
            *data,
        ],
    )
    assert done.exit_code == 0, done.output
    shown = runner.invoke(app, ["tenants", "show", "paper", *data])
    assert json.loads(shown.stdout) == {
        "name": "paper",
        "pseudonyms": True,
        "keep_text": True,
        "retention_days": 180,
        "rate_per_second": 200.0,
    }
    assert (
        runner.invoke(
            app,
            [
                "tenants",
                "set",
                "paper",
                "--pseudonyms",
                "off",
                "--keep-text",
                "off",
                "--retention",
                "off",
                "--rate",
                "off",
                *data,
            ],
        ).exit_code
        == 0
    )
    shown = runner.invoke(app, ["tenants", "show", "paper", *data])
    assert json.loads(shown.stdout) == {
        "name": "paper",
        "pseudonyms": False,
        "keep_text": False,
        "retention_days": None,
        "rate_per_second": None,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--retention", "180"],
        ["--retention", "1.5d"],
        ["--retention", "d"],
        ["--rate", "fast"],
        ["--pseudonyms", "perhaps"],
        ["--retention", "0d"],
        ["--retention", "1d"],
        ["--retention", "999999d"],
        ["--rate", "0"],
        ["--rate", "-1"],
        ["--rate", "nan"],
        ["--rate", "inf"],
        ["--rate", "1e10"],
    ],
)
def test_wrong_usage_of_set_exits_with_2(settings: Settings, wrong: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data = ["--data", str(settings.data)]
    CliRunner().invoke(app, ["tenants", "create", "paper", *data])
    monkeypatch.setattr(sys, "argv", ["brigadewatch", "tenants", "set", "paper", *wrong, *data])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
