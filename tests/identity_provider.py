"""Identity providers for tests: panva's certified `oidc-provider` in a Node process, and one that lies on purpose."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey
from loopback import Answer, Asked, Receiver, serving
from up import end_with_the_tests

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = ROOT / "build" / "oidc-provider"
WAY_OUT = "the certified provider is not installed: `make oidc-provider` installs it (needs Node.js 20 and npm)"


@dataclass
class RealProvider:
    """The certified provider; its issuer is reached on loopback."""

    issuer: str

    @property
    def opening(self) -> str:
        """For BRIGADEWATCH_OUTBOUND_ALLOW."""
        return f"127.0.0.1:{urlsplit(self.issuer).port}"

    def register(self, base: str, tenant: str | None, **more: Any) -> dict[str, str]:
        """A client for the console at `base`: its `client_id` and `client_secret`."""
        path = f"/{tenant}" if tenant else ""
        client = {
            "redirect_uris": [f"{base}/console/sign-in/sso/callback{path}"],
            "post_logout_redirect_uris": [f"{base}/console/sign-in"],
            **more,
        }
        made: dict[str, str] = httpx.post(f"{self.issuer}/reg", json=client).raise_for_status().json()
        return made

    def put(self, account: str, **claims: Any) -> None:
        """An account that may sign in there, with these claims from now on."""
        httpx.put(f"{self.issuer}/test/accounts/{account}", json=claims).raise_for_status()

    def sign_in(self, url: str, account: str, browser: httpx.Client | None = None) -> str:
        """Follow the address to which the console sent a browser, and sign in there; where it leads back to."""
        with httpx.Client() as fresh:
            client = browser or fresh
            answer = client.get(url)
            for _ in range(12):
                if answer.is_redirect:
                    there = urljoin(str(answer.url), answer.headers["location"])
                    if not there.startswith(self.issuer):
                        return there
                    answer = client.get(there)
                    continue
                action = re.search(r'action="([^"]+)"', answer.text)
                assert action is not None, answer.text
                form = {"prompt": "login", "login": account, "password": "any"}
                answer = client.post(urljoin(str(answer.url), unescape(action[1])), data=form)
        raise AssertionError("the provider did not lead back")


@contextmanager
def real_provider(host: str = "127.0.0.1") -> Iterator[RealProvider]:
    """The certified provider, running."""
    assert (INSTALLED / "node_modules" / "oidc-provider").is_dir(), WAY_OUT
    with subprocess.Popen(
        ["node", str(ROOT / "tests" / "oidc_provider" / "provider.mjs"), str(INSTALLED), host],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=end_with_the_tests,
    ) as process:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://"), "the provider did not start"
        try:
            yield RealProvider(issuer)
        finally:
            process.terminate()


@dataclass
class LyingProvider:
    """A provider whose every answer a test can change. `key` signs; `claims` and `token` say what comes out."""

    receiver: Receiver
    client_id: str = "brigadewatch"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[dict[str, Any]] | None = None  # in place of the key's own
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # None leaves one out
    header: dict[str, Any] = field(default_factory=dict)
    id_token: str | None = None  # in place of a signed one
    signed_with: Any = None  # in place of `key`
    userinfo: dict[str, Any] | None = None
    down: bool = False
    nonce: str = ""
    challenge: str = ""
    codes: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return self.receiver.url

    def come_back(self, url: str, **more: str) -> str:
        """What a browser that was sent to `url` brings back; `more` are parameters of the answer (None: left out)."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.nonce, self.challenge = query["nonce"], query["code_challenge"]
        assert query["code_challenge_method"] == "S256" and query["response_type"] == "code"
        self.codes.append(f"code-{len(self.codes)}")
        answer = {"code": self.codes[-1], "state": query["state"], **more}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def signed(self, **changed: Any) -> str:
        """An ID token with `claims`, signed."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "s-1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "preferred_username": "anna",
            "roles": ["moderators"],
            **self.claims,
            **changed,
        }
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, claims, self.signed_with or self.key, algorithms=[header["alg"]])

    def answer(self, asked: Asked) -> Answer:
        """As a provider does."""
        path = asked.path.partition("?")[0]
        if self.down:
            return Answer(503)
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/jwks"}
            document = {"issuer": self.issuer, **{name: self.issuer + place for name, place in places.items()}}
            if self.userinfo is not None:
                document["userinfo_endpoint"] = f"{self.issuer}/userinfo"
            return _json({**document, **self.metadata})
        if path == "/jwks":
            return _json({"keys": self.published or [self.key.as_dict(private=False)]})
        if path == "/userinfo":
            return _json(self.userinfo or {})
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            right = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge
            if form.get("code") not in self.codes or not right:
                return _json({"error": "invalid_grant"}, 400)
            self.codes.remove(form["code"])
            return _json({"access_token": "at", "token_type": "Bearer", "id_token": self.id_token or self.signed()})
        return Answer(404)


@contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    """A provider of our own, running."""
    receiver = Receiver()
    liar = LyingProvider(receiver)
    receiver.answer = liar.answer
    with serving(receiver):
        yield liar


def _json(document: dict[str, Any], status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())
