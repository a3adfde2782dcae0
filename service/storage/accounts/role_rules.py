"""Which role a provider's claim gives: rules like `moderators = moderator`, one a line. Pure.

Rules for every tenant name the tenant as well: `news-desk = news/moderator`. A person gets the highest role that any
value of their claim gives in the tenant; without one they are refused. There is no default role on purpose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from service.errors import Refused
from service.storage.accounts.users import ROLES, Role

MOST_RULES = 100
MOST_CHARACTERS_OF_A_VALUE = 300
_TENANT = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class RoleRule:
    """People whose claim has this value have this role; `tenant`: only there (None: the provider is one tenant's)."""

    value: str
    tenant: str | None
    role: Role


def parse_rules(text: str, *, for_all: bool) -> tuple[RoleRule, ...]:
    """The rules in a text, one a line. Raises Refused naming the line that cannot be read."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not 1 <= len(lines) <= MOST_RULES:
        raise Refused(
            f"the roles have {len(lines)} lines; there must be 1 to {MOST_RULES}, like `moderators = moderator`"
        )
    return tuple(_rule(number, line, for_all) for number, line in lines)


def text_of_rules(rules: Collection[RoleRule]) -> str:
    """The rules as `parse_rules` reads them."""
    return "\n".join(f"{rule.value} = {f'{rule.tenant}/' if rule.tenant else ''}{rule.role}" for rule in rules)


def role_of(rules: Collection[RoleRule], tenant: str, values: Collection[str]) -> Role | None:
    """The highest role that these values give in this tenant; None: none of them gives any."""
    found = [rule.role for rule in rules if rule.value in values and rule.tenant in (None, tenant)]
    return max(found, key=ROLES.index, default=None)


def rules_as_json(rules: Collection[RoleRule]) -> str:
    """The stored form."""
    return json.dumps([[rule.value, rule.tenant, rule.role] for rule in rules], ensure_ascii=False)


def rules_from_json(text: str) -> tuple[RoleRule, ...]:
    """The rules in their stored form."""
    return tuple(RoleRule(value, tenant, role) for value, tenant, role in json.loads(text))


def _rule(number: int, line: str, for_all: bool) -> RoleRule:
    value, separator, given = (part.strip() for part in line.rpartition("="))
    tenant, slash, role_text = given.rpartition("/")
    role = next((role for role in ROLES if role == role_text), None)
    example = "news-desk = news/moderator" if for_all else "moderators = moderator"
    if not separator or role is None or bool(slash) != for_all or (for_all and not _TENANT.fullmatch(tenant)):
        raise Refused(
            f"line {number} of the roles, {line[:60]!r}, cannot be read: write `{example}`, with one of the roles"
            f" {', '.join(ROLES)}"
        )
    if not 1 <= len(value) <= MOST_CHARACTERS_OF_A_VALUE:
        raise Refused(
            f"line {number} of the roles has a value of {len(value)} characters; it must have 1 to"
            f" {MOST_CHARACTERS_OF_A_VALUE}"
        )
    return RoleRule(value, tenant or None, role)
