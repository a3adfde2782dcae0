"""Complaints and outcomes from people's files (service/tabular), counted: what was read, what was refused and why.

Each row goes through the same checks as a POST; what they refuse is counted, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from service.intake.items import Noun
from service.model import Frozen, RejectedItem
from service.tabular.dataframes import Dataframe
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile
from service.tabular.refusals import rejection_text

REJECTED_SHOWN = 5
READ_AS_IT_IS = ReadingOptions(assume_utc=True)  # a constant offset changes no group


@dataclass(slots=True)
class Reading:
    """How reading went."""

    items: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)  # the first refusal of each kind, for people
    sources: list[SourceFile] = field(default_factory=list)
    _faults: set[str] = field(default_factory=set)

    def refuse(self, path: Path, item: RejectedItem) -> None:
        """Count a refusal, and keep the first of each kind."""
        self.rejected += 1
        fault = re.sub(r"'[^']*'|\d+", "", f"{item.pointer} {item.detail}")
        if len(self.examples) < REJECTED_SHOWN and fault not in self._faults:
            self._faults.add(fault)
            self.examples.append(rejection_text(path, item))

    def sentence(self, what: str) -> str:
        """How many were rejected, with an instance; empty if none was."""
        if not self.rejected:
            return ""
        total = self.items + self.rejected
        were = "was" if self.rejected == 1 else "were"
        return f"{self.rejected:,} of {total:,} {what} {were} rejected, for instance {'; '.join(self.examples)}"

    def beyond(self, share: float) -> bool:
        """Whether more than this share was rejected."""
        return self.rejected > share * (self.items + self.rejected)


def read_items(
    origin: Path | Dataframe,
    noun: Noun,
    now: datetime,
    reading: Reading,
    progress: Callable[[int], None],
    options: ReadingOptions = READ_AS_IT_IS,
) -> Iterator[Frozen]:
    """The valid items of a file or dataframe, in its order.

    `progress` is called with the number of bytes read since the last call.

    Raises Refused for a file that cannot serve or cannot be read.
    """
    source = SourceFile(origin, noun, now, options, progress)
    reading.sources.append(source)
    try:
        for item in source.items():
            if isinstance(item, RejectedItem):
                reading.refuse(source.path, item)
            else:
                reading.items += 1
                yield item
    finally:
        source.close()
