"""Text for values and ids: figures, shares, durations, and input that may be hostile. PURE."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime

from service.model import Evidence
from service.moderation.phrases import power_of_ten
from service.moderation.signals.registry import COORDINATION, SIGNAL_BY_NAME
from service.moderation.signals.shared_traits import TRAIT_PREFIX

LABEL_WIDTH = 18  # columns of a terminal
# Characters that show nothing or turn their neighbours round: controls, formats (bidi, zero width), surrogates,
# private, unassigned, separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str) -> str:
    """The text with invisible and reordering characters written as `\\u{...}`; tabs and line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _UNSEEN and c not in "\t\n" else c for c in text)


def cut(text: str, width: int = LABEL_WIDTH) -> str:
    """At most `width` columns of the visible text, wide characters counted twice; an ellipsis marks an omission.

    Raises ValueError for a width below 2.
    """
    if width < 2:
        raise ValueError(f"width = {width} must be at least 2: a character and an ellipsis")
    shown, used = visible(text), 0
    if columns_of(shown) <= width:
        return shown
    kept = 0
    for character in shown:
        used += columns_of(character)
        if used > width - 1:
            break
        kept += 1
    return shown[:kept] + "…"


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes: wide characters two, others one."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def lasting(seconds: float) -> str:
    """A duration in the largest unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return (
                f"{seconds / size:.1f} {unit}"
                if seconds < 10 * size and seconds % size
                else f"{seconds / size:.0f} {unit}"
            )
    return f"{seconds:.0f} s"


def figure(value: float) -> str:
    """A measured value: whole numbers as such, others with three digits."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    if abs(value) < 1e-3:
        return "< 0.001" if value > 0 else "> −0.001"
    return f"{value:.3g}".replace("-", "−")


def p_value(p: float | None) -> str:
    """How often chance alone would produce this: per cent, or "1 in 5,000"; "no test" if the signal has none."""
    if p is None:
        return "no test"
    if p < 1e-12:
        return "less than 1 in a trillion"
    return f"1 in {power_of_ten(-math.log10(p))}" if p < 0.01 else share(p)


def signed(value: float) -> str:
    """A contribution in log-odds, with its sign; a dash for what is only shown."""
    return "–" if value == 0 else f"{value:+.1f}".replace("-", "−")


def share(probability: float) -> str:
    """A probability or share in per cent, never rounded to a false 0 or 100."""
    if 0 < probability < 0.001:
        return "< 0.1 %"
    if 0.999 < probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.2g} %" if probability < 0.01 else f"{100 * probability:.3g} %"


def question(evidence: Evidence) -> str:
    """Which of the two questions a signal answers."""
    if evidence.signal in COORDINATION:
        return "coordinated?"
    return "unfounded?" if evidence.contribution else "shown only"


def label(signal: str) -> str:
    """A signal's title; for a shared trait, the attribute's name; for any other name, its words."""
    if signal in SIGNAL_BY_NAME:
        return SIGNAL_BY_NAME[signal].title
    words = signal.removeprefix(TRAIT_PREFIX).replace("_", " ")
    return words[:1].upper() + words[1:]


def at(moment: datetime) -> str:
    """A time in UTC, to the minute; the table's head says UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"
