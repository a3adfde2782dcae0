"""The words of texts: what folding removes, and that nothing in a text makes it slow or large."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake import text_words
from service.intake.text_fingerprints import signature_of
from service.intake.text_words import LINK, LONGEST_TEXT, MENTION, MOST_TOKENS, folded, tokens_of, wording_of

TEXTS = st.text(
    st.one_of(
        st.characters(),  # all of Unicode, lone surrogates too
        st.sampled_from("abcXYZ äßİıſΣς 你好世界々ー・カｶﾞがกำุ่ที่ःक़क्षअ한글각أىةـשָ@/.:-'’´😡\u0301\u0345\u3099"),
    ),
    max_size=60,
)
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2064\u2066\u2069"
    "\u3164\ufe00\ufe0f\ufeff\uffa0\U0001d173\U000e0001\U000e0041\U000e007f\U000e0100\x00\x1b\x7f"
)


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(TEXTS)
def test_case_never_changes_the_words(text: str) -> None:
    for other in (text.upper(), text.lower(), text.casefold(), text.swapcase(), text.title()):
        assert tokens_of(other) == tokens_of(text)


@given(TEXTS)
def test_the_form_in_which_unicode_is_normalised_never_changes_the_words(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert tokens_of(unicodedata.normalize(form, text)) == tokens_of(text)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.text(st.sampled_from(INVISIBLE), max_size=5)), max_size=8))
def test_invisible_signs_never_change_the_words_wherever_they_stand(text: str, places: list[tuple[int, str]]) -> None:
    other = text
    for place, signs in places:
        other = other[:place] + signs + other[place:]
    assert tokens_of(other) == tokens_of(text)
    assert signature_of(other) == signature_of(text)


@given(TEXTS | st.text(st.sampled_from("wWw.ｗ．@＠/／:https℀ab中\u200b "), max_size=40))
def test_folding_and_separating_at_once_gives_what_both_give_one_after_the_other(text: str) -> None:
    words, shingles = text_words._cut(text_words._separated(folded(text)))
    assert tokens_of(text)[0] == [word.encode() for word in dict.fromkeys([*words, *shingles])]


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_the_short_way_for_ascii_gives_what_the_long_way_gives(text: str) -> None:
    words, shingles = text_words._cut(text_words._separated(folded(text)))
    assert shingles == []
    assert tokens_of(text)[0] == [word.encode() for word in dict.fromkeys(words)]


@given(st.text(st.sampled_from("这条评论涉嫌歧视请删除ใหม่の ，。！😡"), max_size=40))
def test_spaces_and_punctuation_between_signs_without_spaces_change_nothing(text: str) -> None:
    assert tokens_of("".join(c for c in text if c not in " ，。！😡")) == tokens_of(text)


@pytest.mark.parametrize("start", range(7))
def test_case_says_nothing_in_all_of_unicode(start: int) -> None:
    for code in [*range(start, 0x3000, 7), *range(0x3000 + start, sys.maxunicode + 1, 7 * 97)]:
        char = chr(code)
        assert folded(folded(char)) == folded(char) == folded(char.upper()) == folded(char.lower())


def test_links_and_mentions_are_one_word_each_whatever_they_name() -> None:
    words, _ = tokens_of(
        "@anna @bob see https://one.example/5 and www.two.example, hxxps://three.example x@four.example"
    )
    assert words == [MENTION.encode(), b"see", LINK.encode(), b"and"]
    assert tokens_of("\ue000 \ue001")[0] == [], "private signs of the text itself are not taken for them"
    assert tokens_of("and/or him/her b@d 3/4")[0] == [b"and", b"or", b"him", b"her", b"b", b"d", b"3", b"4"]


def test_thai_vowels_and_kana_voicing_stay_while_accents_go() -> None:
    assert folded("ที่ น้ำ") == unicodedata.normalize("NFC", unicodedata.normalize("NFKD", "ที่ น้ำ"))
    assert folded("が") == "が" != folded("か")
    assert folded("Ἀθῆναι Ťąśk é") == "αθηναι task e"
    assert folded("٣ ۳ ३ ３") == "3 3 3 3"


def test_short_texts_are_compared_by_their_words_and_emoji_as_they_are() -> None:
    assert wording_of("Rude,  COMMENT!") == wording_of("rude comment")
    assert wording_of("广告， 垃圾") == wording_of("广告垃圾")
    assert wording_of("😡 😡") == "😡 😡" != wording_of("🚨")


@pytest.mark.parametrize(
    "text",
    [
        "Z" + "\u0301\u0316" * 50_000,  # Zalgo: normalising takes the square of the marks in a row
        "\u0e01" + "\u0e38\u0e48" * 50_000,
        "\u0915" + "\u093c\u094d" * 50_000,
        "\U00011046\U00016ff0" * 50_000,
        "\ufdfa" * 100_000,  # eighteen signs each
        "\u200b" * 100_000,
        "\ud800" * 100_000,
        "@" * 100_000,
        "a@" * 100_000,
        "www." * 100_000,
        "a." * 100_000 + "/",
        ("a" * 63 + ".") * 1_000 + "/",
        "-a" * 100_000 + "@",
        "".join(map(chr, range(0x4E00, 0x9FFF))),
        "a b c " * 100_000,
    ],
)
def test_no_text_takes_long_or_becomes_large(text: str) -> None:
    begun = time.process_time()
    words, worth = tokens_of(text)
    assert time.process_time() - begun < 0.5
    assert len(words) <= MOST_TOKENS and worth <= MOST_TOKENS and len(folded(text)) <= LONGEST_TEXT


def test_all_of_unicode_does_not_fill_the_memory() -> None:
    for start in range(0, sys.maxunicode, LONGEST_TEXT):
        tokens_of("".join(map(chr, range(start, min(start + LONGEST_TEXT, sys.maxunicode)))))
    for table in (text_words._PLAIN, text_words._SEPARATING, text_words._WORDS, text_words._SIGNS):
        assert len(table) <= text_words._PLAIN.KEPT
