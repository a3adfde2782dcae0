"""Are copies of a complaint's text recognised in any language, and different texts left alone?

The texts are in bench/text_copies.txt: in each language 24 that were written independently on four subjects, and six
short ones in the phrases that everybody uses. Each of the 24 is edited once in each way that people edit what they
copy, and compared with the original at the policy's Jaccard index. Different texts are compared with each other: on the
same subject, on all four, and the short ones. "Before" is version 1 of the signatures: words cut at white space and
taken as written. A text without a signature is not recognised.

    python -m bench.text_copies             the tables, in seconds
    python -m bench.text_copies --missed    and the copies that are not recognised
    python -m bench.text_copies --cost      instead, microseconds a signature, both versions in turn
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from hashlib import shake_128
from itertools import combinations
from pathlib import Path

import numpy as np

from service.intake.text_fingerprints import COMMON_KEY, LEAST_WORDS, jaccard, signature_of
from service.policy import DEFAULT_POLICY

TEXTS = Path(__file__).with_name("text_copies.txt")
Sign = Callable[[str], bytes | None]
_WITHOUT_SPACES = {"Chinese", "Japanese", "Thai"}
_INVISIBLE = "\u200b\u200d\u2060\ufeff\u00ad\ufe0f\u200e\u034f"
_EMOJI = "😡🚨⚠️🙏🏽‼️"
_PUNCTUATION = re.compile(r"[.,;:!?，。、।،؛]")
_LOOK_ALIKE = dict(zip("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ", strict=True))  # Latin to Cyrillic
_LOOK_ALIKE |= {cyrillic: latin for latin, cyrillic in _LOOK_ALIKE.items()}
# a sentence that people put before or after what they copy, and a word that they put in place of another
_ADDED = {
    "English": ("Please look at this one too.", "again"),
    "German": ("Bitte schaut euch das mal an.", "wieder"),
    "Turkish": ("Lütfen buna da bir bakın.", "yine"),
    "Russian": ("Пожалуйста, посмотрите и это.", "снова"),
    "Arabic": ("أرجو النظر في هذا أيضا.", "أيضا"),
    "Hindi": ("कृपया इसे भी देखिए।", "फिर"),
    "Chinese": ("麻烦管理员看一下。", "又"),
    "Japanese": ("ご確認をお願いします。", "また"),
    "Thai": ("ช่วยดูให้หน่อย ", "อีก"),
    "Korean": ("이것도 확인 부탁드려요.", "또"),
}


def read_texts() -> dict[str, list[list[str]]]:
    """Language -> subjects -> texts."""
    found: dict[str, list[list[str]]] = {}
    for line in TEXTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            subjects = found[line.strip("[]")] = [[]]
        elif line and not line.startswith("#"):
            subjects[-1].append(line)
        elif not line and found and subjects[-1]:
            subjects.append([])
    return {language: [texts for texts in subjects if texts] for language, subjects in found.items()}


@lru_cache(maxsize=65_536)
def _old_values(word: str) -> bytes:
    return shake_128(COMMON_KEY + word.encode()).digest(4 * 128)


def old_signature(text: str) -> bytes | None:
    """Version 1, in today's shape."""
    words = set(text.split())
    if len(words) < LEAST_WORDS:
        return None
    values = np.frombuffer(b"".join([_old_values(word) for word in words]), np.uint32).reshape(len(words), 128)
    return bytes([len(words)]) + values.min(axis=0).astype(np.uint8).tobytes()


def edits(text: str, language: str, rng: random.Random) -> dict[str, str]:
    """The text after each way of editing."""
    added, word = _ADDED[language]
    spaced = language not in _WITHOUT_SPACES
    gap = " " if spaced else ""
    units = text.split() if spaced else list(text)
    place = rng.randrange(1, len(units) - 1)
    if not spaced:
        place -= place % 2
    length = 1 if spaced else 2
    clauses = re.split(r"(?<=[,，、،]) ?", text, maxsplit=1)
    middle = len(units) // 2
    halves = clauses if len(clauses) == 2 else [gap.join(units[:middle]), gap.join(units[middle:])]
    found = {
        "capitals": (text.replace("i", "İ") if language == "Turkish" else text).upper(),
        "capital here and there": "".join(c.upper() if rng.random() < 0.2 else c for c in text),
        "without punctuation": _PUNCTUATION.sub("", text),
        "more punctuation": gap.join(unit + rng.choice(("", "", "!!", "...", ",")) for unit in units) + "!!!",
        "invisible signs": "".join(c + (rng.choice(_INVISIBLE) if rng.random() < 0.3 else "") for c in text),
        "full width": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
        "emoji": f"🚨 {gap.join(units[:place])}{gap}{rng.choice(_EMOJI)}{gap}{gap.join(units[place:])} 😡😡",
        "a typo": _with_typo(text, rng),
        "a word left out": gap.join(units[:place] + units[place + length :]),
        "a word swapped": gap.join([*units[:place], word, *units[place + length :]]),
        "sentence in front": f"{added}{gap}{text}",
        "sentence behind": f"{text}{gap}{added}",
        "clauses reordered": f"{halves[1]}{gap}{halves[0]}",
        "link and mention": f"@anna {text} https://example.org/thread/{rng.randrange(10**6)}?ref=app",
    }
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.combining(c) < 200)
    found["accents left out"] = unicodedata.normalize("NFC", bare)
    found["look-alike letters"] = "".join(_LOOK_ALIKE.get(c, c) if rng.random() < 0.1 else c for c in text)
    found["a third rewritten"] = gap.join(
        _mixed(unit, rng) if k % (3 * length) < length else unit for k, unit in enumerate(units)
    )
    found["three at once"] = _with_typo(_PUNCTUATION.sub("", f"{text.upper()}{gap}{added} 😡"), rng)
    return found


def _mixed(unit: str, rng: random.Random) -> str:
    """Another word of the same script and length."""
    near = {c: [n for k in range(-9, 10) if k and (n := chr(ord(c) + k)).isalpha()] for c in unit}
    return "".join(rng.choice(near[c] or [c]) if c.isalpha() else c for c in unit)


def _with_typo(text: str, rng: random.Random) -> str:
    place = rng.choice([k for k in range(1, len(text) - 2) if text[k].isalpha() and text[k + 1].isalpha()])
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def alike(sign: Sign, one: str, other: str) -> bool:
    """Whether the two texts count as copies; never without a signature."""
    first, second = sign(one), sign(other)
    return first is not None and second is not None and jaccard(first, second) >= DEFAULT_POLICY.text_jaccard


def _jaccard(one: str, other: str) -> float:
    first, second = signature_of(one), signature_of(other)
    return 0.0 if first is None or second is None else jaccard(first, second)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", action="store_true", help="show the copies that are not recognised")
    parser.add_argument("--cost", action="store_true", help="measure what a signature costs")
    parser.add_argument("--seed", type=int, default=1, help="of the edits (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.cost:
        return _print_cost()
    rng, begun = random.Random(arguments.seed), time.perf_counter()
    signs: dict[str, Sign] = {"before": old_signature, "now": signature_of}
    recognised: dict[tuple[str, str], list[tuple[bool, bool]]] = defaultdict(list)
    wrong: dict[str, list[list[tuple[bool, bool, float]]]] = {}
    unsigned: dict[str, tuple[int, int]] = {}
    texts = read_texts()
    for language, subjects in texts.items():
        *subjects, short = subjects
        every = [text for subject in subjects for text in subject]
        unsigned[language] = (
            sum(old_signature(t) is None for t in every + short),
            sum(signature_of(t) is None for t in every + short),
        )
        for text in every:
            for edit, copy in edits(text, language, rng).items():
                before, now = (alike(sign, text, copy) for sign in signs.values())
                recognised[language, edit].append((before, now))
                if arguments.missed and not now:
                    print(f"missed, {language}, {edit}: {text} | {copy}")
        near = [pair for subject in subjects for pair in combinations(subject, 2)]
        wrong[language] = [
            [(alike(old_signature, *pair), alike(signature_of, *pair), _jaccard(*pair)) for pair in pairs]
            for pairs in (near, list(combinations(every, 2)), list(combinations(short, 2)))
        ]
    print("Copies recognised, % (before -> now)")
    _print_copies(recognised, list(texts))
    print("\nDifferent texts taken for copies; texts without a signature (before -> now)")
    print(f"{'':12}{'same subject':18} {'all':18} {'largest J now':14} {'short, usual phrases':22} no signature")
    for language, kinds in wrong.items():
        largest = max(max(of for *_, of in pairs) for pairs in kinds[:2])
        shown = [f"{sum(b for b, _, _ in r)} -> {sum(n for _, n, _ in r)} of {len(r)}" for r in kinds]
        before, now = unsigned[language]
        signed = f"{before} -> {now} of {len(texts[language]) * 6}"
        print(f"{language:12}{shown[0]:18} {shown[1]:18} {largest:<14.2f} {shown[2]:22} {signed}")
    print(f"\n{time.perf_counter() - begun:.1f} s")
    return 0


def _print_cost() -> int:
    """CPU time a text, words known to the process; the least of ten rounds, in which the versions take turns."""
    print("us a signature, words known to the process (before -> now, ratio); texts of the language, as ASCII")
    for language, subjects in read_texts().items():
        own = [text for subject in subjects for text in subject]
        ascii_only = [text.encode("ascii", "ignore").decode() for text in own]
        cells = []
        for texts in (own, ascii_only if sum(map(len, ascii_only)) > sum(map(len, own)) / 2 else []):
            rounds = [[_microseconds(sign, texts) for sign in (old_signature, signature_of)] for _ in range(10)]
            least = [min(times) for times in zip(*rounds, strict=True)]
            cells.append(f"{least[0]:5.1f} -> {least[1]:5.1f} {least[1] / least[0]:5.2f}" if texts else "")
        print(f"{language:12}{cells[0]:24}{cells[1]}")
    return 0


def _microseconds(sign: Sign, texts: list[str]) -> float:
    begun = time.process_time()
    for _ in range(10):
        for text in texts:
            sign(text)
    return (time.process_time() - begun) / max(1, 10 * len(texts)) * 1e6


def _print_copies(recognised: dict[tuple[str, str], list[tuple[bool, bool]]], languages: list[str]) -> None:
    names = list(dict.fromkeys(edit for _, edit in recognised))
    print(f"{'':24}" + "".join(f"{language:>12}" for language in [*languages, "all"]))
    for edit in [*names, "all"]:
        cells = []
        for language in [*languages, None]:
            rows = [
                row
                for (spoken, name), found in recognised.items()
                if language in (None, spoken) and edit in ("all", name)
                for row in found
            ]
            before, now = (round(100 * sum(row[k] for row in rows) / len(rows)) for k in (0, 1))
            cells.append(f"{before:>6} ->{now:>3}")
        print(f"{edit:24}" + "".join(f"{cell:>12}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
