"""Which account a provider's word opens, what ends with that, and what outlives neither provider nor account."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

import pyotp
import pytest
import sqlalchemy as sa
from conftest import NOW_US, Api
from console_world import PASSWORD, Visitor, put_user, sign_in
from identity_provider import LyingProvider, lying_provider
from joserfc import jwt
from joserfc.jwk import RSAKey
from loopback import Answer, Asked
from sso_world import allow_outbound, arrive, begin, sent_to, use_provider

from service.storage.accounts import identity_providers, one_time_links, second_factors, users
from service.storage.accounts.passwords import hash_password
from service.storage.sql import schema
from service.storage.sql.engine import write

ADDRESS = "boss@example.org"


@pytest.fixture
def by_email(api: Api, liar: LyingProvider) -> LyingProvider:
    """The provider, whose verified addresses open accounts of the same name."""
    use_provider(api, liar.issuer, liar.receiver.opening, link_by_email=True)
    liar.claims = {"preferred_username": ADDRESS, "email": ADDRESS, "email_verified": True, "roles": ["leads"]}
    return liar


def come_by_provider(api: Api, liar: LyingProvider) -> tuple[Visitor, int, str]:
    """One sign-in of a new browser: it, the status, and the page."""
    visitor = Visitor(api)
    answer = arrive(visitor, liar.come_back(begin(visitor)))
    return visitor, answer.status_code, answer.text


def test_an_address_does_not_take_the_last_password_of_an_admin(api: Api, by_email: LyingProvider) -> None:
    put_user(api, ADDRESS, role="admin")
    put_user(api, "anna")
    _, status, text = come_by_provider(api, by_email)
    assert status == 403 and "the only admin with a password" in text
    assert Visitor(api).sign_in("default", ADDRESS).status_code == 303, "the way in while the provider is down"
    put_user(api, "keeper", role="admin")
    assert come_by_provider(api, by_email)[1] == 303
    assert Visitor(api).sign_in("default", ADDRESS).status_code == 401


def test_an_address_leaves_a_disabled_account_as_it_is(api: Api, by_email: LyingProvider) -> None:
    put_user(api, "keeper", role="admin")
    put_user(api, ADDRESS)
    with write(api.engine) as connection:
        users.disable_user(connection, users.find_user(connection, 1, ADDRESS), actor="test", now_us=NOW_US)
    _, status, text = come_by_provider(api, by_email)
    assert status == 403 and "disabled" in text
    with write(api.engine) as connection:
        users.enable_user(connection, users.find_user(connection, 1, ADDRESS), actor="test", now_us=NOW_US)
    assert Visitor(api).sign_in("default", ADDRESS).status_code == 303, "with the password that it had"


def change_while_it_is_asked(liar: LyingProvider, change: Callable[[], None]) -> None:
    """`change` happens while the provider is asked who came back."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/token":
            change()
        return liar.answer(asked)

    liar.receiver.answer = answer


def test_a_provider_that_is_removed_while_it_is_asked_lets_nobody_in(api: Api, liar: LyingProvider) -> None:
    change_while_it_is_asked(liar, lambda: remove(api))
    _, status, text = come_by_provider(api, liar)
    assert status == 403 and "has just been changed" in text
    use_provider(api, liar.issuer, liar.receiver.opening)
    change_while_it_is_asked(liar, lambda: use_provider(api, liar.issuer, liar.receiver.opening, roles="leads = admin"))
    assert come_by_provider(api, liar)[1] == 403, "by rules that no longer hold"


def test_a_provider_that_is_removed_while_an_account_is_connected_leaves_its_password(
    api: Api, liar: LyingProvider
) -> None:
    anna = sign_in(api)
    anna.get("/console/security")
    anna.post("/console/security/prove", {"password": PASSWORD})
    anna.get("/console/security")
    there = sent_to(anna.post("/console/security/connect"))
    change_while_it_is_asked(liar, lambda: remove(api))
    arrive(anna, liar.come_back(there))
    assert "has just been changed. Try again.<" in anna.get("/console/security").text
    assert Visitor(api).sign_in("default", "anna").status_code == 303


def remove(api: Api) -> None:
    with write(api.engine) as connection:
        identity_providers.remove_provider(connection, 1, actor="test", now_us=NOW_US)


def take_over(api: Api) -> None:
    with write(api.engine) as connection:
        user = users.find_user(connection, 1, "anna")
        users.set_password(connection, user, hash_password("chosen by its owner"), actor="test", now_us=NOW_US)


def disable(api: Api) -> None:
    with write(api.engine) as connection:
        users.disable_user(connection, users.find_user(connection, 1, "anna"), actor="test", now_us=NOW_US)


@pytest.mark.parametrize("end", [remove, take_over, disable])
def test_a_second_step_after_the_provider_ends_with_it_its_link_and_the_account(
    api: Api, liar: LyingProvider, end: Callable[[Api], None]
) -> None:
    use_provider(api, liar.issuer, liar.receiver.opening, second_factor=True)
    assert come_by_provider(api, liar)[1] == 303
    with write(api.engine) as connection:
        anna = users.find_user(connection, 1, "anna")
        box = api.app.state.api.box
        app = pyotp.TOTP(second_factors.begin_codes(connection, box, anna.id))
        earlier = int(time.time()) - 60
        assert second_factors.confirm_codes(connection, box, anna, app.at(earlier), now_us=earlier * 1_000_000)
    visitor, status, _ = come_by_provider(api, liar)
    assert (status, visitor.get("/console/sign-in/code").status_code) == (303, 200)
    end(api)
    answer = visitor.post("/console/sign-in/code", {"code": app.now()})
    assert answer.headers["location"] == "/console/sign-in" and "brigadewatch" not in visitor.cookies


def test_a_one_time_link_of_before_is_no_second_way_into_an_account_that_was_connected(
    api: Api, by_email: LyingProvider
) -> None:
    put_user(api, ADDRESS)
    with write(api.engine) as connection:
        boss = users.find_user(connection, 1, ADDRESS)
        token = one_time_links.make_link(
            connection, boss, factors_too=True, actor="test", now_us=int(time.time() * 1e6)
        )
    visitor = Visitor(api)
    assert visitor.get(f"/console/sign-in/link/{token}").status_code == 200
    assert come_by_provider(api, by_email)[1] == 303
    assert visitor.get(f"/console/sign-in/link/{token}").status_code == 404


def test_signing_out_ends_the_session_here_before_the_provider_is_asked(api: Api, liar: LyingProvider) -> None:
    visitor, _, _ = come_by_provider(api, liar)
    visitor.get("/console/clusters")
    allow_outbound(api, liar.receiver.opening)  # nothing is known about the provider any more
    left: list[int] = []

    def answer(_: Asked) -> Answer:
        with api.engine.connect() as connection:
            left.append(len(connection.execute(sa.select(schema.sessions.c.hash)).all()))
        return Answer(503)

    liar.receiver.answer = answer
    assert visitor.post("/console/sign-out").headers["location"] == "/console/sign-in"
    assert left == [0] and "brigadewatch" not in visitor.cookies


def test_another_provider_than_the_one_that_opened_a_session_gets_no_id_token_of_it(
    api: Api, liar: LyingProvider
) -> None:
    liar.claims = {"roles": ["leads"]}
    anna, _, _ = come_by_provider(api, liar)
    with lying_provider() as other:
        allow_outbound(api, liar.receiver.opening, other.receiver.opening)
        other.metadata = {"end_session_endpoint": f"{other.issuer}/end"}
        anna.get("/console/settings/sign-in")
        form = {"issuer": other.issuer, "client_id": "brigadewatch", "roles": "leads = admin"}
        assert anna.post("/console/settings/sign-in/provider", form).status_code == 303
        anna.get("/console/clusters")
        answer = anna.post("/console/sign-out")
        assert (answer.status_code, answer.headers.get("location")) == (303, "/console/sign-in"), answer.text
        assert other.receiver.asked == []


def test_an_address_opens_the_account_of_that_mailbox_alone(api: Api, by_email: LyingProvider) -> None:
    put_user(api, "mass@example.org")
    put_user(api, "Ben@Example.org")
    for name, email in (
        ("mass@example.org", "maß@example.org"),  # folding makes one of the two
        ("Ben@Example.org", "be\u0274@example.org"),
        ("Ben@Example.org", "\uff22en@example.org"),
    ):
        by_email.claims |= {"preferred_username": name, "email": email}
        assert come_by_provider(api, by_email)[1] == 403, email
    twin = put_user(api, "BEN@example.org")
    by_email.claims |= {"email": "ben@example.org"}
    _, status, text = come_by_provider(api, by_email)
    assert status == 403 and "already exists here" in text, "two accounts have this address"
    with write(api.engine) as connection:
        connection.execute(sa.delete(schema.users).where(schema.users.c.id == twin))
    assert come_by_provider(api, by_email)[1] == 303


def test_a_role_by_address_is_of_that_mailbox_alone(api: Api, liar: LyingProvider) -> None:
    use_provider(api, liar.issuer, liar.receiver.opening, role_claim="email", roles="mass@example.org = admin")
    liar.claims = {"email": "maß@example.org", "email_verified": True}
    assert come_by_provider(api, liar)[1] == 403
    liar.claims = {"email": "Mass@Example.org", "email_verified": True}
    assert come_by_provider(api, liar)[1] == 303


LONG = "/console/clusters?" + "a" * 682


@pytest.mark.parametrize(
    ("next", "then"),
    [
        (LONG, LONG),
        (LONG + "a", "/console/clusters"),
        ("ü" * 700, "/console/clusters"),
        ("/console/" + '"' * 691, "/console/" + "%22" * 691),
    ],
)
def test_the_page_that_comes_next_is_kept_whole_or_left_out_and_never_breaks_the_sign_in(
    api: Api, liar: LyingProvider, next: str, then: str
) -> None:
    visitor = Visitor(api)
    answer = arrive(visitor, liar.come_back(begin(visitor, next=quote(next, safe=""))))
    assert (answer.status_code, answer.headers.get("location")) == (303, then)


def test_a_page_whose_address_holds_a_space_or_a_quote_comes_next_too(api: Api, liar: LyingProvider) -> None:
    visitor = Visitor(api)
    away = visitor.get("/console/reporters/a%20%22b").headers["location"]
    next = away.partition("next=")[2]
    answer = arrive(visitor, liar.come_back(begin(visitor, next=next)))
    assert answer.headers["location"] == "/console/reporters/a%20%22b"


def test_a_link_that_would_leave_a_person_no_way_in_is_refused(api: Api, liar: LyingProvider) -> None:
    root = sign_in(api, "root", role="admin")
    anna, _, _ = come_by_provider(api, liar)
    root.get("/console/settings/sign-in")
    root.post("/console/settings/sign-in/rules", {"passwords": "admins", "second_factor": "optional"})
    root.get("/console/settings/people/2")
    refused = root.post("/console/settings/people/2/reset")
    assert refused.status_code == 409 and "passwords are for admins only" in refused.text.lower()
    assert anna.get("/console/clusters").status_code == 200, "nothing has changed"
    put_user(api, "keeper", role="admin")
    root.get("/console/settings/people/3")
    assert "/console/sign-in/link/" in root.post("/console/settings/people/3/reset").text


def test_an_unknown_key_while_the_provider_fails_takes_the_known_keys_from_nobody(
    api: Api, liar: LyingProvider
) -> None:
    at = [0.0]
    api.app.state.providers._monotonic = lambda: at[0]
    assert come_by_provider(api, liar)[1] == 303
    at[0] += 31  # an unknown key is asked for again
    liar.down, stranger = True, RSAKey.generate_key(2048, {"kid": "another"})
    forged = jwt.encode({"alg": "RS256", "kid": "another"}, {"sub": "s-1"}, stranger)
    path, outsider = "/console/sign-in/sso/logout/default", Visitor(api)
    assert outsider.post(path, {"logout_token": forged}).status_code == 503
    asked = len(liar.receiver.asked)
    assert outsider.post(path, {"logout_token": forged}).status_code == 503
    assert len(liar.receiver.asked) == asked, "not asked again within seconds"
    liar.down = False
    assert come_by_provider(api, liar)[1] == 303
