"""Secrets at rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings import Settings, read_settings
from service.storage.accounts.secret_box import NoSecretKey, SealedWithAnotherKey, SecretBox

OLD, NEW = "01" * 32, "bPFItHmwxmkRbBccoKprztWQhRFJHOwWq0bgjsGLdiI="  # both forms of a key


def box(*keys: str) -> SecretBox:
    return SecretBox(replace(read_settings(Path("nowhere"), {}), secret_keys=keys))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_is_opened_again_and_cannot_be_read_meanwhile(text: str) -> None:
    sealed = box(OLD).seal(text)
    assert box(OLD).open(sealed) == text
    assert sealed.isascii()
    assert len(text) < 8 or text not in sealed


def test_the_same_secret_never_looks_the_same(settings: Settings) -> None:
    assert box(OLD).seal("a") != box(OLD).seal("a")


def test_the_first_key_seals_and_every_key_opens() -> None:
    sealed = box(OLD).seal("hello")
    assert box(NEW, OLD).open(sealed) == "hello"
    rotated = box(NEW, OLD).rotate(sealed)
    assert box(NEW).open(rotated) == "hello"
    with pytest.raises(SealedWithAnotherKey, match="add the key that it was sealed with"):
        box(OLD).open(rotated)


@pytest.mark.parametrize("nonsense", ["", "hello", "gAAAAA", "é", "\ud800", "a" * 100_000])
def test_what_was_never_sealed_is_told_from_a_secret(nonsense: str) -> None:
    with pytest.raises(SealedWithAnotherKey):
        box(OLD).open(nonsense)
    with pytest.raises(SealedWithAnotherKey):
        box(OLD).rotate(nonsense)


def test_a_sealed_secret_that_was_changed_is_not_opened() -> None:
    sealed = box(OLD).seal("hello")
    middle = len(sealed) // 2
    with pytest.raises(SealedWithAnotherKey):
        box(OLD).open(sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :])


def test_the_folder_s_key_is_used_without_one_in_the_environment_and_can_move_there(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "secret.key").write_text("ab" * 32 + "\n")
    sealed = SecretBox(settings).seal("hello")
    assert SecretBox(settings).open(sealed) == "hello"
    assert box(NEW, "AB" * 32).open(sealed) == "hello"


def test_without_any_key_the_error_says_what_to_set_and_only_when_one_is_needed(settings: Settings) -> None:
    empty = SecretBox(settings)
    for ask in (empty.check, lambda: empty.seal("a"), lambda: empty.open("a"), lambda: empty.rotate("a")):
        with pytest.raises(NoSecretKey, match="set BRIGADEWATCH_SECRET_KEY .*openssl rand -hex 32"):
            ask()
    settings.data.mkdir()
    (settings.data / "secret.key").write_text("not a key")
    with pytest.raises(NoSecretKey, match="put the file back"):
        empty.check()
    (settings.data / "secret.key").write_text("ab" * 31)
    with pytest.raises(NoSecretKey, match="64 hexadecimal digits"):
        empty.check()


@pytest.mark.parametrize(
    "value",
    [
        "x",
        OLD + ",",
        f"{OLD},short",
        OLD[:-1],
        OLD + "0",
        "g" * 64,
        NEW[:-1],
        NEW.replace("=", "a"),
        "é" * 64,
        NEW + " " + OLD,
    ],
)
def test_a_malformed_key_is_wrong_usage_and_is_not_shown(value: str) -> None:
    with pytest.raises(ValueError, match="BRIGADEWATCH_SECRET_KEY: key [12] of") as told:
        read_settings(environ={"BRIGADEWATCH_SECRET_KEY": value})
    assert OLD not in str(told.value) and NEW not in str(told.value)


def test_keys_are_read_in_order_and_spaces_around_them_do_not_matter() -> None:
    assert read_settings(environ={"BRIGADEWATCH_SECRET_KEY": f" {NEW} ,{OLD}\n"}).secret_keys == (NEW, OLD)
    assert read_settings(environ={"BRIGADEWATCH_SECRET_KEY": " "}).secret_keys == ()
