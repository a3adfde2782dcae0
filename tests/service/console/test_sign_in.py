"""Who gets in: the form, sessions, lock-out, tokens, roles."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from conftest import Api
from console_world import PASSWORD, Visitor, put_user, sign_in

from service.api.api_context import MetricsSink
from service.ops.observations import SIGN_INS
from service.storage.accounts import sessions, sign_in_throttle, users
from service.storage.accounts.sign_in_throttle import FreeAttempts
from service.storage.sql import schema
from service.storage.sql.engine import write

NOT_RIGHT = " name or password. After several failed attempts the account is temporarily locked"


def test_a_page_without_a_session_leads_to_the_form_and_back_to_the_page(api: Api) -> None:
    put_user(api)
    visitor = Visitor(api)
    sent_away = visitor.get("/console/clusters?status=any&min_score=2")
    assert sent_away.status_code == 303
    assert sent_away.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fclusters%3Fstatus%3Dany%26min_score%3D2"
    assert (
        visitor.sign_in("default", "anna", next="/console/clusters?status=any&min_score=2").headers["location"]
        == "/console/clusters?status=any&min_score=2"
    )


def test_htmx_and_scripts_get_a_suitable_response_when_the_session_has_ended(api: Api) -> None:
    visitor = Visitor(api)
    part = visitor.get(
        "/console/clusters", htmx=True, headers={"HX-Current-URL": "http://testserver/console/clusters?kind=repeat"}
    )
    assert (part.status_code, part.headers["hx-redirect"]) == (
        401,
        "/console/sign-in?next=%2Fconsole%2Fclusters%3Fkind%3Drepeat",
    )
    assert visitor.get("/console/clusters", headers={"Accept": "application/json"}).json()["status"] == 401


def test_the_correct_password_opens_a_session_known_only_to_its_cookie(api: Api) -> None:
    put_user(api)
    visitor = Visitor(api)
    visitor.cookies["brigadewatch"] = "chosen-by-somebody-else"
    answer = visitor.sign_in("default", "anna")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/clusters")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("brigadewatch="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    token = visitor.cookies["brigadewatch"]
    assert token != "chosen-by-somebody-else"
    assert len(token) >= 43
    with api.engine.connect() as connection:
        stored = connection.execute(sa.select(schema.sessions)).mappings().all()
    assert len(stored) == 1
    assert token not in json.dumps([dict(row) for row in stored])
    assert visitor.get("/console/clusters").status_code == 200


@pytest.mark.parametrize(
    ("tenant", "name", "password"),
    [
        ("default", "anna", "wrong horse battery"),
        ("default", "nobody", PASSWORD),
        ("elsewhere", "anna", PASSWORD),
        ("", "", ""),
        ("default", "anna", ""),
        ("default", "a\x00b", "\ud800".encode("utf-8", "surrogatepass")),
    ],
)
def test_every_failed_sign_in_gets_the_same_message(api: Api, tenant: str, name: str, password: str | bytes) -> None:
    put_user(api)
    answer = Visitor(api).sign_in(tenant, name, password)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert NOT_RIGHT in answer.text
    assert not [line for line in answer.headers.get_list("set-cookie") if line.startswith("brigadewatch=")]


def test_an_unknown_name_takes_as_long_as_a_wrong_password(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.storage.accounts import passwords

    put_user(api)
    verified: list[str] = []
    hasher = passwords._HASHER
    monkeypatch.setattr(
        passwords,
        "_HASHER",
        type(
            "Counting",
            (),
            {"verify": lambda self, h, p: verified.append(h) or hasher.verify(h, p), "hash": hasher.hash},
        )(),
    )
    Visitor(api).sign_in("default", "nobody")
    assert len(verified) == 1


def test_after_five_wrong_passwords_the_account_is_locked_for_longer_each_time(api: Api, clock: list[datetime]) -> None:
    put_user(api)
    visitor = Visitor(api)
    for _ in range(5):
        assert visitor.sign_in("default", "anna", "wrong wrong wrong").status_code == 401
    assert visitor.sign_in("default", "anna").status_code == 401
    clock[0] += timedelta(seconds=31)
    assert visitor.sign_in("default", "anna", "wrong wrong wrong").status_code == 401
    clock[0] += timedelta(seconds=31)
    assert visitor.sign_in("default", "anna").status_code == 401  # the second wait is 60 s
    clock[0] += timedelta(seconds=30)
    assert visitor.sign_in("default", "anna").status_code == 303
    with api.engine.connect() as connection:
        counts = dict(
            connection.execute(sa.select(schema.sign_in_addresses.c.address, schema.sign_in_addresses.c.failures)).all()
        )
        assert list(counts) == ["127.0.0.1"], "the count of this account at this address has ended"
        locked = (
            connection.execute(
                sa.select(schema.audit_trail.c.subject).where(schema.audit_trail.c.action == "user-locked")
            )
            .scalars()
            .all()
        )
    assert locked == ["user:anna"] * 2


def test_an_address_that_tries_many_names_is_locked_and_told_for_how_long(
    api: Api, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_throttle, "OF_ADDRESS", FreeAttempts(3))
    visitor = Visitor(api)
    for number in range(3):
        assert visitor.sign_in("default", f"guess-{number}").status_code == 401
    refused = visitor.sign_in("default", "guess-4")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    clock[0] += timedelta(seconds=31)
    assert visitor.sign_in("default", "guess-5").status_code == 401


def test_sign_in_attempts_are_counted_by_result(
    api: Api, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seen(MetricsSink):
        results: list[str] = []  # noqa: RUF012

        def signed_in(self, result: str) -> None:
            self.results.append(result)

    api.app.state.observe = Seen()
    monkeypatch.setattr(sign_in_throttle, "OF_ONE", FreeAttempts(2))
    monkeypatch.setattr(sign_in_throttle, "OF_ADDRESS", FreeAttempts(9))
    put_user(api)
    visitor = Visitor(api)
    for password in ("wrong wrong wrong", "wrong wrong wrong", PASSWORD):
        visitor.sign_in("default", "anna", password)
    visitor.sign_in("default", "nobody")
    clock[0] += timedelta(seconds=31)
    visitor.sign_in("default", "anna")
    assert Seen.results == ["wrong", "lock-out", "locked", "wrong", "signed-in"]
    visitor = Visitor(api)
    for number in range(6):
        visitor.sign_in("default", f"nobody-{number}")
    assert Seen.results[5:] == ["wrong"] * 5 + ["address-locked"]
    assert set(Seen.results) <= set(SIGN_INS)


def test_a_session_ends_when_idle_and_after_a_week_whatever_happens(api: Api, clock: list[datetime]) -> None:
    anna = sign_in(api)
    clock[0] += timedelta(hours=11)
    assert anna.get("/console/clusters").status_code == 200
    clock[0] += timedelta(hours=11)
    assert anna.get("/console/clusters").status_code == 200
    clock[0] += timedelta(hours=12, seconds=1)
    assert anna.get("/console/clusters").status_code == 303
    anna.sign_in("default", "anna")
    for _ in range(15):
        clock[0] += timedelta(hours=11)
        answer = anna.get("/console/clusters")
    assert answer.status_code == 200  # 165 h
    clock[0] += timedelta(hours=3)
    assert anna.get("/console/clusters").status_code == 303


def test_disabling_an_account_or_resetting_its_password_ends_its_sessions(api: Api) -> None:
    anna, ben = sign_in(api, "anna"), sign_in(api, "ben")
    with write(api.engine) as connection:
        users.disable_user(connection, users.find_user(connection, 1, "anna"), actor="test", now_us=1)
        users.set_password(connection, users.find_user(connection, 1, "ben"), "not a hash", actor="test", now_us=1)
    assert anna.get("/console/clusters").status_code == 303
    assert ben.get("/console/clusters").status_code == 303
    assert anna.sign_in("default", "anna").status_code == 401


def test_signing_out_ends_this_session_and_everywhere_ends_them_all(api: Api) -> None:
    here = sign_in(api)
    there = Visitor(api)
    there.sign_in("default", "anna")
    third = Visitor(api)
    third.sign_in("default", "anna")
    third.get("/console/clusters")
    assert third.post("/console/sign-out").status_code == 303
    assert [one.get("/console/clusters").status_code for one in (here, there, third)] == [200, 200, 303]
    assert here.post("/console/sign-out", {"everywhere": "yes"}).headers["location"] == "/console/sign-in"
    assert [one.get("/console/clusters").status_code for one in (here, there)] == [303, 303]


def test_a_post_needs_the_sessions_own_token(api: Api) -> None:
    anna, ben = sign_in(api, "anna"), sign_in(api, "ben")
    for token in ("", "guess", ben.csrf):
        refused = anna.post("/console/preferences", {"theme": "dark"}, csrf=token)
        assert refused.status_code == 403
        assert "out of date" in refused.text
    assert anna.post("/console/preferences", {"theme": "dark"}).status_code == 303
    assert (
        anna.post("/console/preferences", {"theme": "dark"}, csrf="", headers={"X-CSRF-Token": anna.csrf}).status_code
        == 303
    )
    assert anna.request("POST", "/console/preferences", json={"csrf": anna.csrf, "theme": "light"}).status_code == 403
    assert 'data-theme="dark"' in anna.get("/console/clusters").text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_from_another_site_is_refused_even_with_a_token(api: Api, headers: dict[str, str]) -> None:
    anna = sign_in(api)
    assert anna.post("/console/preferences", {"theme": "dark"}, headers=headers).status_code == 403
    fresh = Visitor(api)
    fresh.get("/console/sign-in")
    assert (
        fresh.post(
            "/console/sign-in", {"tenant": "default", "name": "anna", "password": PASSWORD}, headers=headers
        ).status_code
        == 403
    )


def test_a_sign_in_form_from_another_browser_is_refused(api: Api) -> None:
    put_user(api)
    other = Visitor(api)
    other.get("/console/sign-in")
    visitor = Visitor(api)
    answer = visitor.post(
        "/console/sign-in", {"tenant": "default", "name": "anna", "password": PASSWORD}, csrf=other.csrf
    )
    assert answer.status_code == 403
    assert "expired" in answer.text


@pytest.mark.parametrize(
    "next",
    [
        "https://evil.example/",
        "//evil.example",
        "/console//evil.example",
        "/console\\evil",
        "/v1/clusters",
        "/console/sign-out",
        "javascript:alert(1)",
        "/console/clusters\r\nX: y",
        "/console/ü",
        "/console-evil",
        "/console/clusters?q=" + "a" * 2_048,
    ],
)
def test_signing_in_never_redirects_to_another_site(api: Api, next: str) -> None:
    put_user(api)
    assert Visitor(api).sign_in("default", "anna", next=next).headers["location"] == "/console/clusters"


def test_over_https_the_cookie_is_bound_to_the_host_and_only_sent_encrypted(api: Api) -> None:
    put_user(api)
    visitor = Visitor(api)
    secure = {"Origin": "https://testserver"}
    page = visitor.get("https://testserver/console/sign-in")
    assert all(
        line.startswith("__Host-") and "Secure" in line and "Domain" not in line
        for line in page.headers.get_list("set-cookie")
    )
    answer = visitor.post(
        "https://testserver/console/sign-in",
        {"tenant": "default", "name": "anna", "password": PASSWORD},
        headers=secure,
    )
    assert any(
        line.startswith("__Host-brigadewatch=") and "Secure" in line for line in answer.headers.get_list("set-cookie")
    )


def test_password_hashes_are_renewed_when_their_parameters_have_changed(api: Api) -> None:
    import argon2

    put_user(api)
    old = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    with write(api.engine) as connection:
        connection.execute(sa.update(schema.users).values(password_hash=old))
    assert Visitor(api).sign_in("default", "anna").status_code == 303
    with api.engine.connect() as connection:
        stored = connection.scalar(sa.select(schema.users.c.password_hash))
    assert stored != old
    assert "m=8," in stored
    assert Visitor(api).sign_in("default", "anna").status_code == 303


def test_the_same_name_in_two_tenants_is_two_accounts(api: Api) -> None:
    here, there = sign_in(api, "anna", tenant="default"), sign_in(api, "anna", tenant="other", role="viewer")
    assert ">default<" in here.get("/console/clusters").text
    assert ">other<" in there.get("/console/clusters").text


def test_everything_about_accounts_is_in_the_audit_trail(api: Api) -> None:
    anna = sign_in(api)
    anna.post("/console/sign-out")
    with api.engine.connect() as connection:
        actions = (
            connection.execute(sa.select(schema.audit_trail.c.action).order_by(schema.audit_trail.c.id)).scalars().all()
        )
    assert actions == ["user-created", "sign-in", "sign-out"]


def test_the_sign_in_form_fills_in_a_single_tenant_and_explains_how_to_create_the_first_account(api: Api) -> None:
    assert "users create" in Visitor(api).get("/console/sign-in").text
    put_user(api, tenant="news")
    assert 'type="hidden" name="tenant" value="news"' in Visitor(api).get("/console/sign-in").text
    put_user(api, tenant="forum")
    assert '<label for="tenant">' in Visitor(api).get("/console/sign-in").text


def test_a_request_reads_its_session_only_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    root, read = sign_in(api, "root", role="admin"), []
    once = sessions.read_session
    monkeypatch.setattr(sessions, "read_session", lambda *given: read.append(given[1]) or once(*given))
    assert root.get("/console/settings/patrols").status_code == 200  # for admins, with a reporter's id that is mapped
    assert len(read) == 1
    assert root.post("/console/settings/patrols/add", {"reporter": "r1"}).status_code == 303
    assert len(read) == 2


def test_signing_in_never_adopts_a_session_chosen_by_someone_else(api: Api) -> None:
    put_user(api)
    visitor = Visitor(api)
    visitor.cookies["brigadewatch"] = "a" * 43
    assert visitor.get("/console/clusters").status_code == 303
    assert visitor.sign_in("default", "anna").status_code == 303
    assert visitor.cookies["brigadewatch"] != "a" * 43
    thief = Visitor(api)
    thief.cookies["brigadewatch"] = "a" * 43
    assert thief.get("/console/clusters").status_code == 303


def test_failed_attempts_by_others_do_not_disturb_an_open_session(api: Api, clock: list[datetime]) -> None:
    anna, stranger = sign_in(api), Visitor(api)
    for _ in range(7):
        stranger.sign_in("default", "anna", "wrong wrong wrong")
    assert Visitor(api).sign_in("default", "anna").status_code == 401, "the account is locked"
    assert anna.get("/console/clusters").status_code == 200
    assert anna.post("/console/preferences", {"theme": "dark"}).status_code == 303
    clock[0] += timedelta(minutes=16)
    assert Visitor(api).sign_in("default", "anna").status_code == 303, "at most a quarter of an hour"
