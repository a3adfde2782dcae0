"""Opening a session for somebody whom a provider has let in, and the second factor where one is asked for."""

from __future__ import annotations

from sqlalchemy import Connection

from service.storage.accounts import users
from service.storage.accounts.sessions import start_session


def open_sso_session(
    connection: Connection,
    user_id: int,
    address: str,
    now_us: int,
    *,
    browser: str,
    seconds: int,
    provider_session: str | None,
    id_token_secret: str | None = None,
) -> str | None:
    """Start a session and return its token; None if the account is disabled."""
    account = users.sign_in_facts(connection, user_id)
    if account is None:
        return None
    return start_session(
        connection,
        account.tenant_id,
        user_id,
        account.name,
        address,
        now_us,
        browser=browser,
        seconds=seconds,
        via="sso",
        provider_session=provider_session,
        id_token_secret=id_token_secret,
    )
