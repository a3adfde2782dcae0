"""Words that say how a complaint ended, as tables write them: `verdict_words.toml`. PURE.

Only words that judge the complaint itself are taken. `approved`, `resolved` or `closed` leave open who was right.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, cast

from service.model import Verdict
from service.tabular.heading_meanings import folded, without
from service.tabular.plain_names import normalised
from service.tabular.values import plain_text

_Meaning = Literal["upheld", "rejected", "open", "ended"]
_SIDES: frozenset[_Meaning] = frozenset(("upheld", "rejected"))
_LEFT_OPEN = 0.1  # of the words that say that a complaint is not looked at any more
_LONGEST = 60  # characters of a word
_WHAT = ("content",)


def _words() -> dict[str, str]:
    data = tomllib.loads(files(__package__).joinpath("verdict_words.toml").read_text(encoding="utf-8"))
    return {
        folded(normalised(word)): verdict
        for verdict, languages in data.items()
        for words in languages.values()
        for word in words.split()
    }


_WORDS = _words()


def verdict_of(value: Any) -> Verdict | None:
    """What the word says about the complaint; None: nothing, or the word is unknown."""
    found = _meaning(plain_text(value).strip())
    return found if found == "upheld" or found == "rejected" else None


def is_open(value: Any) -> bool:
    """Whether the word is understood, and does not judge."""
    return _meaning(plain_text(value).strip()) in ("open", "ended")


def is_known(value: Any) -> bool:
    """Whether the word is understood, even if it does not judge."""
    return _meaning(plain_text(value).strip()) is not None


def judge_both_ways(values: Iterable[Any]) -> bool:
    """Whether all words are known, some uphold and some reject: then they judge, whatever their column is called."""
    found = {_meaning(plain_text(value).strip()) for value in values}
    return None not in found and found >= _SIDES


def judge_one_way(values: Iterable[Any]) -> bool:
    """Whether words say of some complaints that they were right, or wrong, and of those that ended otherwise nothing.

    Such a column would show one kind of decision alone, for good groups as for bad ones.
    """
    found = Counter(_meaning(plain_text(value).strip()) for value in values)
    ended = found.total() - found["open"]
    return len(_SIDES & found.keys()) == 1 and found["ended"] + found[None] > _LEFT_OPEN * ended


@lru_cache(4096)
def _meaning(text: str) -> _Meaning | None:
    if len(text) > _LONGEST:
        return None
    word = folded(normalised(text))
    return cast(_Meaning | None, _WORDS.get(word) or _WORDS.get(without(_WHAT, word)))
