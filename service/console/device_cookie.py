"""The cookie that says: in this browser somebody has signed in to this account before.

One for each account, so that people who share a machine do not take each other's. Its name holds a digest of tenant and
name, so that the sign-in form finds it before anything is known; its value is checked against the account
(service/storage/accounts/sign_in_devices.py).
"""

from __future__ import annotations

from service.errors import Refused
from service.storage.accounts.sign_in_devices import DAYS
from service.storage.accounts.sign_in_throttle import account_digest
from service.storage.accounts.users import checked_name

SECONDS = DAYS * 86_400
_DIGITS = 12  # of the digest


def name_for(tenant: str, name: str) -> str:
    """The name of the cookie for this account, however the name was typed."""
    try:
        name = checked_name(name)
    except Refused:
        name = ""
    return f"brigadewatch-device-{account_digest(tenant, name)[:_DIGITS]}"
