"""How often somebody may try to sign in: counts of failed attempts, and the waits that they cause.

An attempt from a browser that the account does not know is counted, before its password is checked, for

- its address (an IPv6 /64), and for IPv6 its /48 as well, since one customer may have 65,536 of the former;
- the account at that address;
- the account, from all browsers that it does not know together (`users.failures`).

So nobody is kept out by attempts from one other address, and nobody gains by spreading attempts over accounts or
addresses. A browser in which somebody signed in to the account before (sign_in_devices.py) is counted on its own and
waits for none of these. Whatever the counts say, a success takes back its own attempt, never those of other accounts.

Counts are kept in `sign_in_addresses`, at most MOST_ROWS of them, under the address or the address and a digest of the
account. They are kept for names that do not exist too, so that the work does not tell which exist.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import Connection, delete, func, or_, select, update

from service.storage.sql.engine import insert_rows
from service.storage.sql.schema import sign_in_addresses, tenants

FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 900
FORGET_SECONDS = 86_400  # a count without attempts for this long starts again from zero
MOST_ROWS = 100_000  # above it the counts that are oldest go
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class FreeAttempts:
    """How many attempts in a row are free; each further one doubles a wait."""

    free: int
    forgiven_every_seconds: int | None = None  # one attempt is forgotten after each so many seconds


OF_ONE = FreeAttempts(5)  # of an account at one address, or in one browser
OF_ADDRESS = FreeAttempts(20, forgiven_every_seconds=180)  # which may be a whole office's
OF_NETWORK = FreeAttempts(100, forgiven_every_seconds=36)
# More than one address can cause alone: that one is down to four attempts an hour before the account has counted 50.
OF_ACCOUNT = FreeAttempts(50, forgiven_every_seconds=300)


@dataclass(frozen=True, slots=True)
class Counted:
    """What an attempt did to one count: the failures with it, and the wait that it began."""

    failures: int
    locked_until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A count that was raised, so that a success can take it back."""

    key: str
    failures: int
    locked_until_us: int | None


def count(failures: int, at_us: int | None, now_us: int, allowance: FreeAttempts) -> Counted:
    """One more attempt, where there were `failures` until `at_us`. Pure."""
    if allowance.forgiven_every_seconds is not None and at_us is not None:
        failures = max(0, failures - max(0, now_us - at_us) // (allowance.forgiven_every_seconds * _SECOND))
    failures += 1
    if failures < allowance.free:
        return Counted(failures)
    doublings = min(failures - allowance.free, 16)
    return Counted(failures, now_us + min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**doublings) * _SECOND)


def is_locked(until_us: int | None, now_us: int) -> bool:
    """Whether an account, address or device has to wait. A wait beyond the longest one is of a wall clock that was
    ahead: it has ended, but the failures count, so that the next one waits for the longest time again.
    """
    return until_us is not None and now_us < until_us <= now_us + LONGEST_WAIT_SECONDS * _SECOND


def account_digest(tenant: str, name: str) -> str:
    """What an account is called in counts and in the name of its cookie: 32 hexadecimal digits, of any names."""
    return blake2b(json.dumps([tenant, name]).encode(), digest_size=16).hexdigest()


def network_of(address: str) -> str | None:
    """The /48 of an IPv6 /64; None for anything else."""
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        return None
    return str(network.supernet(new_prefix=48)) if network.version == 6 and network.prefixlen > 48 else None


def charge_address(connection: Connection, address: str, now_us: int) -> tuple[int, list[Charge]]:
    """Count an attempt for the address and the network around it: the microseconds that it must wait (0: it may go
    on), and what was charged.
    """
    _forget_old(connection, now_us)
    network = network_of(address)
    charges: list[Charge] = []
    for key, allowance in ((address, OF_ADDRESS), *(((network, OF_NETWORK),) if network else ())):
        wait_us, charge = _charge(connection, key, allowance, now_us)
        if charge is None:
            return wait_us, charges
        charges.append(charge)
    return 0, charges


def charge_account(connection: Connection, address: str, account: str, now_us: int) -> tuple[int, Charge | None]:
    """The same for an account at one address; `address` may name another place, like "signed in"."""
    return _charge(connection, _pair(address, account), OF_ONE, now_us)


def hold(connection: Connection, charges: Sequence[Charge]) -> bool:
    """Lock the counts, one by one in the order of counting. Returns whether all of them are still there."""
    c = sign_in_addresses.c
    held = [connection.scalar(select(c.address).where(c.address == one.key).with_for_update()) for one in charges]
    return None not in held


def take_back(connection: Connection, charges: Sequence[Charge], *, once: bool = False) -> bool:
    """The attempt succeeded: it counts no longer. Those before it do, unless they were for the same account here.

    `once`: nothing changes, and False is returned, where it was taken back before: the count of the account here, which
    goes with it, tells.
    """
    c = sign_in_addresses.c
    if once and not hold(connection, charges):
        return False
    for charge in charges:
        if " " in charge.key:
            connection.execute(delete(sign_in_addresses).where(c.address == charge.key))
            continue
        connection.execute(
            update(sign_in_addresses).where(c.address == charge.key, c.failures > 0).values(failures=c.failures - 1)
        )
        if charge.locked_until_us is not None:
            mine = (c.address == charge.key) & (c.locked_until_us == charge.locked_until_us)
            connection.execute(update(sign_in_addresses).where(mine).values(locked_until_us=None))
    return True


def lift(connection: Connection, tenant_id: int, name: str) -> None:
    """An administrator helped: the account may be tried again from every address."""
    tenant = connection.scalar(select(tenants.c.name).where(tenants.c.id == tenant_id))
    account = account_digest(tenant or "", name)
    c = sign_in_addresses.c
    # Not those that an attempt under way holds: it wants the account next, which our caller has locked.
    free = select(c.address).where(c.address.like(f"% {account}")).with_for_update(skip_locked=True)
    connection.execute(delete(sign_in_addresses).where(c.address.in_(free)))


def _pair(address: str, account: str) -> str:
    return f"{address[:31]} {account}"


def _charge(connection: Connection, key: str, allowance: FreeAttempts, now_us: int) -> tuple[int, Charge | None]:
    c = sign_in_addresses.c
    # Created or locked in one statement, so that two simultaneous first attempts count as two and the row cannot be
    # deleted in between, on either database.
    known = "ON CONFLICT (address) DO UPDATE SET failures = sign_in_addresses.failures"
    insert_rows(connection, sign_in_addresses, ("address", "failures", "seen_us"), [(key, 0, now_us)], known)
    row = connection.execute(select(c.failures, c.seen_us, c.locked_until_us).where(c.address == key)).one()
    if is_locked(row.locked_until_us, now_us):
        return int(row.locked_until_us - now_us), None
    counted = count(row.failures, row.seen_us, now_us, allowance)
    connection.execute(
        update(sign_in_addresses)
        .where(c.address == key)
        .values(failures=counted.failures, seen_us=now_us, locked_until_us=counted.locked_until_us)
    )
    return 0, Charge(key, counted.failures, counted.locked_until_us)


def _forget_old(connection: Connection, now_us: int) -> None:
    c = sign_in_addresses.c
    forget_us = FORGET_SECONDS * _SECOND
    old = [select(c.address).where(or_(c.seen_us < now_us - forget_us, c.seen_us > now_us + forget_us))]
    rows = connection.scalar(select(func.count()).select_from(sign_in_addresses)) or 0
    if rows > MOST_ROWS:
        old.append(select(c.address).order_by(c.seen_us).limit(rows - MOST_ROWS + MOST_ROWS // 10))
    for those in old:
        # Not those that another attempt holds: it may want one of ours.
        free = those.with_for_update(skip_locked=True)
        connection.execute(delete(sign_in_addresses).where(c.address.in_(free)))
