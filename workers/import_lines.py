"""The lines of the one import that a worker has under way, in its memory. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BATCH_BYTES = 4 << 20


@dataclass(slots=True)
class ImportLines:
    """The items of a file as canonical lines, in the order of their times."""

    lines: list[bytes] = field(default_factory=list)
    times: Any = None  # of each, microseconds
    complaints: int = 0
    duplicates: int = 0  # complaints with the id of another one in the file
    unread: int = 0  # rows

    def batch(self, first: int, most: int) -> list[bytes]:
        """The next lines from that number on."""
        found: list[bytes] = []
        size = 0
        for line in self.lines[first : first + most]:
            size += len(line)
            if found and size > BATCH_BYTES:
                break
            found.append(line)
        return found


class ResidentImport:
    """The one import whose lines this process holds."""

    def __init__(self) -> None:
        self.tenant, self.import_id, self.lines = "", "", ImportLines()

    def drop(self) -> None:
        """Hold none."""
        self.tenant, self.import_id, self.lines = "", "", ImportLines()
