"""Codes from an app, recovery codes, rules that require them, and links that bring people back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pyotp
import sqlalchemy as sa
from conftest import Api
from console_world import PASSWORD, Visitor, put_user, sign_in
from identity_provider import lying_provider
from sso_world import arrive, begin, use_provider

from service.console.device_cookie import name_for
from service.storage.accounts import second_factors
from service.storage.sql import schema

SECURITY = "/console/security"


def prove(visitor: Visitor, **form: str) -> int:
    visitor.get(SECURITY)
    status = visitor.post(f"{SECURITY}/prove", {"password": PASSWORD, **form}).status_code
    visitor.get(SECURITY)
    return status


def set_up(visitor: Visitor, clock: list[datetime]) -> tuple[pyotp.TOTP, list[str]]:
    """Codes from an app for a signed-in person: the app, and the recovery codes."""
    assert prove(visitor) == 303
    assert visitor.post(f"{SECURITY}/codes/begin").status_code == 303
    page = visitor.get(SECURITY).text
    assert 'src="data:image/svg+xml' in page and "style=" not in page and "otpauth://totp/" in page
    found = re.search(r'id="app-key">([A-Z2-7 ]+)<', page)
    assert found is not None
    app = pyotp.TOTP(found[1].replace(" ", ""))
    answer = visitor.post(f"{SECURITY}/codes/confirm", {"code": app.at(clock[0])})
    codes = re.search(r'<textarea id="recovery-codes"[^>]*>([^<]+)</textarea>', answer.text)
    assert codes is not None, answer.text
    visitor.get(SECURITY)
    clock[0] += timedelta(seconds=30)  # the code that set it up is used
    return app, unescape(codes[1]).split()


def to_step(api: Api, name: str = "anna") -> Visitor:
    visitor = Visitor(api)
    answer = visitor.sign_in("default", name)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in/code")
    assert "brigadewatch" not in visitor.cookies and visitor.get("/console/clusters").status_code == 303
    visitor.get("/console/sign-in/code")
    return visitor


def enter(visitor: Visitor, code: str) -> int:
    return visitor.post("/console/sign-in/code", {"code": code}).status_code


def test_after_the_password_a_code_opens_a_new_session(api: Api, clock: list[datetime]) -> None:
    anna = sign_in(api)
    elsewhere = Visitor(api)
    elsewhere.sign_in("default", "anna")
    app, recovery = set_up(anna, clock)
    assert anna.get("/console/clusters").status_code == 200
    assert elsewhere.get("/console/clusters").status_code == 303, "sessions without the factor have ended"
    visitor = to_step(api)
    visitor.cookies["brigadewatch"] = "chosen-by-somebody-else"
    assert enter(visitor, app.at(clock[0])) == 303
    assert visitor.cookies["brigadewatch"] != "chosen-by-somebody-else" and "brigadewatch-step" not in visitor.cookies
    assert visitor.get("/console/clusters").status_code == 200
    with api.engine.connect() as connection:
        stored = str(connection.execute(sa.select(schema.second_factors)).all())
        hashes = str(connection.execute(sa.select(schema.recovery_codes)).all())
    assert app.secret not in stored and not [code for code in recovery if code in hashes]


def test_a_code_works_once_and_within_half_a_minute_of_skew(api: Api, clock: list[datetime]) -> None:
    app, _ = set_up(sign_in(api), clock)
    code = app.at(clock[0])
    assert enter(to_step(api), code) == 303
    assert enter(to_step(api), code) == 401, "the same code again"
    assert enter(to_step(api), app.at(clock[0] - timedelta(seconds=30))) == 401, "nor an earlier one"
    clock[0] += timedelta(minutes=5)
    assert enter(to_step(api), app.at(clock[0] - timedelta(seconds=30))) == 303
    clock[0] += timedelta(minutes=5)
    assert enter(to_step(api), app.at(clock[0] + timedelta(seconds=30))) == 303
    assert enter(to_step(api), app.at(clock[0])) == 401, "an older one than the one that was used"
    clock[0] += timedelta(minutes=5)
    for seconds in (-60, 60):
        assert enter(to_step(api), app.at(clock[0] + timedelta(seconds=seconds))) == 401


def test_guessing_codes_is_slowed_down_across_sessions_and_the_right_one_has_to_wait_too(
    api: Api, clock: list[datetime]
) -> None:
    app, recovery = set_up(sign_in(api), clock)
    visitor = to_step(api)
    assert [enter(visitor, "000000") for _ in range(5)] == [401] * 5
    assert enter(visitor, app.at(clock[0])) == 429
    assert enter(to_step(api), recovery[0]) == 429, "with a fresh password step as well"
    clock[0] += timedelta(seconds=31)
    assert enter(to_step(api), "nonsense") == 401
    clock[0] += timedelta(seconds=31)
    assert enter(to_step(api), app.at(clock[0])) == 429, "the second wait is 60 s"
    clock[0] += timedelta(seconds=31)
    assert enter(to_step(api), app.at(clock[0])) == 303
    assert enter(to_step(api), "000000") == 401, "a right code starts from zero"


def counted(api: Api) -> dict[str, int]:
    """Failures by what they are counted for: an address, the account at an address, the account."""
    a, u = schema.sign_in_addresses.c, schema.users.c
    with api.engine.connect() as connection:
        rows = [
            *connection.execute(sa.select(a.address, a.failures)),
            *connection.execute(sa.select(u.name, u.failures)),
        ]
    return {"pair" if " " in key else key: failures for key, failures in rows if failures}


def test_a_right_password_alone_counts_as_an_attempt_until_the_code_is_right(api: Api, clock: list[datetime]) -> None:
    app, _ = set_up(sign_in(api), clock)
    assert counted(api) == {}
    visitor = [to_step(api) for _ in range(3)][-1]
    assert counted(api) == {"127.0.0.1": 3, "pair": 3, "anna": 3}
    step = visitor.cookies["brigadewatch-step"]
    assert enter(visitor, "000000") == 401 and counted(api) == {"127.0.0.1": 3, "pair": 3, "anna": 3}
    assert enter(visitor, app.at(clock[0])) == 303
    assert counted(api) == {"127.0.0.1": 2, "anna": 2}, "its own attempt, and no other"
    clock[0] += timedelta(seconds=30)
    again = Visitor(api)
    again.cookies["brigadewatch-step"] = step
    assert enter(again, app.at(clock[0])) == 303 and again.get("/console/clusters").status_code == 200
    assert counted(api) == {"127.0.0.1": 2, "anna": 2}, "an attempt is taken back once, whatever is brought again"
    for _ in range(5):
        to_step(api)
    assert Visitor(api).sign_in("default", "anna").status_code == 401, "a password without the code is slowed down"


def test_the_browser_is_known_only_after_the_code_and_is_then_counted_apart(api: Api, clock: list[datetime]) -> None:
    app, _ = set_up(sign_in(api), clock)
    visitor, device = to_step(api), name_for("default", "anna")
    assert enter(visitor, "000000") == 401 and device not in visitor.cookies
    assert enter(visitor, app.at(clock[0])) == 303 and device in visitor.cookies
    assert ">password</td>" in visitor.get("/console/sessions").text
    before, token = counted(api), visitor.cookies[device]
    visitor.cookies.pop("brigadewatch")
    assert visitor.sign_in("default", "anna").headers["location"] == "/console/sign-in/code"
    assert counted(api) == before and visitor.cookies[device] == token


def test_what_others_try_does_not_keep_the_owner_of_a_session_from_the_proof(api: Api, clock: list[datetime]) -> None:
    anna = sign_in(api)
    for _ in range(6):
        Visitor(api).sign_in("default", "anna", "wrong horse battery")
    assert prove(anna) == 303
    assert [prove(anna, password="wrong horse battery") for _ in range(6)] == [422] * 5 + [429]


def test_a_clock_that_was_far_ahead_shuts_nobody_out_and_lets_nobody_in(api: Api, clock: list[datetime]) -> None:
    root, anna = sign_in(api, "root", role="admin"), sign_in(api)
    app, _ = set_up(anna, clock)
    put_user(api, "ben")
    clock[0] += timedelta(days=40)
    root.sign_in("default", "root")
    visitor, late = to_step(api), to_step(api)
    assert enter(visitor, app.at(clock[0])) == 303
    link = link_for(api, root, "ben")
    clock[0] -= timedelta(days=40)
    answer = late.post("/console/sign-in/code", {"code": app.at(clock[0])})
    assert answer.headers["location"] == "/console/sign-in", "a step that was sealed ahead"
    assert Visitor(api).get(link).status_code == 404
    assert enter(to_step(api), app.at(clock[0])) == 303, "a code that was used ahead"


def test_a_recovery_code_works_once(api: Api, clock: list[datetime]) -> None:
    _, recovery = set_up(sign_in(api), clock)
    assert len(set(recovery)) == second_factors.RECOVERY_CODES
    visitor = to_step(api)
    assert enter(visitor, recovery[0].upper().replace("-", " ")) == 303
    assert "9 are left" in visitor.get("/console/clusters").text
    assert enter(to_step(api), recovery[0]) == 401
    for spoiled in ("", "-", recovery[1][:-1], recovery[1] + "a"):
        assert enter(to_step(api), spoiled) == 401
        clock[0] += timedelta(hours=1)
    assert enter(to_step(api), recovery[1]) == 303


def test_renewed_recovery_codes_replace_the_earlier_ones_and_are_in_the_audit_trail(
    api: Api, clock: list[datetime]
) -> None:
    anna = sign_in(api)
    _, before = set_up(anna, clock)
    answer = anna.post(f"{SECURITY}/codes/renew")
    found = re.search(r'<textarea id="recovery-codes"[^>]*>([^<]+)</textarea>', answer.text)
    assert found is not None and answer.headers["cache-control"] == "no-store"
    assert enter(to_step(api), before[0]) == 401
    assert enter(to_step(api), unescape(found[1]).split()[0]) == 303
    assert ("anna", "recovery-codes-renewed") in audited(api)


def test_every_use_of_a_recovery_code_is_in_the_audit_trail(api: Api, clock: list[datetime]) -> None:
    anna = sign_in(api)
    _, recovery = set_up(anna, clock)
    assert enter(to_step(api), recovery[0]) == 303
    assert prove(anna, code=recovery[1]) == 303
    assert audited(api).count(("anna", "recovery-code")) == 2


def audited(api: Api) -> list[tuple[str, str]]:
    with api.engine.connect() as connection:
        entries = connection.execute(sa.select(schema.audit_trail.c.actor, schema.audit_trail.c.action)).all()
    return [(entry.actor, entry.action) for entry in entries]


def test_turning_codes_off_needs_the_password_and_a_code(api: Api, clock: list[datetime]) -> None:
    anna = sign_in(api)
    app, _ = set_up(anna, clock)
    clock[0] += timedelta(minutes=11)  # the proof has expired
    anna.get(SECURITY)
    for path in ("codes/off", "codes/renew", "codes/begin", "passkeys/add", "passkeys/x/remove"):
        assert anna.post(f"{SECURITY}/{path}").status_code == 403, path
    assert prove(anna) == 401, "the password alone"
    assert prove(anna, password="wrong wrong wrong", code=app.at(clock[0])) == 422
    assert anna.post(f"{SECURITY}/codes/off").status_code == 403
    assert prove(anna, code=app.at(clock[0])) == 303
    assert anna.post(f"{SECURITY}/codes/off").status_code == 303
    assert Visitor(api).sign_in("default", "anna").headers["location"] == "/console/clusters"


def test_the_proof_and_the_step_of_one_person_are_of_no_use_to_another(api: Api, clock: list[datetime]) -> None:
    app, _ = set_up(sign_in(api), clock)
    ben = sign_in(api, "ben")
    assert prove(ben) == 303
    anna = to_step(api)
    assert enter(anna, app.at(clock[0])) == 303
    anna.cookies["brigadewatch-proof"] = ben.cookies["brigadewatch-proof"]
    anna.get(SECURITY)
    assert anna.post(f"{SECURITY}/codes/off").status_code == 403
    step = to_step(api).cookies["brigadewatch-step"]
    for name in ("brigadewatch-proof", "brigadewatch-sso"):
        anna.cookies[name] = step
    anna.get(SECURITY)
    assert anna.post(f"{SECURITY}/codes/off").status_code == 403


def test_the_second_step_ends_with_time_with_the_password_and_with_the_account(api: Api, clock: list[datetime]) -> None:
    anna = sign_in(api)
    app, _ = set_up(anna, clock)
    late, changed = to_step(api), to_step(api)
    clock[0] += timedelta(seconds=301)
    assert late.post("/console/sign-in/code", {"code": app.at(clock[0])}).headers["location"] == "/console/sign-in"
    changed = to_step(api)
    anna.get("/console/password")
    fresh = {"present": PASSWORD, "fresh": "a staple is no horse", "again": "a staple is no horse"}
    assert anna.post("/console/password", fresh).status_code == 303
    answer = changed.post("/console/sign-in/code", {"code": app.at(clock[0])})
    assert answer.headers["location"] == "/console/sign-in" and "brigadewatch" not in changed.cookies


def test_a_tenant_that_requires_a_second_factor_shows_nothing_before_there_is_one(
    api: Api, clock: list[datetime]
) -> None:
    root, anna = sign_in(api, "root", role="admin"), sign_in(api)
    root.get("/console/settings/sign-in")
    assert (
        root.post("/console/settings/sign-in/rules", {"passwords": "all", "second_factor": "required"}).status_code
        == 303
    )
    for visitor in (root, anna):
        assert visitor.get("/console/clusters").headers["location"] == SECURITY
        assert visitor.get("/console/clusters", headers={"Accept": "application/json"}).status_code == 403
    _app, _ = set_up(anna, clock)
    assert anna.get("/console/clusters").status_code == 200
    anna.get(SECURITY)
    assert "set up another one" in anna.post(f"{SECURITY}/codes/off").text


def test_passwords_for_admins_only_end_the_others_sessions(api: Api) -> None:
    root, anna = sign_in(api, "root", role="admin"), sign_in(api)
    root.get("/console/settings/sign-in")
    root.post("/console/settings/sign-in/rules", {"passwords": "admins", "second_factor": "optional"})
    assert anna.get("/console/clusters").status_code == 303
    refused = Visitor(api).sign_in("default", "anna")
    assert refused.status_code == 403 and "passwords are for admins only" in refused.text
    assert Visitor(api).sign_in("default", "anna", "wrong wrong wrong").status_code == 401
    assert Visitor(api).sign_in("default", "root").status_code == 303
    nonsense = root.post("/console/settings/sign-in/rules", {"passwords": "nobody", "second_factor": "optional"})
    assert nonsense.status_code == 422


def test_people_of_a_provider_are_asked_for_our_factor_only_if_that_is_wanted(api: Api) -> None:
    at = [datetime.now(UTC)]
    api.app.state.api.now = lambda: at[0]
    with lying_provider() as liar:
        use_provider(api, liar.issuer, liar.receiver.opening, second_factor=True)
        anna = Visitor(api)
        assert arrive(anna, liar.come_back(begin(anna))).headers["location"] == "/console/clusters"
        anna.get(SECURITY)
        assert prove(anna, password="") == 303
        app, _ = set_up_proven(anna, at)
        again = Visitor(api)
        assert arrive(again, liar.come_back(begin(again))).headers["location"] == "/console/sign-in/code"
        assert again.get("/console/clusters").status_code == 303
        assert enter(again, app.at(at[0])) == 303
        assert again.get("/console/clusters").status_code == 200
        use_provider(api, liar.issuer, liar.receiver.opening, second_factor=False)
        third = Visitor(api)
        assert arrive(third, liar.come_back(begin(third))).headers["location"] == "/console/clusters"


def set_up_proven(visitor: Visitor, clock: list[datetime]) -> tuple[pyotp.TOTP, list[str]]:
    visitor.post(f"{SECURITY}/codes/begin")
    found = re.search(r'id="app-key">([A-Z2-7 ]+)<', visitor.get(SECURITY).text)
    assert found is not None
    app = pyotp.TOTP(found[1].replace(" ", ""))
    assert visitor.post(f"{SECURITY}/codes/confirm", {"code": app.at(clock[0])}).status_code == 200
    clock[0] += timedelta(seconds=30)
    return app, []


def link_for(api: Api, root: Visitor, name: str, **form: str) -> str:
    with api.engine.connect() as connection:
        number = connection.scalar(sa.select(schema.users.c.id).where(schema.users.c.name == name))
    root.get(f"/console/settings/people/{number}")
    page = root.post(f"/console/settings/people/{number}/reset", form).text
    found = re.search(r'id="shown-once"[^>]* value="http://testserver([^"]+)"', page)
    assert found is not None, page
    return found[1]


def choose(visitor: Visitor, path: str, password: str = "chosen by its owner") -> int:
    return visitor.post(path, {"fresh": password, "again": password}).status_code


def test_a_link_sets_a_password_once_and_keeps_the_second_factor_unless_told(api: Api, clock: list[datetime]) -> None:
    root, anna = sign_in(api, "root", role="admin"), sign_in(api)
    _app, _ = set_up(anna, clock)
    first, path = link_for(api, root, "anna"), link_for(api, root, "anna")
    assert anna.get("/console/clusters").status_code == 303
    assert Visitor(api).sign_in("default", "anna").status_code == 401, "the earlier password is void"
    visitor = Visitor(api)
    assert visitor.get(first).status_code == 404, "the newer link replaces it"
    assert visitor.get(path).status_code == 200 and visitor.get(path).status_code == 200, "looking uses nothing up"
    assert choose(visitor, path, "short") == 422
    assert choose(visitor, path) == 200
    assert choose(visitor, path, "another password") == 404
    assert visitor.sign_in("default", "anna", "chosen by its owner").headers["location"] == "/console/sign-in/code"
    path = link_for(api, root, "anna", factors="yes")
    assert choose(visitor, path, "chosen by her again") == 200
    assert visitor.sign_in("default", "anna", "chosen by her again").headers["location"] == "/console/clusters"
    with api.engine.connect() as connection:
        assert path.rpartition("/")[2] not in str(connection.execute(sa.select(schema.one_time_links)).all())


def test_a_link_ends_after_three_days_with_the_account_and_for_other_sites(api: Api, clock: list[datetime]) -> None:
    root = sign_in(api, "root", role="admin")
    put_user(api)
    path, visitor = link_for(api, root, "anna"), Visitor(api)
    evil = visitor.post(path, {"fresh": "x" * 12, "again": "x" * 12}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    clock[0] += timedelta(hours=73)
    assert (visitor.get(path).status_code, choose(visitor, path)) == (404, 404)
    root.sign_in("default", "root")
    path = link_for(api, root, "anna")
    with api.engine.connect() as connection:
        number = connection.scalar(sa.select(schema.users.c.id).where(schema.users.c.name == "anna"))
    root.get(f"/console/settings/people/{number}")
    root.post(f"/console/settings/people/{number}/disable")
    assert choose(visitor, path) == 404
    root.post(f"/console/settings/people/{number}/enable")
    assert choose(visitor, path) == 404, "not even once the account is enabled again"


def test_a_link_takes_an_account_back_from_the_provider(api: Api) -> None:
    api.app.state.api.now = lambda: datetime.now(UTC)
    root = sign_in(api, "root", role="admin")
    with lying_provider() as liar:
        use_provider(api, liar.issuer, liar.receiver.opening)
        anna = Visitor(api)
        arrive(anna, liar.come_back(begin(anna)))
        assert liar.issuer in root.get("/console/settings/people/2").text
        for guess in ("", "the password of nobody"):  # what an unknown name's password is compared with
            assert Visitor(api).sign_in("default", "anna", guess).status_code == 401
        anna.get("/console/password")
        assert anna.post("/console/password", {"present": "", "fresh": "", "again": ""}).status_code == 409
        assert choose(Visitor(api), link_for(api, root, "anna")) == 200
        assert Visitor(api).sign_in("default", "anna", "chosen by its owner").status_code == 303
        again = Visitor(api)
        assert arrive(again, liar.come_back(begin(again))).status_code == 403, "one way in, never both"
