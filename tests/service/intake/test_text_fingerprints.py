"""Signatures of texts: how near they come to the real share of words, and what they give away."""

from __future__ import annotations

import math
import unicodedata
from hashlib import shake_128

import numpy as np
import pytest

from service.intake.text_fingerprints import (
    COMMON_KEY,
    LEAST_WORDS,
    SIGNATURE_BYTES,
    SLOTS,
    VERSION,
    jaccard,
    signature_of,
    slots_alike,
    slots_of,
    word_count,
)

OTHER_KEY = bytes(range(32))
HEAD = bytes([VERSION, 9])


def signed(text: str, key: bytes = COMMON_KEY) -> bytes:
    found = signature_of(text, key)
    assert found is not None
    return found


def old_signature(text: str, key: bytes = COMMON_KEY) -> bytes:
    """Version 1, as 0.2.0 made it."""
    words = set(text.split())
    values = np.array([np.frombuffer(shake_128(key + word.encode()).digest(512), np.uint32) for word in words])
    return bytes([min(len(words), 255)]) + values.min(axis=0).astype(np.uint8).tobytes()


def pair(common: int, apart: int, number: int) -> tuple[str, str]:
    """Two texts with so many words in common and so many of its own each."""
    both = [f"w{number}x{k}" for k in range(common)]
    return " ".join([*both, *(f"a{number}x{k}" for k in range(apart))]), " ".join(
        [*(f"b{number}x{k}" for k in range(apart)), *both]
    )


@pytest.mark.parametrize(("common", "apart"), [(0, 10), (4, 8), (8, 6), (10, 5), (18, 1), (20, 0)])
def test_the_estimate_is_unbiased_within_the_error_that_is_stated(common: int, apart: int) -> None:
    real = common / (common + 2 * apart)
    estimates = [jaccard(*map(signed, pair(common, apart, number))) for number in range(200)]
    assert abs(np.mean(estimates) - real) < 0.015
    assert np.std(estimates) <= 1.15 * math.sqrt(max(real * (1 - real), 0.006) / 128)


def test_the_policy_s_bound_is_met_by_copies_and_not_by_what_strangers_share() -> None:
    copies = [jaccard(*map(signed, pair(8, 2, n))) for n in range(200)]  # 8 of 12 words
    strangers = [jaccard(*map(signed, pair(2, 9, n))) for n in range(200)]  # 2 of 20
    assert min(copies) > 0.4 > max(strangers)
    enough = slots_alike(0.4)
    assert jaccard(HEAD + bytes(SLOTS), HEAD + bytes(enough) + b"\1" * (SLOTS - enough)) >= 0.4
    assert jaccard(HEAD + bytes(SLOTS), HEAD + bytes(enough - 1) + b"\1" * (SLOTS - enough + 1)) < 0.4


def test_order_repeats_and_spaces_say_nothing() -> None:
    assert signed("one two three four five") == signed("five  four\tthree two one one\n")


@pytest.mark.parametrize(
    "text", ["", "   ", "please remove this spam", "spam " * 40, "😡😡 🚨 🙏🏽", "\u200b\ufeff", "! ? . , ;"]
)
def test_a_text_of_fewer_than_five_distinct_words_has_none(text: str) -> None:
    assert signature_of(text) is None


def test_a_signature_has_one_size_and_tells_the_number_of_words() -> None:
    for words in (LEAST_WORDS, 40, 2_000):
        found = signed(" ".join(f"w{k}" for k in range(words)))
        assert len(found) == SIGNATURE_BYTES and found[0] == VERSION and word_count(found) == min(words, 255)
    assert len(signed("a \ud800 b 𝕏 \x00 é c \udfff d")) == SIGNATURE_BYTES


def test_under_another_key_the_same_text_looks_like_a_stranger_s() -> None:
    text = "he insults every reader of this page each single day"
    assert jaccard(signed(text), signed(text, OTHER_KEY)) < 0.1
    assert jaccard(signed(text, OTHER_KEY), signed(text, OTHER_KEY)) == 1.0


def test_no_signature_is_compared_with_anything_else() -> None:
    with pytest.raises(ValueError, match="129 bytes"):
        slots_of([b"five words are enough here"])


# --- versions


def test_signatures_of_an_earlier_version_are_read_and_never_like_those_of_this_one() -> None:
    text = "he insults every reader of this page each single day"
    old = old_signature(text)
    assert len(old) == SIGNATURE_BYTES and word_count(old) == 10
    assert jaccard(old, old) == 1.0
    assert jaccard(old, signed(text)) < 0.1 and jaccard(signed(text), old) < 0.1


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_a_signature_of_a_version_that_is_not_known_counts_as_one_of_no_words(first: int) -> None:
    assert word_count(bytes([first]) * SIGNATURE_BYTES) == 0


@pytest.mark.parametrize("damaged", [b"", b"short", bytes([VERSION]) * (SIGNATURE_BYTES + 1)])
def test_a_signature_of_another_length_counts_as_one_of_no_words(damaged: bytes) -> None:
    assert word_count(damaged) == 0


# --- languages


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Diese BELEIDIGUNG ist, wirklich, nicht zu ertragen!", "diese beleidigung ist wirklich nicht zu ertragen"),
        ("Große Straße über schöne Bäche gebaut", "GROSSE STRASSE UBER SCHONE BACHE GEBAUT"),
        ("Bu İnsan ırkçı sözler yazıyor her gün", "BU INSAN IRKÇI SÖZLER YAZIYOR HER GÜN"),
        ("Всё ещё пишет гадости про мою мать", "все еще пишет гадости про мою мать"),
        ("هَذَا التَّعْلِيقُ مُهِينٌ جِدًّا لِلقَارِئَةِ", "هذا التعليق مهيـــن جدا للقارئة"),
        ("זֶה דִּבּוּר שֶׁל שִׂנְאָה נֶגֶד אֲנָשִׁים", "זה דבור של שנאה נגד אנשים"),
        ("यह टिप्पणी ज़रूर हटाएँ, बहुत गंदी है।", "यह टिप्पणी जरूर हटाएँ बहुत गंदी है"),
        ("这条评论，侮辱了所有的读者！", "这条评论侮辱了 所有的读者"),
        ("このﾕｰｻﾞｰはいつも荒らしで迷惑です。", "このユーザーはいつも荒らしで迷惑です"),
        ("ความคิดเห็นนี้ ดูหมิ่นผู้อื่น", "ความคิดเห็นนี้ดูหมิ่นผู้อื่น"),
        ("이 댓글은 모욕적인 내용이니 삭제해", unicodedata.normalize("NFD", "이 댓글은 모욕적인 내용이니 삭제해")),
        ("ｔｈｉｓ　ｉｓ　ａ　ｃｏｐｉｅｄ　ｔｅｘｔ", "𝐭𝐡𝐢𝐬 𝓲𝓼 𝕒 copied text"),
        ("don't you dare insult her", "DON\u2019T you dare insult h\u200ber"),
        ("@anna look at this: spam, spam", "@bob Look at THIS spam"),
        ("look at this https://one.example/5?x=1 today", "look at this http://two.example/a/b today"),
        ("bitte nach www.one.example/5 dort sehen", "bitte nach two.example/thread/7 dort sehen"),
        ("请看这个链接https://one.example/5他在骂人", "请看这个链接 http://two.example/b 他在骂人"),
        ("write to me at anna@one.example now", "write to me at bob.b@two.example now"),
    ],
)
def test_texts_that_differ_in_what_does_not_matter_have_one_signature(one: str, other: str) -> None:
    assert signed(one) == signed(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("这条评论侮辱了所有的读者请尽快删除", "图片里是十年前外国发生的水灾不是我们的城市"),
        ("マスクに虫がいるという噂は新聞が否定しました", "ワクチンで遺伝子が変わるというのは嘘です"),
        ("กรุณาลบโพสต์นี้เพราะเป็นโฆษณา", "ภาพน้ำท่วมเมื่อสิบปีก่อนในต่างประเทศ"),
        ("look https://one.example/5 nobody wants more spam", "see https://one.example/5 he insults my mother again"),
    ],
)
def test_texts_that_say_different_things_are_not_alike(one: str, other: str) -> None:
    assert jaccard(signed(one), signed(other)) < 0.2


@pytest.mark.parametrize(
    "text", ["垃圾广告", "违反社区规定", "スパムです", "誹謗中傷です", "สแปม", "@a @b @c @d @e spam"]
)
def test_short_texts_without_spaces_are_canned_reasons_too(text: str) -> None:
    assert signature_of(text) is None


@pytest.mark.parametrize("copied", ["麻烦看一下。", "", "😡😡"])
def test_a_text_without_spaces_that_is_copied_with_a_typo_and_a_sentence_more_is_recognised(copied: str) -> None:
    text = "评论没有回应那位读者关于学校预算的看法，而是直接对她进行人身攻击。"
    assert jaccard(signed(text), signed(copied + text.replace("直接", "直結"))) >= 0.4
