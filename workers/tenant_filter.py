"""A tenant's privacy filter, for work that goes on where its key cannot be opened."""

from __future__ import annotations

import logging

from service.errors import Refused
from service.intake.privacy_filter import PrivacyFilter
from service.storage.accounts.secret_box import SecretBox
from service.storage.privacy.privacy_filters import open_privacy_filter
from workers.resources import Resources

log = logging.getLogger(__name__)


def open_filter_or_warn(tenant: str, number: int, resources: Resources) -> PrivacyFilter | None:
    """The tenant's privacy filter; None where its key cannot be opened: detection goes on without."""
    try:
        return open_privacy_filter(resources.engine, SecretBox(resources.settings), number)
    except Refused as refusal:
        log.warning(
            "tenant %s: its own key cannot be opened, so that members of known groups are not recognised before the"
            " analysis, and signatures of kept texts stay as they are: %s",
            tenant,
            refusal,
        )
        return None
