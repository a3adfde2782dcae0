"""Build a tenant's privacy filter from SQL: its settings, its secret key (created when first needed) and erased
reporters.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode

from sqlalchemy import Connection, Engine, select

from service.intake.privacy_filter import KEY_BYTES, PrivacyFilter
from service.storage.accounts.secret_box import SecretBox
from service.storage.accounts.tenant_settings import TenantSettings, settings_of, write_columns
from service.storage.sql.engine import lock_tenant, write
from service.storage.sql.schema import erasures

REMEMBERED_SECONDS = 5.0  # how long a process may use what it read: an erasure waits this long before it cleans up


def open_privacy_filter(engine: Engine, box: SecretBox, tenant_id: int) -> PrivacyFilter:
    """The tenant's privacy filter. Raises Refused when its key cannot be opened (or, for a new tenant, sealed)."""
    with engine.connect() as connection:
        now, erased = settings_of(connection, tenant_id), erased_marks(connection, tenant_id)
    if now.sealed_key is None:
        now = _with_key(engine, box, tenant_id)
    assert now.sealed_key is not None
    return PrivacyFilter(b64decode(box.open(now.sealed_key)), now.pseudonyms, now.keep_text, erased)


def erased_marks(connection: Connection, tenant_id: int) -> dict[str, str]:
    """The marks of the tenant's erased reporters, from the request on, each with the token that takes the
    name's place.
    """
    newest_first = (
        select(erasures.c.reporter_hash, erasures.c.token)
        .where(erasures.c.tenant_id == tenant_id)
        .order_by(erasures.c.asked_us.desc(), erasures.c.id)
    )
    # of a reporter who was erased twice, the first token
    return {mark: token for mark, token in connection.execute(newest_first)}


def _with_key(engine: Engine, box: SecretBox, tenant_id: int) -> TenantSettings:
    sealed = box.seal(b64encode(secrets.token_bytes(KEY_BYTES)).decode())
    with write(engine) as connection:
        lock_tenant(connection, tenant_id)
        # looked up again under the lock: another process may have been first
        if settings_of(connection, tenant_id).sealed_key is None:
            write_columns(connection, tenant_id, pseudonym_key=sealed)
        return settings_of(connection, tenant_id)
