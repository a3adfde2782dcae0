"""Authentication of webhooks: a source proves itself by its platform's own signature over the raw bytes of the body.

An unknown path, another tenant's, one of another platform, a deleted one and a wrong signature all get the same 401,
after the same kind of work. Refusals are counted and logged by platform and reason, never with the body or the path.
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
from service.api.query_parameters import check_query
from service.errors import Refused, StoreUnavailable
from service.model import microseconds
from service.platforms import registry
from service.platforms.signatures import SIGNATURE_HEADERS, Scheme, Standard, fault
from service.storage.accounts.tenant_settings import settings_of
from service.storage.accounts.tenants import KeyRecord
from service.storage.redis_store import recent_deliveries
from service.storage.webhooks.sources import Source, find_source, open_secrets

log = logging.getLogger(__name__)
REFUSAL = (
    "invalid signature or unknown source: check the path, the secret, the headers of the signature and the clock that"
    " dates it"
)
SOURCE_HEADER = "webhook-source"  # of a signed post to /v1/complaints or /v1/outcomes: the id of the source that signs
LOG_EVERY_SECONDS = 10.0  # one line per platform and reason; the metric counts all of them
_logged_at: dict[tuple[str, str], float] = {}
# Unknown paths are checked against it, so that they take the same work; it is never handed out.
_DUMMY_SECRET = "whsec_" + secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Sender:
    """A source that has proved itself, and its tenant as a key's record, as every other way in has one."""

    source: Source
    key: KeyRecord


async def verified(
    request: Request, platform: str, identifier: str, body: bytes, *, scheme: type[Scheme] | None = None
) -> Sender:
    """The sender of a webhook.

    Raises HTTPException 401 unless the source exists, belongs to this platform, and signed these bytes (with `scheme`,
    if one is required).
    """
    api = api_context(request)
    found = await run_in_threadpool(
        _verified, api, platform, identifier, dict(request.headers), body, api.now(), scheme
    )
    if isinstance(found, Sender):
        logs.note(tenant=found.source.tenant, platform=platform)
        return found
    why, source = found
    logs.note(platform=platform, refused=why)
    metrics_sink(request).webhook(platform, why)
    _log_refusal(platform, why)
    if source is not None:
        refused = recent_deliveries.arrival(microseconds(api.now()), why)
        await recent_deliveries.note(api.redis, source.tenant, source.id, refused, proven=False)
    raise HTTPException(401, REFUSAL, headers={"WWW-Authenticate": 'Signature realm="brigadewatch"'})


def check_plain(request: Request) -> None:
    """Raise HTTPException 415 for an encoded body: signatures cover the bytes as sent."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise HTTPException(
            415,
            f"a signed body cannot have the content encoding {encoding[:40]!r}: send it uncompressed",
            headers={"Accept-Encoding": "identity"},
        )


def is_signed(request: Request) -> bool:
    """Whether a request has no key, but a Standard Webhooks signature."""
    return "authorization" not in request.headers and any(name in request.headers for name in SIGNATURE_HEADERS)


async def signed_by(request: Request, body: bytes) -> Sender:
    """The generic source that signed these bytes by Standard Webhooks and names itself in `webhook-source`. Raises
    HTTPException 401; then Invalid (422) for query parameters that the call does not take.
    """
    sender = await verified(request, "generic", request.headers.get(SOURCE_HEADER, ""), body, scheme=Standard)
    metrics_sink(request).webhook("generic", "taken")
    check_query(request)
    return sender


def _verified(
    api: ApiContext,
    platform: str,
    identifier: str,
    headers: dict[str, str],
    body: bytes,
    now: datetime,
    required: type[Scheme] | None,
) -> Sender | tuple[str, Source | None]:
    """The sender, or why it is refused, and by which source that exists."""
    with api.engine.connect() as connection:
        source = find_source(connection, platform, identifier)
        settings = None if source is None else settings_of(connection, source.tenant_id)
    if source is None or settings is None:
        fault(registry.scheme_of(platform), headers, body, (_DUMMY_SECRET,), now)
        return "unknown", None
    try:
        scheme = registry.scheme_of(platform, source.mapping)
        valid = open_secrets(source, api.box, microseconds(now))
    except (Refused, ValueError) as error:
        log.error("a source of %s cannot be used: %s", platform, error)
        raise StoreUnavailable("the signature cannot be verified at the moment; send the request again") from None
    why = fault(scheme, headers, body, valid, now)
    if why is None and required is not None and not isinstance(scheme, required):
        why = "unverifiable"
    if why is not None:
        return why, source
    # The number of the key's record: negative, so that it is never that of a real key, and the same in every process.
    number = -1 - int.from_bytes(sha256(source.id.encode()).digest()[:6])
    return Sender(source, KeyRecord(number, source.tenant_id, source.tenant, frozenset({"ingest"}), settings))


def _log_refusal(platform: str, why: str) -> None:
    now = time.monotonic()
    if now - _logged_at.get((platform, why), -LOG_EVERY_SECONDS) >= LOG_EVERY_SECONDS:
        _logged_at[platform, why] = now
        log.warning("a webhook for %s was refused: %s", platform, why)
