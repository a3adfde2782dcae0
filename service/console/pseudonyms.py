"""Names in an export: unchanged, or P-1, P-2 ... for reporters, A-1 for authors, C-1 for complaints, M-1 for
moderators. PURE.

Numbers follow the order in which people first appear: the same case always gives the same names, and nobody can be
tracked from one export to another. Texts stay unchanged and may contain names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from service.model import Evidence
from service.moderation.phrases import percent
from service.moderation.signals.shared_traits import TRAIT_PREFIX

_AUTHOR_SIGNAL = f"{TRAIT_PREFIX}author"


@dataclass(slots=True)
class ExportNames:
    """The names used in one export."""

    replaces: bool = False
    _reporters: dict[str, str] = field(default_factory=dict)
    _authors: dict[str, str] = field(default_factory=dict)
    _complaints: dict[str, str] = field(default_factory=dict)
    _moderators: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def replacing(reporters: Iterable[str], authors: Iterable[str]) -> ExportNames:
        """Names for these people, numbered in this order."""
        names = ExportNames(True)
        for one in reporters:
            names.reporter(one)
        for one in authors:
            names.author(one)
        return names

    def reporter(self, name: str) -> str:
        """A reporter's name."""
        return self._reporters.setdefault(name, f"P-{len(self._reporters) + 1}") if self.replaces else name

    def author(self, name: str | None) -> str | None:
        """An author's name."""
        return (
            name if name is None or not self.replaces else self._authors.setdefault(name, f"A-{len(self._authors) + 1}")
        )

    def complaint(self, name: str) -> str:
        """A complaint's id, which a platform could look up."""
        return self._complaints.setdefault(name, f"C-{len(self._complaints) + 1}") if self.replaces else name

    def moderator(self, name: str) -> str:
        """Who decided or noted."""
        return self._moderators.setdefault(name, f"M-{len(self._moderators) + 1}") if self.replaces else name

    def evidence(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """The evidence; the one text that names an author is replaced by one that does not."""
        return [
            e
            if not self.replaces or e.signal != _AUTHOR_SIGNAL
            else e.model_copy(update={"text": self._author_text(e)})
            for e in evidence
        ]

    def words(self, text: str, evidence: Sequence[Evidence]) -> str:
        """A summary, without the author's name that it takes from the evidence."""
        if not self.replaces:
            return text
        for e in evidence:
            if e.signal == _AUTHOR_SIGNAL:
                text = text.replace(e.text.removesuffix("."), self._author_text(e).removesuffix("."))
        return text

    def _author_text(self, e: Evidence) -> str:
        return f"{percent(e.value)} of the targets are by one author ({percent(e.usual)} of all targets are)."
