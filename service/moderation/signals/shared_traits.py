"""What the targets have in common: a family of signals, `aim_` and the trait's name. Shown only. PURE.

Measured by workers/detection/target_traits.py. Names and values of attributes come from platforms: the sentences work
for any attribute, and a few known ones have their own wording.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.model import Evidence
from service.moderation.phrases import percent

TRAIT_PREFIX = "aim_"
AUTHOR = f"{TRAIT_PREFIX}author"
SUMMARY_SHARE = 0.5  # of the targets; rarer traits are in the evidence only
_COUNTED = re.compile(r"(\d+) of (\d+) targets (.*)", re.DOTALL)
_PLURALS = {"reply": "replies", "repost": "reposts", "quote": "quotes", "comment": "comments", "post": "posts"}


def evidence(name: str, trait: str, count: int, total: int, usual: float, p_value: float) -> Evidence:
    """`count` of `total` targets have the trait, where `usual` of all targets do; see target_traits.traits_of."""
    return Evidence(
        signal=f"{TRAIT_PREFIX}{name}",
        value=count / total,
        usual=usual,
        p_value=p_value,
        contribution=0.0,
        text=_sentence(trait, count, total, usual),
    )


def clause(evidence: Evidence, targets: int) -> str:
    """The trait in a sentence about a cluster with `targets` targets; some may have left the window it was measured in.

    >>> clause(evidence("context", "context article-7", 7, 8, 0.2, 1e-5), 10)
    '7 of the 8 targets measured are in context article-7 (20 % of all targets are)'
    """
    text = evidence.text.removesuffix(".")
    found = _COUNTED.match(text)
    if found is None or int(found[2]) == targets:
        return text
    return f"{found[1]} of the {found[2]} targets measured {found[3]}"


def _sentence(trait: str, count: int, total: int, usual: float) -> str:
    words, short = _words(trait)
    return f"{count} of {total} targets {words} ({percent(usual)} of all targets {short})."


def _words(trait: str) -> tuple[str, str]:
    """The trait as a verb phrase for several targets, and its short form in a comparison."""
    head, _, rest = trait.partition(" ")
    if head != "attribute":
        return {
            "author": (f"are by author {rest}", "are"),  # "by author": erasure finds the name by these words
            "context": (f"are in context {rest}", "are"),
            "kind": (f"are of kind “{rest}”", "are"),
            "word": (f"contain the word “{rest}”", "do"),
            "characters": (f"contain the characters “{rest}”", "do"),
        }[head]
    name, _, value = rest.partition(" = ")
    if value not in ("true", "false"):
        return f"have {_readable(name)} “{value}”", "do"
    negation = "" if value == "true" else " not"
    if name.startswith("has_"):
        return f"come {'with' if value == 'true' else 'without'} {_readable(name.removeprefix('has_'))}", "do"
    noun = _PLURALS.get(name.removeprefix("is_")) if name.startswith("is_") else None
    marked = f"marked “{_readable(name.removeprefix('is_'))}”"
    return f"are{negation} {noun or marked}", f"are{negation}"


def _readable(name: str) -> str:
    return name.replace("_", " ")


def strongest(evidence: Sequence[Evidence]) -> Evidence | None:
    """The trait for the summary: the least likely one that at least half of the targets share; None without any."""
    shared = [e for e in evidence if e.signal.startswith(TRAIT_PREFIX) and e.value >= SUMMARY_SHARE]
    return min(shared, key=lambda e: (1.0 if e.p_value is None else e.p_value, e.usual, e.signal), default=None)
