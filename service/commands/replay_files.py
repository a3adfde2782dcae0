"""Files of any kind as the NDJSON that a replay sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from service.commands.common import say
from service.intake.items import COMPLAINT, OUTCOME, CheckedItem, Noun, canonical
from service.model import RejectedItem
from service.tabular.options import ReadingOptions
from service.tabular.reading import SourceFile
from service.tabular.refusals import rejection_text

SHOWN = 5


@dataclass(slots=True)
class ReplayFiles:
    """What a replay sends, and how much of the files it does not."""

    complaints: list[Path] = field(default_factory=list)
    outcomes: list[Path] = field(default_factory=list)
    rows: int = 0
    rejected: int = 0

    def beyond(self, share: float) -> bool:
        """Whether more than this share of the rows cannot be sent."""
        return self.rejected > share * self.rows


def as_lines(
    files: Sequence[Path], outcomes: Sequence[Path], folder: Path, options: ReadingOptions, now: datetime
) -> ReplayFiles:
    """The files themselves where they are NDJSON in the API's form, else copies in `folder` that are."""
    found = ReplayFiles()
    for paths, noun, lines in ((files, COMPLAINT, found.complaints), (outcomes, OUTCOME, found.outcomes)):
        for path in paths:
            source = SourceFile(path, noun, now, options)
            if source.is_plain_lines:
                source.close()
                lines.append(path)
                continue
            copy = folder / f"{len(found.complaints)}-{len(found.outcomes)}-{noun.plural}.ndjson"
            lines.append(copy)
            _write(copy, source.items(), noun, path, found)
            say(f"{path.name}: {source.kind}: {', '.join(f'{r.column} as {r.field}' for r in source.read_as)}")
            for note in source.notes:
                say(f"  {note}")
            for sentence in source.amended.sentences():
                say(f"  unknown or cut: {sentence}")
            if judged := source.outcomes():
                found.outcomes.append(copy.with_suffix(".outcomes.ndjson"))
                _write(found.outcomes[-1], judged, OUTCOME, path, found)
    return found


def _write(copy: Path, items: Iterable[CheckedItem | RejectedItem], noun: Noun, path: Path, found: ReplayFiles) -> None:
    rejected = 0
    with copy.open("wb") as file:
        for item in items:
            found.rows += 1
            if isinstance(item, RejectedItem):
                rejected += 1
                if rejected <= SHOWN:
                    say(rejection_text(path, item))
            else:
                file.write(canonical(item, noun)[1:] + b"\n")
    found.rejected += rejected
    if rejected:
        say(f"{path.name}: {rejected:,} {noun.plural} cannot be sent")
