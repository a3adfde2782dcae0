"""What a tenant asks of people who sign in: who may use a password, and whether it needs a second factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, literal, select, update

from service.errors import Refused
from service.storage.accounts import audit_log
from service.storage.accounts.users import Role
from service.storage.sql.engine import lock_tenant
from service.storage.sql.schema import passkeys, second_factors, sessions, sign_in_rules, users

Passwords = Literal["all", "admins"]
SecondFactor = Literal["optional", "required"]


@dataclass(frozen=True, slots=True)
class SignInRules:
    """One tenant's rules."""

    passwords: Passwords = "all"
    second_factor: SecondFactor = "optional"  # of people who sign in with a password

    def allows_password(self, role: Role) -> bool:
        """Whether an account of this role may sign in with a password. Admins always may: the provider can fail."""
        return self.passwords == "all" or role == "admin"


def rules_of(connection: Connection, tenant_id: int) -> SignInRules:
    """The tenant's rules."""
    row = connection.execute(select(sign_in_rules).where(sign_in_rules.c.tenant_id == tenant_id)).first()
    return SignInRules() if row is None else SignInRules(row.passwords, row.second_factor)


def change_rules(connection: Connection, tenant_id: int, rules: SignInRules, *, actor: str, now_us: int) -> None:
    """Store the rules, with an audit entry; sessions that they no longer allow end. Raises Refused."""
    for name, value, words in (
        ("passwords", rules.passwords, get_args(Passwords)),
        ("second factor", rules.second_factor, get_args(SecondFactor)),
    ):
        if value not in words:
            raise Refused(f"invalid rule for the {name}, {value[:40]!r}: must be one of {', '.join(words)}")
    lock_tenant(connection, tenant_id)
    before = rules_of(connection, tenant_id)
    if before == rules:
        return
    values = {"passwords": rules.passwords, "second_factor": rules.second_factor}
    row = sign_in_rules.c.tenant_id == tenant_id
    if connection.execute(update(sign_in_rules).where(row).values(**values)).rowcount == 0:
        connection.execute(insert(sign_in_rules).values(tenant_id=tenant_id, **values))
    if rules.passwords == "admins":
        shut_out = select(users.c.id).where(users.c.tenant_id == tenant_id, users.c.role != "admin")
        connection.execute(delete(sessions).where(sessions.c.via == "password", sessions.c.user_id.in_(shut_out)))
    detail = {
        name: {"before": getattr(before, name), "after": value}
        for name, value in values.items()
        if getattr(before, name) != value
    }
    audit_log.enter(
        connection, tenant_id, actor=actor, action="sign-in-rules", subject="tenant", now_us=now_us, detail=detail
    )


def factor_due(
    via: ColumnElement[Any], user_id: ColumnElement[Any], tenant_id: ColumnElement[Any]
) -> ColumnElement[bool]:
    """Of a session's row: the tenant requires a second factor of passwords, and the person has none yet."""
    return and_(
        via == literal("password"),
        exists().where(sign_in_rules.c.tenant_id == tenant_id, sign_in_rules.c.second_factor == "required"),
        ~exists().where(second_factors.c.user_id == user_id, second_factors.c.confirmed_us.is_not(None)),
        ~exists().where(passkeys.c.user_id == user_id),
    )
