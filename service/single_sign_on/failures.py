"""What can go wrong with a provider, as sentences that say where and what to change."""

from service.errors import BrigadewatchError


class ProviderFailure(BrigadewatchError):
    """The provider could not be used: it does not answer, or its answer is not acceptable. For an admin to read."""


class ProviderUnreachable(ProviderFailure):
    """It does not answer, or may not be requested. The text may name an internal address: not for everybody."""


class TokenRefused(ProviderFailure):
    """A token is not genuine, not for us, or not for this moment."""
