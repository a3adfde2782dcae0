"""Which account a provider's word opens, what ends with that, and what outlives neither provider nor account."""

from __future__ import annotations

import pytest
from conftest import NOW_US, Api
from console_world import Visitor, put_user
from identity_provider import LyingProvider
from sso_world import arrive, begin, use_provider

from service.storage.accounts import users
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
