"""From a provider's claims to a person: name, verified mail address, and the values that give a role. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.single_sign_on.failures import ProviderFailure
from service.storage.accounts.identities import MOST_CHARACTERS_OF_A_SUBJECT, ProvenIdentity, folded_address
from service.storage.accounts.identity_providers import IdentityProvider
from service.storage.accounts.role_rules import RoleRule, role_of

MOST_VALUES = 1_000


def person_in(claims: Mapping[str, Any], provider: IdentityProvider, tenant: str) -> ProvenIdentity:
    """Who it is, and their role in the tenant. Raises ProviderFailure for claims that cannot be used."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MOST_CHARACTERS_OF_A_SUBJECT:
        raise ProviderFailure(f"the provider names nobody: `sub` must be a text of 1 to {MOST_CHARACTERS_OF_A_SUBJECT}")
    email = _verified_email(claims)
    name = email if provider.name_claim == "email" else claim_at(claims, provider.name_claim)
    if not isinstance(name, str) or not name.strip():
        missing = "a verified mail address" if provider.name_claim == "email" else f"the claim {provider.name_claim!r}"
        raise ProviderFailure(
            f"the provider did not send {missing}, which names the account: add its scope"
            f" (now {provider.scopes!r}), or name another claim"
        )
    role = role_of(_folded(provider), tenant, role_values(claims, provider.role_claim))
    return ProvenIdentity(provider.issuer, subject, name, email, role)


def role_values(claims: Mapping[str, Any], path: str) -> set[str]:
    """The texts that the claim holds: itself, or the members of a list. Anything else gives no role.

    An unverified mail address is one that anybody can enter, so `email` counts only when verified; in lower case.
    """
    if path == "email":
        email = _verified_email(claims)
        return {folded_address(email)} if email else set()
    found = claim_at(claims, path)
    listed = found if isinstance(found, list) else [found]
    return {value for value in listed[:MOST_VALUES] if isinstance(value, str)}


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name; without one, a dotted path such as `realm_access.roles`. None: there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _folded(provider: IdentityProvider) -> tuple[RoleRule, ...]:
    if provider.role_claim != "email":
        return provider.roles
    return tuple(replace(rule, value=folded_address(rule.value)) for rule in provider.roles)


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else None
