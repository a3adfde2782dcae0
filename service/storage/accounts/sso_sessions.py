"""Opening a session for somebody whom a provider, or a second factor after a password, has let in."""

from __future__ import annotations

from sqlalchemy import Connection

from service.storage.accounts import users
from service.storage.accounts.sessions import drop_session, start_session


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
    earlier: str | None = None,
) -> str | None:
    """Start a session and return its token; None if the account is disabled. `earlier`: this browser's last token."""
    account = users.sign_in_facts(connection, user_id)
    if account is None:
        return None
    if earlier is not None:
        drop_session(connection, earlier)
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
