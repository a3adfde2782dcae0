"""The requests to a provider: discovery, keys, code for tokens, userinfo. All go through the guarded client.

An answer of discovery is kept for ten minutes, keys until a token names another one (asked for again at most every 30
seconds). A provider that does not answer is not asked again for five seconds, so that a page that everybody reloads
does not wait for it each time.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc.jwk import KeySet

from service.outbound.addresses import OutboundRefused
from service.outbound.client import outbound_client
from service.settings import Settings
from service.single_sign_on.failures import ProviderFailure, ProviderUnreachable
from service.single_sign_on.tokens import ALGORITHMS, read_keys
from service.storage.accounts.identity_providers import is_safe_url
from service.storage.sql import deadlines

TIMEOUT_SECONDS = 8.0
# Of a request of ours that has to be answered by then (service/api/deadline.py): some is left for what comes after.
SHARE_OF_THE_TIME_LEFT = 0.75
MOST_BYTES = 1 << 19
KEEP_SECONDS, KEEP_FAILURE_SECONDS, KEYS_AGAIN_SECONDS = 600.0, 5.0, 30.0
MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a provider says about itself; every address is https (or on this machine)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    post_secret: bool  # the client's secret goes in the form, not in a header
    names_issuer: bool  # its answers carry `iss` (RFC 9207)
    scopes: tuple[str, ...] | None  # that it supports, if it says so


class ProviderDirectory:
    """Providers' metadata and keys, kept for a while; safe for several threads."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._monotonic = settings, monotonic
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, Any]] = {}
        self._failures: dict[tuple[str, str], tuple[float, ProviderFailure]] = {}

    def metadata(self, issuer: str) -> ProviderMetadata:
        """The provider's metadata. Raises ProviderFailure."""
        found: ProviderMetadata = self._keep(
            ("metadata", issuer),
            KEEP_SECONDS,
            lambda: read_metadata(self._get(get_well_known_url(issuer, True)), issuer),
        )
        return found

    def keys(self, metadata: ProviderMetadata, *, again: bool = False) -> KeySet:
        """The provider's keys; `again`: a token names one that is not among them. Raises ProviderFailure."""
        seconds = KEYS_AGAIN_SECONDS if again else KEEP_SECONDS
        found: KeySet = self._keep(
            ("keys", metadata.jwks_uri), seconds, lambda: read_keys(self._get(metadata.jwks_uri))
        )
        return found

    def tokens(
        self, metadata: ProviderMetadata, client_id: str, client_secret: str | None, form: Mapping[str, str]
    ) -> dict[str, Any]:
        """What the token endpoint gives for a code. Raises ProviderFailure."""
        auth, sent = None, {**form, "client_id": client_id}
        if client_secret is not None and metadata.post_secret:
            sent["client_secret"] = client_secret
        elif client_secret is not None:  # form-encoded first (RFC 6749, 2.3.1): a secret may contain anything
            auth = httpx.BasicAuth(quote(client_id, safe=""), quote(client_secret, safe=""))
        answer = self._ask("POST", metadata.token_endpoint, data=sent, auth=auth)
        found = _document(answer, metadata.token_endpoint, refused_too=True)
        if answer.status_code != 200:
            why = " ".join(str(found.get(name, ""))[:200] for name in ("error", "error_description")).strip()
            hint = {
                "invalid_client": ": check the client ID and its secret",
                "invalid_grant": ": sign in again; the redirect URI and PKCE have to match the first request",
            }.get(str(found.get("error")), "")
            raise ProviderFailure(f"the provider refused the sign-in ({why or answer.status_code}){hint}")
        return found

    def userinfo(self, metadata: ProviderMetadata, access_token: str) -> dict[str, Any]:
        """More claims about the person. Raises ProviderFailure."""
        assert metadata.userinfo_endpoint is not None
        answer = self._ask("GET", metadata.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"})
        return _document(answer, metadata.userinfo_endpoint)

    def _keep(self, key: tuple[str, str], seconds: float, make: Callable[[], Any]) -> Any:
        now = self._monotonic()
        with self._lock:
            at, kept = self._kept.get(key, (-inf, None))
            failed_at, failure = self._failures.get(key, (-inf, None))
        if kept is not None and now - at < seconds:
            return kept
        if failure is not None and now - failed_at < KEEP_FAILURE_SECONDS:
            raise type(failure)(str(failure))
        try:
            made = make()
        except ProviderFailure as error:
            # Beside what was kept: somebody who names an unknown key does not take the known ones away.
            self._store(self._failures, key, error)
            raise
        self._store(self._kept, key, made)
        return made

    def _store(self, place: dict[tuple[str, str], tuple[float, Any]], key: tuple[str, str], value: Any) -> None:
        with self._lock:
            if len(place) >= MOST_KEPT:
                place.clear()
            place[key] = (self._monotonic(), value)

    def _get(self, url: str) -> dict[str, Any]:
        return _document(self._ask("GET", url), url)

    def _ask(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        seconds = min(TIMEOUT_SECONDS, SHARE_OF_THE_TIME_LEFT * deadlines.left())
        if seconds <= 0:
            raise ProviderUnreachable(f"{url} was not asked: the time of this request is over")
        try:
            with outbound_client(self._settings, timeout_seconds=seconds, max_bytes=MOST_BYTES) as client:
                headers = {"Accept": "application/json", **arguments.pop("headers", {})}
                return client.request(method, url, headers=headers, **arguments)
        except OutboundRefused as error:
            raise ProviderUnreachable(f"{url} may not be requested: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderUnreachable(f"{url} does not answer: {str(error) or type(error).__name__}") from None


def read_metadata(document: Mapping[str, Any], issuer: str) -> ProviderMetadata:
    """The document of discovery. Raises ProviderFailure saying what is wrong with it."""
    if document.get("issuer") != issuer:
        raise ProviderFailure(
            f"the provider calls itself {str(document.get('issuer'))[:200]!r}, the settings name {issuer!r}: enter the"
            " issuer exactly as the provider does, with or without the last slash"
        )
    try:
        if urlsplit(issuer).scheme == "https":  # over http (on this machine) the library refuses everything
            OpenIDProviderMetadata(document).validate()
    except (ValueError, TypeError) as error:
        raise ProviderFailure(f"the provider's metadata is not valid: {error}") from None
    places: dict[str, Any] = {}
    for name in (
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
    ):
        url = document.get(name)
        if url is not None and not (isinstance(url, str) and len(url) <= 2_048 and is_safe_url(url)):
            raise ProviderFailure(f"the provider's {name} is {str(url)[:200]!r}, which is not an address with https://")
        places[name] = url
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if places[name] is None:
            raise ProviderFailure(f"the provider's metadata lacks {name}")
    _check_abilities(document)
    methods = document.get("token_endpoint_auth_methods_supported")
    scopes = document.get("scopes_supported")
    return ProviderMetadata(
        issuer=issuer,
        **places,
        post_secret=isinstance(methods, list) and "client_secret_basic" not in methods,
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        scopes=tuple(scopes) if isinstance(scopes, list) and all(isinstance(s, str) for s in scopes) else None,
    )


def _check_abilities(document: Mapping[str, Any]) -> None:
    for name, needed, ours in (
        ("response_types_supported", "the authorization code flow (`code`)", ("code",)),
        ("id_token_signing_alg_values_supported", f"a signature with one of {', '.join(ALGORITHMS)}", ALGORITHMS),
        ("code_challenge_methods_supported", "PKCE with S256", ("S256",)),
    ):
        listed = document.get(name)
        if isinstance(listed, list) and not set(ours) & {one for one in listed if isinstance(one, str)}:
            raise ProviderFailure(f"the provider does not offer {needed} ({name}: {str(listed)[:200]})")


def _document(answer: httpx.Response, url: str, *, refused_too: bool = False) -> dict[str, Any]:
    if answer.status_code != 200 and not (refused_too and 400 <= answer.status_code < 500):
        raise ProviderUnreachable(f"{url} answered with {answer.status_code}")
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderFailure(f"{url} did not answer with a JSON object")
    return found
