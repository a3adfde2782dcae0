"""People in the console for tests: accounts, and a browser-like client that is signed in.

def test_it(api: Api) -> None:
    anna = sign_in(api, role="moderator")           # makes tenant and account on the way
    assert anna.get("/console/clusters").status_code == 200
    anna.post("/console/clusters/k-1/claim")         # csrf, Origin and cookies go along
"""

from __future__ import annotations

import re
from typing import Any

import argon2
import httpx
from conftest import NOW_US, Api

from service.storage.accounts import passwords
from service.storage.accounts.passwords import hash_password
from service.storage.accounts.tenants import ensure_tenant
from service.storage.accounts.users import Role, create_user
from service.storage.sql.engine import write

PASSWORD = "correct horse battery"
ORIGIN = "http://testserver"
_HASHES: dict[str, str] = {}
passwords._HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # tests sign in hundreds of times


class Visitor:
    """A browser: keeps cookies, follows no redirect by itself, sends the token of the page it saw last."""

    def __init__(self, api: Api, name: str = "") -> None:
        self.api, self.name, self.csrf = api, name, ""
        self.cookies: dict[str, str] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        raw_path: bytes | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {
            "Sec-Fetch-Site": "same-origin",
            **({"Cookie": cookie} if cookie else {}),
            **({} if method == "GET" else {"Origin": ORIGIN}),
            **(headers or {}),
        }
        self.api.line.raw_path = raw_path
        self.api.client.cookies.clear()
        answer: httpx.Response = self.api.redis.run(self.api.client.request(method, path, headers=sent, **arguments))
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        if (found := re.search(r'name="csrf" (?:content|value)="([^"]+)"', answer.text)) is not None:
            self.csrf = found[1]
        return answer

    def get(self, path: str, *, htmx: bool = False, **arguments: Any) -> httpx.Response:
        """One page, or with `htmx` the part of it that htmx would ask for."""
        return self.request(
            "GET",
            path,
            headers={**({"HX-Request": "true"} if htmx else {}), **arguments.pop("headers", {})},
            **arguments,
        )

    def post(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        htmx: bool = False,
        csrf: str | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """A form, with the token of the last page (or `csrf`; "" sends none)."""
        token = self.csrf if csrf is None else csrf
        form = {**({"csrf": token} if token else {}), **(data or {})}
        return self.request(
            "POST",
            path,
            data=form,
            headers={**({"HX-Request": "true"} if htmx else {}), **arguments.pop("headers", {})},
            **arguments,
        )

    def sign_in(self, tenant: str, name: str, password: str = PASSWORD, next: str = "") -> httpx.Response:
        self.get("/console/sign-in")
        return self.post("/console/sign-in", {"tenant": tenant, "name": name, "password": password, "next": next})


def put_user(
    api: Api, name: str = "anna", *, role: Role = "moderator", tenant: str = "default", password: str = PASSWORD
) -> int:
    """An account, made straight in the tables; its number."""
    tenant_id = ensure_tenant(api.engine, tenant, NOW_US)
    api.keys.setdefault((tenant, frozenset()), "")  # the tenant is there: api.key() need not make it
    if password not in _HASHES:
        _HASHES[password] = hash_password(password)
    with write(api.engine) as connection:
        return create_user(connection, tenant_id, name, role, _HASHES[password], actor="test", now_us=NOW_US).id


def sign_in(api: Api, name: str = "anna", *, role: Role = "moderator", tenant: str = "default") -> Visitor:
    """A person of a new account, signed in through the form, with a page's token at hand."""
    put_user(api, name, role=role, tenant=tenant)
    visitor = Visitor(api, name)
    answer = visitor.sign_in(tenant, name)
    assert answer.status_code == 303, answer.text
    assert visitor.get("/console/clusters").status_code == 200
    return visitor
