"""What people write under a complaint: nothing, two words, the text of a rule, or words of their own.

The words of an invented language stand for any language: own texts are drawn from a Zipf distribution over them, so
that honest texts share the common words, as real ones do. Small languages have words and a script of their own; one
of them writes without spaces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.worlds.community import Community
from bench.worlds.world import Ints

REASONS = ("spam", "insult", "hate", "off topic", "misinformation", "other")
CANNED = ("spam", "rude", "please remove", "hate speech", "off topic", "again", "not ok", "troll", "fake news", "bot")
RULES = (
    "Rule 1: Be civil. No personal attacks, insults or name-calling against other users.",
    "Rule 2: No hate speech. Attacks on people because of origin, religion or gender are removed.",
    "Rule 3: No spam, advertising or links that only serve to sell something.",
    "Rule 4: Stay on topic. Comments must be about the subject of the discussion.",
    "Rule 5: No misinformation. Claims that contradict the linked sources will be removed.",
    "Rule 6: Do not post private information about anybody, including names of employers.",
    "Rule 7: No calls for violence, not even as a joke.",
    "Rule 8: One account per person. Evading a ban leads to a permanent ban.",
)
_LEADS = ("", "", "", "violates ", "This breaks ", "see ", "> ", "Again: ")
_SLOTS = (
    ("This comment", "The post above", "This reply", "The user's message", "This contribution"),
    ("clearly", "plainly", "repeatedly", "deliberately", "once again"),
    ("violates", "breaches", "goes against", "disregards", "ignores"),
    ("the community guidelines", "your terms of use", "the rules of this site", "basic standards of conduct"),
    ("by spreading", "because it contains", "through its use of", "as it promotes", "since it relies on"),
    ("hostile language", "misleading claims", "targeted harassment", "inflammatory rhetoric", "abusive content"),
    ("towards other members", "against a protected group", "in an ongoing discussion", "without any context"),
    ("and should be reviewed.", "and ought to be removed.", "and needs prompt attention.", "so please take action."),
)
SILENT, OWN, MENU, QUOTES = 0, 1, 2, 3  # how an account answers "why?"
MAIN = 0  # the language of the place
_SYLLABLES = (
    "ba de fi go ku la me no pi ra so tu va ze lon mir tas ven dor kel",
    "ła śi żo če ři ou maj nek sta pro ště ních ové ámi tej",
    "か き さ し た に の も よ り を は と な です ます した",
    "αλ ερι σος την και που μεν τας ιου ων ακη της",
)
_WITHOUT_SPACES = 2
_WORDS = 1_500  # of each language


def draw_habits(rng: np.random.Generator, count: int, community: Community) -> Ints:
    """How each of `count` accounts answers "why?"; shape (count,)."""
    shares = np.array([community.silent, 0.0, community.canned, community.quoting])
    shares[OWN] = max(0.0, 1 - shares.sum())
    return rng.choice(4, count, p=shares / shares.sum()).astype(np.int64)


def paraphrases(rng: np.random.Generator, count: int) -> list[str]:
    """Texts that one language model writes when it is asked for the same complaint again and again."""
    return [" ".join(slot[int(rng.integers(len(slot)))] for slot in _SLOTS) for _ in range(count)]


def copies(rng: np.random.Generator, text: str, count: int, share: float) -> list[str | None]:
    """A text that was handed out, as people copy it: whole, a word short, a capital or a comma more, or an invisible
    sign that some editor left in it. None for those who write as they always do."""
    found: list[str | None] = []
    for _ in range(count):
        words = text.split()
        change, k = int(rng.integers(6)), int(rng.integers(len(words)))
        if change == 1:
            del words[k]
        elif change == 2:
            words[k] = words[k].capitalize()
        elif change == 3:
            words[k] += ","
        elif change == 4:
            words[k] = words[k][:1] + "\u200b" + words[k][1:]
        found.append(" ".join(words) if rng.random() < share else None)
    return found


class Words:
    """Draws the texts of one world."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._vocabulary: list[list[str]] = []
        for syllables in _SYLLABLES:
            parts = syllables.split()
            lengths = rng.integers(1, 4, _WORDS)
            ends = np.cumsum(lengths)
            drawn = [parts[k] for k in rng.integers(0, len(parts), int(ends[-1])).tolist()]
            self._vocabulary.append(["".join(drawn[end - n : end]) for n, end in zip(lengths, ends, strict=True)])
        rank = 1 / np.arange(1, _WORDS + 1) ** 0.9
        self._chances = np.cumsum(rank / rank.sum())
        self._favourite_rules = rng.permutation(len(RULES))

    def text(self, habit: int, language: int) -> str | None:
        """One complaint's text; None for none."""
        rng = self._rng
        if habit == SILENT or (habit != QUOTES and rng.random() < 0.4):
            return None
        if habit == MENU:
            return CANNED[int(rng.integers(len(CANNED)))]
        if habit == QUOTES and language == MAIN:
            # A place has a few rules that are always quoted, and people copy them whole.
            rule = RULES[self._favourite_rules[min(int(rng.geometric(0.4)) - 1, len(RULES) - 1)]]
            return _LEADS[int(rng.integers(len(_LEADS)))] + rule
        return self.own(language, int(rng.integers(4, 16)))

    def own(self, language: int, words: int) -> str:
        """A text of so many words of its own."""
        chosen = np.searchsorted(self._chances, self._rng.random(words))
        parts: Sequence[str] = [self._vocabulary[language][min(int(k), _WORDS - 1)] for k in chosen]
        return ("" if language == _WITHOUT_SPACES else " ").join(parts)
