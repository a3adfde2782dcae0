"""People whom a provider vouches for: which account is theirs, and what it may do.

An identity is issuer and subject. A name or a mail address never makes somebody the owner of an existing account,
except by two explicit rules: the owner connects it from a session of their own, or the provider's setting
`link_by_email` with an address that the provider has verified. An account signs in with a password or with a provider,
never with both: who is removed at the provider must not come back with an old password.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from service.errors import Refused
from service.storage.accounts import audit_log, users
from service.storage.accounts.identity_providers import IdentityProvider, held_provider_for
from service.storage.accounts.users import NO_PASSWORD, Role, User, checked_name
from service.storage.sql import schema
from service.storage.sql.schema import sessions, user_identities

MOST_CHARACTERS_OF_A_SUBJECT = 255
PROVIDER_CHANGED = "The single sign-on of this tenant has just been changed. Try again."


@dataclass(frozen=True, slots=True)
class ProvenIdentity:
    """What a verified ID token says."""

    issuer: str
    subject: str
    name: str
    email: str | None  # only if the provider has verified it
    role: Role | None  # None: none of the claim's values gives one


@dataclass(frozen=True, slots=True)
class Admission:
    """The account that may sign in, or why not (`refusal`, a sentence for the person)."""

    user: User | None = None
    refusal: str = ""


def admit(
    connection: Connection, tenant_id: int, provider: IdentityProvider, proven: ProvenIdentity, *, now_us: int
) -> Admission:
    """Find or create the person's account, with the role that the provider gives now.

    Nothing is raised for a person who may not sign in: what is recorded about them has to stay.
    """
    if held_provider_for(connection, tenant_id) != provider:  # while it was asked who this is
        return Admission(refusal=PROVIDER_CHANGED)
    user = _user_of(connection, tenant_id, proven)
    if proven.role is None:
        if user is not None:
            connection.execute(delete(sessions).where(sessions.c.user_id == user.id))
            _enter(connection, user, "sso-refused", now_us, {"why": "no role"})
        return Admission(
            refusal=f"{provider.label} confirmed who you are, but gives you no role here. Ask the people who manage"
            f" accounts there to add you to a group that has one (claim {provider.role_claim!r})."
        )
    if user is None:
        try:
            user = _newcomer(connection, tenant_id, provider, proven, proven.role, now_us)
        except Refused as error:
            return Admission(refusal=f"{str(error)[:1].upper()}{str(error)[1:]}.")
    if user.disabled_us is not None:
        return Admission(refusal="Your account here is disabled. Ask an admin of your team.")
    if user.role != proven.role:
        # The last admin too: the provider decides. The command line brings an admin back.
        users.set_role(connection, user, proven.role, actor="sso", now_us=now_us, last_admin_too=True)
        user = users.read_user(connection, tenant_id, user.id)
    return Admission(user)


def folded_address(address: str) -> str:
    """The mail address in lower case, to compare with others. Only where it is ASCII: `ß` and `ss`, or a Kelvin sign
    and `k`, are different mailboxes.
    """
    return address.lower() if address.isascii() else address


def connect(
    connection: Connection, user: User, provider: IdentityProvider, proven: ProvenIdentity, *, now_us: int
) -> None:
    """Make the identity the way into this account, whose owner asked for it; its password, sessions and links end.

    Raises Refused if the identity belongs to another account, gives no role, or would take the last admin's password.
    """
    if held_provider_for(connection, user.tenant_id) != provider:
        raise Refused(PROVIDER_CHANGED)
    users.hold_user(connection, user.id)
    owner = _user_of(connection, user.tenant_id, proven)
    if owner is not None and owner.id != user.id:
        raise Refused(f"this identity already signs in as {owner.name}: disable that account or sign in with it")
    if proven.role is None:
        raise Refused("the provider confirmed who you are, but gives you no role here; your password still works")
    if _is_last_way_in(connection, user):
        raise Refused(
            "you are the only admin with a password: create another admin account first, kept for when the provider"
            " does not answer"
        )
    _link(connection, user, proven, now_us)
    if user.role != proven.role:
        users.set_role(connection, user, proven.role, actor="sso", now_us=now_us, last_admin_too=True)


def ground_of_sign_in(connection: Connection, tenant_id: int, user_id: int) -> str | None:
    """What a provider's word about this account rests on: the provider as it is now, and whom it knows the account as.
    None if the account does not sign in with it (any longer). In a writing transaction, until whose end it stays so.
    """
    provider, c = held_provider_for(connection, tenant_id), user_identities.c
    users.hold_user(connection, user_id)
    linked = connection.execute(select(c.issuer, c.subject, c.linked_us).where(c.user_id == user_id)).first()
    if provider is None or linked is None or linked.issuer != provider.issuer:
        return None
    return f"{provider} {linked.subject} {linked.linked_us}"


def issuer_of(connection: Connection, user_id: int) -> str | None:
    """The issuer that the account signs in with; None: with a password."""
    return connection.scalar(select(user_identities.c.issuer).where(user_identities.c.user_id == user_id))


def issuers_of(connection: Connection, tenant_id: int) -> dict[int, str]:
    """The issuer of every account of the tenant that signs in with one."""
    c = user_identities.c
    rows = connection.execute(select(c.user_id, c.issuer).where(c.tenant_id == tenant_id))
    return {row.user_id: row.issuer for row in rows}


def end_provider_sessions(
    connection: Connection, tenant_id: int | None, issuer: str, *, subject: str | None, provider_session: str | None
) -> int:
    """End the sessions here of a person (`subject`) or of one session at the provider; `tenant_id` None: in all."""
    c = user_identities.c
    whose = select(c.user_id).where(c.issuer == issuer)
    if tenant_id is not None:
        whose = whose.where(c.tenant_id == tenant_id)
    if subject is not None:
        whose = whose.where(c.subject == subject)
    which = [sessions.c.via == "sso", sessions.c.user_id.in_(whose)]
    if provider_session is not None:
        which.append(sessions.c.provider_session == provider_session)
    return connection.execute(delete(sessions).where(*which)).rowcount


def _user_of(connection: Connection, tenant_id: int, proven: ProvenIdentity) -> User | None:
    """The account of this identity, held until the transaction ends."""
    c = user_identities.c
    query = select(c.user_id).where(c.tenant_id == tenant_id, c.issuer == proven.issuer, c.subject == proven.subject)
    number = connection.scalar(query)
    if number is not None:
        users.hold_user(connection, number)
        number = connection.scalar(query)  # unless a new password has ended the link meanwhile
    return None if number is None else users.read_user(connection, tenant_id, number)


def _newcomer(
    connection: Connection,
    tenant_id: int,
    provider: IdentityProvider,
    proven: ProvenIdentity,
    role: Role,
    now_us: int,
) -> User:
    """The account of somebody who was never here. Raises Refused if their name is unfit or somebody else's."""
    name = checked_name(proven.name)
    everybody = users.list_users(connection, tenant_id)
    same = next((user for user in everybody if user.name == name), None)
    if same is None:
        user = users.create_user(connection, tenant_id, name, role, NO_PASSWORD, actor="sso", now_us=now_us)
    elif (
        provider.link_by_email
        and proven.email is not None
        # Theirs is the one account of that address, in whatever case it was written.
        and [user for user in everybody if folded_address(user.name) == folded_address(proven.email)] == [same]
        and issuer_of(connection, same.id) != proven.issuer  # none, or a provider that the tenant has left
    ):
        users.hold_user(connection, same.id)
        user = users.read_user(connection, tenant_id, same.id)
        if user.disabled_us is not None:
            return user  # refused as any disabled account, and left as it is
        if _is_last_way_in(connection, user):
            raise Refused(
                f"{name} is the only admin with a password, which would end: create another admin account first, kept"
                " for when the provider does not answer"
            )
    else:
        raise Refused(
            f"an account called {name!r} already exists here. If it is yours, sign in with its password and connect it"
            " under your name, “Sign-in and security”; otherwise ask an admin to rename yours at the provider"
        )
    _link(connection, user, proven, now_us)
    return user


def _link(connection: Connection, user: User, proven: ProvenIdentity, now_us: int) -> None:
    connection.execute(delete(user_identities).where(user_identities.c.user_id == user.id))
    users.end_access(connection, user.id)
    connection.execute(
        insert(user_identities).values(
            user_id=user.id,
            tenant_id=user.tenant_id,
            issuer=proven.issuer,
            subject=proven.subject,
            linked_us=now_us,
        )
    )
    connection.execute(
        update(schema.users)
        .where(schema.users.c.id == user.id)
        .values(password_hash=NO_PASSWORD, one_time=False, failures=0, locked_until_us=None)
    )
    _enter(connection, user, "sso-linked", now_us, {"issuer": proven.issuer})


def _is_last_way_in(connection: Connection, user: User) -> bool:
    """Whether nobody could manage the tenant without the provider if this account's password ended."""
    u = schema.users.c
    admins = select(u.id).where(
        u.tenant_id == user.tenant_id, u.role == "admin", u.disabled_us.is_(None), u.password_hash != NO_PASSWORD
    )
    return list(connection.scalars(admins.limit(2))) == [user.id]


def _enter(connection: Connection, user: User, action: str, now_us: int, detail: dict[str, str]) -> None:
    audit_log.enter(
        connection,
        user.tenant_id,
        actor="sso",
        action=action,
        subject=f"user:{user.name}",
        now_us=now_us,
        detail=detail,
    )
