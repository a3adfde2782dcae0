"""A database that is only just starting is waited for; one that stays away is reported as it was found."""

from __future__ import annotations

import pytest

from service import database_start
from service.database_start import once_it_answers
from service.errors import StoreUnavailable


def test_it_is_tried_again_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_start, "_AGAIN_SECONDS", 0.0)
    left, said = [StoreUnavailable("starting"), StoreUnavailable("starting")], list[str]()

    def attempt() -> str:
        if left:
            raise left.pop()
        return "open"

    assert once_it_answers(attempt, said.append) == "open"
    assert said == ["the database does not answer; waiting up to 15 s"]


def test_what_stays_away_is_raised_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_start, "DATABASE_SECONDS", 0.2)
    monkeypatch.setattr(database_start, "_AGAIN_SECONDS", 0.05)

    def attempt() -> None:
        raise StoreUnavailable("nobody listens")

    with pytest.raises(StoreUnavailable, match="nobody listens"):
        once_it_answers(attempt, lambda _: None)
