"""What one platform declares about itself. PURE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.platforms.payload import Payload
from service.platforms.poll_protocol import Poller
from service.platforms.signatures import Scheme

Mapped = Mapping[str, Any] | None  # a source's field map, as JSON; only the platform generic has one


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform: how it posts, how it is polled, or both."""

    name: str  # in commands, in the API and in the database
    words: str  # what an administrator has to know who connects it, in one line
    # What a verified document contains, given the current time and the source's field map; raises Unusable. None: the
    # platform does not post.
    read: Callable[[object, datetime, Mapped], Payload] | None = None
    scheme: Callable[[Mapped], Scheme] | None = None  # how posts are signed; raises BadMapping
    check: Callable[[Mapped], object] | None = None  # raises BadMapping for a field map that is not valid as a whole
    poller: Poller | None = None  # None: the platform is not polled
    may_be_unsigned: bool = False  # whether it can post without a signature if no secret is set

    def __post_init__(self) -> None:
        if (self.read is None) != (self.scheme is None):
            raise ValueError(f"platform {self.name}: 'read' and 'scheme' belong together")
        if self.read is None and self.poller is None:
            raise ValueError(f"platform {self.name} neither posts nor is polled")
