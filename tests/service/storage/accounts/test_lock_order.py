"""Sign-ins, second factors and links lock in one order: two at one moment wait for each other, never in a circle."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from interleaving import interleave
from sqlalchemy import Connection, Engine

from service.settings import Settings
from service.storage.accounts import identities, identity_providers, one_time_links, second_factors, sessions, users
from service.storage.accounts.identities import ProvenIdentity
from service.storage.accounts.identity_providers import IdentityProvider
from service.storage.accounts.role_rules import parse_rules
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.sso_sessions import open_sso_session
from service.storage.accounts.tenants import create_tenant
from service.storage.accounts.users import User
from service.storage.sql.engine import write

NOW_US = int(time.time()) * 1_000_000
Work = Callable[[Connection], Any]
PROVIDER = IdentityProvider(
    1, "https://login.example", "c", parse_rules("a = viewer", for_all=False), link_by_email=True
)
ANNA = ProvenIdentity(PROVIDER.issuer, "s-1", "anna@example.org", "anna@example.org", "viewer")


class Account:
    """An account with codes from an app, an open session and a link; and what can happen to it."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.box = SecretBox(settings)
        number = create_tenant(engine, "paper", 0)
        with write(engine) as connection:
            self.user: User = users.create_user(
                connection, number, "anna@example.org", "moderator", "of a password", actor="test", now_us=0
            )
            self.app = pyotp.TOTP(second_factors.begin_codes(connection, self.box, self.user.id))
            earlier = NOW_US - 90_000_000
            code = self.app.at(earlier // 1_000_000)
            assert second_factors.confirm_codes(connection, self.box, self.user, code, now_us=earlier)
            identity_providers.save_provider(connection, PROVIDER, actor="test", now_us=0)
            self.link = one_time_links.make_link(connection, self.user, factors_too=True, actor="test", now_us=NOW_US)
            self.session = open_sso_session(
                connection, self.user.id, "192.0.2.1", NOW_US, browser="", seconds=600, provider_session=None
            )

    def enter_code(self, connection: Connection) -> Any:
        """A right code, after which a session begins."""
        code = self.app.at(NOW_US // 1_000_000)
        second_factors.check_code(connection, self.box, self.user.id, code, now_us=NOW_US)
        return open_sso_session(
            connection, self.user.id, "192.0.2.1", NOW_US, browser="", seconds=600, provider_session=None
        )

    def use_link(self, connection: Connection) -> Any:
        return one_time_links.use_link(connection, self.link, "of another password", now_us=NOW_US)

    def make_link(self, connection: Connection) -> Any:
        return one_time_links.make_link(connection, self.user, factors_too=True, actor="test", now_us=NOW_US)

    def set_password(self, connection: Connection) -> Any:
        return users.set_password(connection, self.user, "of a third password", actor="test", now_us=NOW_US)

    def arrive(self, connection: Connection) -> Any:
        admission = identities.admit(connection, self.user.tenant_id, PROVIDER, ANNA, now_us=NOW_US)
        assert admission.user is not None, admission.refusal
        assert self.session is not None
        sessions.drop_session(connection, self.session)
        return open_sso_session(
            connection, self.user.id, "192.0.2.1", NOW_US, browser="", seconds=600, provider_session=None
        )

    def disable(self, connection: Connection) -> Any:
        return users.disable_user(connection, self.user, actor="test", now_us=NOW_US)


@pytest.mark.parametrize(
    ("first", "after", "second"),
    [
        ("use_link", "DELETE FROM second_factors", "enter_code"),
        ("use_link", "DELETE FROM one_time_links", "set_password"),
        ("make_link", "DELETE FROM sessions", "set_password"),
        ("make_link", "DELETE FROM sessions", "disable"),
        ("arrive", "DELETE FROM sessions", "set_password"),
        ("arrive", "DELETE FROM sessions", "disable"),
        ("arrive", "DELETE FROM one_time_links", "make_link"),
    ],
)
def test_two_changes_of_an_account_at_one_moment_both_get_through(
    engine: Engine, settings: Settings, first: str, after: str, second: str
) -> None:
    account = Account(engine, settings)

    def running(name: str) -> Callable[[], Any]:
        work: Work = getattr(account, name)

        def run() -> Any:
            with write(engine) as connection:
                return work(connection)

        return run

    for done in interleave(engine, running(first), running(second), after=after):
        done.result()
