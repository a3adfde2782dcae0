"""Who posts without a key: a source, proved by its platform's own signature over the raw bytes of the body.

An unknown path, another tenant's, one of another platform, a removed one and a wrong signature all get the same 401,
after the same kind of work. What is refused is counted and logged by platform and reason, never with the body or the
path.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service import logs
from service.api.api_context import ApiContext, api_context, metrics_sink
from service.errors import Refused, StoreUnavailable
from service.model import microseconds
from service.platforms import adapters
from service.platforms.signatures import Scheme, Standard, fault
from service.storage.accounts.tenant_settings import settings_of
from service.storage.accounts.tenants import KeyRecord
from service.storage.webhooks.sources import Source, find_source, open_secrets

log = logging.getLogger(__name__)
REFUSAL = (
    "this is signed by nobody who may post here: the signature is missing, wrong or out of date, or there is no such"
    " source"
)
SOURCE_HEADER = "webhook-source"  # of a signed post to /v1/complaints or /v1/outcomes: whose secret it is
LOG_EVERY_SECONDS = 10.0  # one line a platform and reason; the metric counts all of them
_said_at: dict[tuple[str, str], float] = {}
# what unknown paths are checked against: the same work, and nobody has it
_NOBODYS_SECRET = "whsec_" + secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that has proved itself, and its tenant as a key's record, for what every way in has in common."""

    source: Source
    key: KeyRecord


async def verified(
    request: Request, platform: str, identifier: str, body: bytes, *, scheme: type[Scheme] | None = None
) -> Sender:
    """Who posts.

    Raises HTTPException 401 unless the source exists, is this platform's, and signed these bytes (by `scheme`, where
    one is asked for).
    """
    api = api_context(request)
    found = await run_in_threadpool(
        _verified, api, platform, identifier, dict(request.headers), body, api.now(), scheme
    )
    if isinstance(found, Sender):
        logs.note(tenant=found.source.tenant, platform=platform)
        return found
    logs.note(platform=platform, refused=found)
    metrics_sink(request).webhook(platform, found)
    _say_refused(platform, found)
    raise HTTPException(401, REFUSAL, headers={"WWW-Authenticate": 'Signature realm="brigadewatch"'})


def check_plain(request: Request) -> None:
    """Raises HTTPException 415 for an encoded body: what is signed is read as it was sent."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise HTTPException(
            415, f"a signed body is sent as it is, not as {encoding[:40]!r}", headers={"Accept-Encoding": "identity"}
        )


def is_signed(request: Request) -> bool:
    """Whether a post comes without a key, but with a Standard Webhooks signature."""
    return "authorization" not in request.headers and "webhook-signature" in request.headers


async def signed_by(request: Request, body: bytes) -> KeyRecord:
    """The tenant of a generic source that signed these bytes by Standard Webhooks and names itself in `webhook-source`,
    as a key's record. Raises HTTPException 401.
    """
    sender = await verified(request, "generic", request.headers.get(SOURCE_HEADER, ""), body, scheme=Standard)
    metrics_sink(request).webhook("generic", "taken")
    return sender.key


def _verified(
    api: ApiContext,
    platform: str,
    identifier: str,
    headers: dict[str, str],
    body: bytes,
    now: datetime,
    wanted: type[Scheme] | None,
) -> Sender | str:
    with api.engine.connect() as connection:
        source = find_source(connection, platform, identifier)
        settings = None if source is None else settings_of(connection, source.tenant_id)
    if source is None or settings is None:
        fault(adapters.scheme_of(platform), headers, body, (_NOBODYS_SECRET,), now)
        return "unknown"
    try:
        scheme = adapters.scheme_of(platform, source.mapping)
        valid = open_secrets(source, api.box, microseconds(now))
    except (Refused, ValueError) as error:
        log.error("a source of %s cannot be used: %s", platform, error)
        raise StoreUnavailable("this cannot be verified now; whoever tries again is safe") from None
    why = fault(scheme, headers, body, valid, now)
    if why is None and wanted is not None and not isinstance(scheme, wanted):
        why = "unverifiable"
    if why is not None:
        return why
    # A key's record: negative, so that it is no key's number, and the same in every process.
    number = -1 - int.from_bytes(sha256(source.id.encode()).digest()[:6])
    return Sender(source, KeyRecord(number, source.tenant_id, source.tenant, frozenset({"ingest"}), settings))


def _say_refused(platform: str, why: str) -> None:
    now = time.monotonic()
    if now - _said_at.get((platform, why), -LOG_EVERY_SECONDS) >= LOG_EVERY_SECONDS:
        _said_at[platform, why] = now
        log.warning("a delivery for %s was refused: %s", platform, why)
