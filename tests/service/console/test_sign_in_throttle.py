"""Attempts to sign in: nobody guesses for long, and nobody keeps another person out."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import PASSWORD, Visitor, put_user, sign_in

from service.console.client_address import counted_address
from service.console.device_cookie import name_for
from service.storage.accounts import sign_in_devices, sign_in_throttle, users
from service.storage.accounts.sign_in_throttle import FreeAttempts, count, network_of
from service.storage.sql import schema
from service.storage.sql.engine import write

WRONG = "wrong horse battery"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.1"


class From(Visitor):
    """A browser at a network address, which need not be signed in."""

    def __init__(self, api: Api, address: str) -> None:
        super().__init__(api)
        self.address = address

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        self.api.client._transport.client = (self.address, 4711)
        try:
            return super().request(method, path, **arguments)
        finally:
            self.api.client._transport.client = ("127.0.0.1", 4711)

    def attempt(self, name: str, password: str = WRONG, tenant: str = "default") -> int:
        """One form, sent by nobody who is signed in; its status."""
        self.cookies.pop("brigadewatch", None)
        if "brigadewatch-form" not in self.cookies:
            self.get("/console/sign-in")
        form = {"tenant": tenant, "name": name, "password": password}
        return int(self.post("/console/sign-in", form).status_code)


def test_attempts_from_one_address_all_day_keep_the_person_out_nowhere_else(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    attacker, sent = From(api, ELSEWHERE), 0
    end = clock[0] + timedelta(hours=24)
    while clock[0] < end and sent < 104:
        attacker.attempt("anna")
        sent += 1
        clock[0] += timedelta(seconds=830)
        if sent % 13 == 0:
            assert From(api, HOME).attempt("anna", PASSWORD) == 303, f"kept out after {sent} attempts"
    assert sent == 104


def test_as_many_attempts_at_once_do_not_either(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    attacker = From(api, ELSEWHERE)
    refused = Counter(attacker.attempt("anna") for _ in range(104))
    assert refused[429] >= 80
    assert From(api, HOME).attempt("anna", PASSWORD) == 303


def test_a_known_browser_gets_in_while_a_botnet_tries_the_account(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    here = From(api, HOME)
    assert here.attempt("anna", PASSWORD) == 303
    for number in range(120):
        From(api, f"203.0.113.{number}").attempt("anna")
    assert From(api, "198.51.100.77").attempt("anna", PASSWORD) == 401, "a browser nobody knows has to wait"
    assert here.attempt("anna", PASSWORD) == 303
    # The attack neither ends by that nor begins again from zero.
    assert From(api, "198.51.100.78").attempt("anna", PASSWORD) == 401
    clock[0] += timedelta(minutes=16)
    assert From(api, "198.51.100.79").attempt("anna", PASSWORD) == 303, "at most a quarter of an hour after it ends"


def test_a_known_browser_gets_in_from_an_office_whose_address_is_locked(api: Api, clock: list[datetime]) -> None:
    names = [f"m{number}" for number in range(50)]
    browsers = {}
    for name in names:
        put_user(api, name)
        browsers[name] = From(api, HOME)
        assert browsers[name].attempt(name, PASSWORD) == 303, "fifty people on their first day, behind one address"
    guest = From(api, HOME)
    assert 429 in [guest.attempt(f"guess-{number}") for number in range(40)]
    for name, browser in browsers.items():
        assert browser.attempt(name, PASSWORD) == 303


def test_fifty_people_who_each_mistype_once_on_known_browsers_lock_nothing(api: Api, clock: list[datetime]) -> None:
    for number in range(50):
        put_user(api, f"m{number}")
        browser = From(api, HOME)
        assert browser.attempt(f"m{number}", PASSWORD) == 303
        assert (browser.attempt(f"m{number}"), browser.attempt(f"m{number}", PASSWORD)) == (401, 303)


def test_a_known_browser_is_throttled_itself(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    here = From(api, HOME)
    here.attempt("anna", PASSWORD)
    assert [here.attempt("anna") for _ in range(5)] == [401] * 5
    assert here.attempt("anna", PASSWORD) == 401
    clock[0] += timedelta(seconds=31)
    assert here.attempt("anna", PASSWORD) == 303


def test_a_device_cookie_serves_one_account_only(api: Api, clock: list[datetime]) -> None:
    for name in ("anna", "mallory"):
        put_user(api, name)
    thief = From(api, ELSEWHERE)
    assert thief.attempt("mallory", PASSWORD) == 303
    token = thief.cookies[name_for("default", "mallory")]
    thief.cookies[name_for("default", "anna")] = token  # as if it were anna's
    statuses = [thief.attempt("anna") for _ in range(30)]
    assert statuses.count(429) == 30 - 20, "counted for the address like anybody's"


@pytest.mark.parametrize("forged", ["", "a" * 43, "a" * 5_000, "ü" * 20, "'; DROP TABLE users"])
def test_a_forged_or_expired_device_cookie_is_no_device(api: Api, clock: list[datetime], forged: str) -> None:
    put_user(api)
    here = From(api, HOME)
    here.attempt("anna", PASSWORD)
    real = here.cookies[name_for("default", "anna")]
    here.cookies[name_for("default", "anna")] = forged.encode("ascii", "ignore").decode().replace(";", "")
    assert 429 in [here.attempt("anna") for _ in range(25)]
    here.cookies[name_for("default", "anna")] = real
    clock[0] += timedelta(days=sign_in_devices.DAYS, seconds=1)
    with write(api.engine) as connection:
        assert sign_in_devices.charge(connection, "default", "anna", real, int(clock[0].timestamp() * 1e6)) is None


def test_people_who_share_a_browser_keep_their_devices_apart(api: Api, clock: list[datetime]) -> None:
    put_user(api, "anna")
    put_user(api, "ben")
    shared = From(api, HOME)
    for name in ("anna", "ben", "anna"):
        assert shared.attempt(name, PASSWORD) == 303
    with api.engine.connect() as connection:
        owners = connection.scalars(sa.select(schema.sign_in_devices.c.user_id)).all()
    assert sorted(owners) == [1, 2]
    assert name_for("default", "anna") == name_for("default", " anna ") != name_for("other", "anna")


def test_a_new_password_leaves_known_browsers_known_and_ends_every_wait(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    here, there = From(api, HOME), From(api, ELSEWHERE)
    here.attempt("anna", PASSWORD)
    for _ in range(6):
        there.attempt("anna")
    assert there.attempt("anna", PASSWORD) == 401
    from console_world import _HASHES

    with write(api.engine) as connection:
        users.set_password(
            connection, users.find_user(connection, 1, "anna"), _HASHES[PASSWORD], actor="root", now_us=1
        )
    assert there.attempt("anna", PASSWORD) == 303
    with api.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.sign_in_devices)) == 2


def test_devices_of_an_account_are_bounded(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    for _ in range(sign_in_devices.MOST + 5):
        assert From(api, HOME).attempt("anna", PASSWORD) == 303
        clock[0] += timedelta(seconds=1)
    with api.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.sign_in_devices)) == sign_in_devices.MOST


def test_rows_of_counts_are_bounded_whatever_is_tried(
    api: Api, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_throttle, "MOST_ROWS", 40)
    for number in range(60):
        From(api, f"203.0.113.{number}").attempt(f"guess-{number}")
    with api.engine.connect() as connection:
        assert (connection.scalar(sa.select(sa.func.count()).select_from(schema.sign_in_addresses)) or 0) <= 42


def test_an_unknown_name_leaves_the_same_counts_as_a_known_one(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    known, unknown = From(api, HOME), From(api, ELSEWHERE)
    assert [known.attempt("anna") for _ in range(8)] == [unknown.attempt("nobody") for _ in range(8)]
    with api.engine.connect() as connection:
        found = connection.execute(sa.select(schema.sign_in_addresses)).all()
    by_place = {place: [row.failures for row in found if row.address.startswith(place)] for place in (HOME, ELSEWHERE)}
    assert by_place[HOME] == by_place[ELSEWHERE]


def test_many_addresses_of_one_ipv6_customer_are_one_network(api: Api, clock: list[datetime]) -> None:
    statuses = Counter(From(api, f"2001:db8:7:{number:x}::1").attempt(f"guess-{number}") for number in range(130))
    assert statuses == {401: 100, 429: 30}
    assert From(api, "2001:db8:8::1").attempt("guess") == 401


def test_guessing_in_an_open_session_does_not_lock_the_sign_in_nor_the_other_way_round(
    api: Api, clock: list[datetime]
) -> None:
    anna = sign_in(api)
    form = {"present": WRONG, "fresh": "another horse battery", "again": "another horse battery"}
    anna.get("/console/password")
    assert [anna.post("/console/password", form).status_code for _ in range(6)] == [422] * 5 + [429]
    assert From(api, HOME).attempt("anna", PASSWORD) == 303
    clock[0] += timedelta(seconds=31)
    for number in range(120):
        From(api, f"203.0.113.{number}").attempt("anna")
    assert anna.post("/console/password", {**form, "present": PASSWORD}).status_code == 303


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:50123", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("64:ff9b::c000:201", "192.0.2.1"),
        ("2002:c000:201::5", "192.0.2.1"),
        ("unknown", "unknown"),
        ("a b\n" + "c" * 99, "ab" + "c" * 27),
        (" ", "unknown"),
    ],
)
def test_what_an_address_is_counted_as(host: str, counted: str) -> None:
    assert counted_address(host) == counted


def test_the_network_around_an_address() -> None:
    assert network_of("2001:db8:7:5::/64") == "2001:db8:7::/48"
    assert network_of("192.0.2.1") is None and network_of("unknown") is None


def test_counts_are_forgiven_with_time_and_waits_double_up_to_a_bound() -> None:
    second = 1_000_000
    assert count(4, 0, 0, FreeAttempts(5)).locked_until_us == 30 * second
    assert count(6, 0, 0, FreeAttempts(5)).locked_until_us == 120 * second
    assert count(400, 0, 0, FreeAttempts(5)).locked_until_us == 900 * second
    assert count(19, 0, 180 * second * 5, FreeAttempts(20, 180)).failures == 15
    assert count(3, 5 * second, 0, FreeAttempts(20, 180)).failures == 4, "a clock that went back forgives nothing"
