"""What a group's targets have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from service.model import Evidence
from workers.detection.target_traits import (
    DISTINCT_NUMBERS,
    FEATURES_PER_TARGET,
    P_LIMIT,
    SHOWN,
    TargetTraits,
    UsualTraits,
    shared_traits_of,
    traits_of,
    usual_of,
)


def town(targets: int = 1000) -> dict[int, dict[str, Any]]:
    """Comments: two of five stand-alone, ten sections, authors and articles by popularity, words by frequency."""
    rng = np.random.default_rng(3)
    words = [f"wort{'abcdefghij'[k // 100]}{'abcdefghij'[k // 10 % 10]}{'abcdefghij'[k % 10]}" for k in range(1000)]
    return {
        t: {
            "id": f"t{t}",
            "kind": "comment",
            "author_id": f"a{rng.zipf(1.6) % 400}",
            "context_id": f"article-{t // 8}",
            "attributes": {
                "is_reply": bool(rng.random() < 0.6),
                "section": f"s{rng.integers(10)}",
                "length": int(rng.integers(5000)),
                "stars": int(rng.integers(1, 6)),
            },
            "excerpt": " ".join(words[int(k)] for k in rng.zipf(1.3, 12) % 1000),
        }
        for t in range(targets)
    }


def traits(contents: Mapping[int, Mapping[str, Any]]) -> TargetTraits:
    made = TargetTraits()
    made.add({target: traits_of(content) for target, content in contents.items()})
    return made


def everywhere(made: TargetTraits) -> UsualTraits:
    return made.usual(np.array(list(made), np.int64))


def aims(contents: Mapping[int, Mapping[str, Any]], group: list[int]) -> dict[str, Evidence]:
    made = traits(contents)
    return {e.signal: e for e in shared_traits_of(group, made, everywhere(made))}


# --- features


def test_a_target_is_what_it_is_by_whom_where_with_what_attributes_and_words() -> None:
    target = {
        "id": "t-5",
        "kind": "comment",
        "author_id": "a-9",
        "context_id": "article-3",
        "url": "https://example.org/5",
        # never compared: an article's title is one for all of its comments, whatever the group
        "context_title": "Schlagzeile über Tomaten",
        "context_url": "https://example.org/tomaten",
        "attributes": {"is_reply": False, "depth": 2, "score": 1.5, "section": "Politik"},
        "excerpt": "Die FLÜCHTLINGE, die kommen; und 2015 die flüchtlinge!",
    }
    assert traits_of(target) == {
        "kind comment",
        "author a-9",
        "context article-3",
        "attribute is_reply = false",
        "attribute depth = 2",
        "attribute score = 1.5",
        "attribute section = Politik",
        "word flüchtlinge",
        "word kommen",
    }


@pytest.mark.parametrize(
    ("excerpt", "expected"),
    [
        ("Ｆlücht\u200blinge FLÜCHTLINGE, flüchtlinge's", {"word flüchtlinge", "word flüchtlinges"}),
        ("难民，政策", {"characters 难民", "characters 民政", "characters 政策"}),
        ("ワクチンなので", {"characters ワクチ", "characters クチン", "characters チンな", "characters ンなの"}),
        ("ผู้ลี้ภัย", {f"characters {'ผู้ลี้ภัย'[k : k + 4]}" for k in range(6)}),
        ("난민은 나가라", {"word 난민은", "word 나가라"}),
        ("शरणार्थी यहाँ", {"word शरणार्थी", "word यहाँ"}),
        ("הַפְּלִיטִים חרב", {"word הפליטים", "word חרב"}),
        ("حَرْب لاجئـــون", {"word حرب", "word لاجئون"}),
        ("see https://example.org/refugees @anna", set()),
        ("😡 \u200b", set()),
    ],
)
def test_words_of_every_script_are_features_in_the_form_in_which_people_read_them(
    excerpt: str, expected: set[str]
) -> None:
    assert traits_of({"id": "t", "excerpt": excerpt}) == expected


def test_what_chinese_targets_have_in_common_is_found() -> None:
    usual = ["天气很好我们去公园散步", "足球比赛昨天晚上结束了", "新的电影下周开始上映吧", "股市今天又下跌了不少呢"]
    contents = {k: {"id": f"t{k}", "excerpt": f"{usual[k % 4]}{k}"} for k in range(200)}
    contents |= {k: {"id": f"t{k}", "excerpt": f"难民{usual[k % 4]}"} for k in range(200, 208)}
    found = aims(contents, list(range(200, 208)))
    assert found["aim_characters"].text.startswith("8 of 8 targets contain the characters “难民” (4 % of all targets")


def test_what_nobody_told_is_no_feature() -> None:
    assert (
        traits_of({"id": "t"})
        == traits_of({"id": "t", "kind": None, "author_id": None, "excerpt": None, "attributes": None})
        == frozenset()
    )


def test_a_value_is_the_same_typed_and_as_text_composed_and_decomposed() -> None:
    assert traits_of({"attributes": {"x": 2, "y": True}}) == traits_of({"attributes": {"x": 2.0, "y": "true"}})
    assert (
        traits_of({"excerpt": "na\u00efve cre\u0301dule"})
        == traits_of({"excerpt": "nai\u0308ve cr\u00e9dule"})
        == {"word naïve", "word crédule"}
    )


def test_features_of_a_target_are_bounded_and_words_give_way_first() -> None:
    attributes = {f"n{k}": "x" for k in range(32)}
    found = traits_of(
        {
            "author_id": "a",
            "attributes": attributes,
            "excerpt": " ".join(f"wort{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(300)),
        }
    )
    assert len(found) == FEATURES_PER_TARGET
    assert {"author a", *(f"attribute {n} = x" for n in attributes)} < found
    assert traits_of({"attributes": {"essay": "x" * 81}}) == frozenset()


# --- aims


def test_twelve_stand_alone_comments_where_forty_percent_are() -> None:
    contents = town()
    rng = np.random.default_rng(1)
    alone = [t for t, c in contents.items() if not c["attributes"]["is_reply"]]
    group = rng.choice(alone, 12, replace=False).tolist()
    found = aims(contents, group)
    assert list(found) == ["aim_is_reply"]
    told = found["aim_is_reply"]
    assert told.text == f"12 of 12 targets are not replies ({100 * len(alone) / 1000:.0f} % of all targets are not)."
    assert (told.value, told.usual, told.contribution) == (1.0, len(alone) / 1000, 0.0)


def test_the_p_value_is_the_hypergeometric_tail_times_what_was_tested() -> None:
    contents = {t: {"attributes": {"is_reply": t % 5 > 1}} for t in range(100)}
    group = [t for t in contents if t % 5 <= 1][:10]
    told = aims(contents, group)["aim_is_reply"]
    assert told.p_value == pytest.approx(2 * hypergeom.sf(9, 100, 40, 10)), "one kind with two values"


def test_a_common_author_context_kind_section_and_word_are_found_strongest_first() -> None:
    contents = town()
    for t in range(0, 80, 8):
        contents[t] |= {
            "author_id": "victim",
            "kind": "review",
            "context_id": "one-page",
            "excerpt": f"{contents[t]['excerpt']} Windräder",
        }
        contents[t]["attributes"]["section"] = "energy"
    found = aims(contents, list(range(0, 80, 8)))
    assert set(found) == {"aim_author", "aim_kind", "aim_context", "aim_section", "aim_word"}
    assert len(found) == SHOWN
    p = [e.p_value for e in found.values()]
    assert p == sorted(p, key=lambda x: x or 0)
    assert [found[f"aim_{name}"].text for name in ("author", "kind", "context", "section", "word")] == [
        "10 of 10 targets are by author victim (1 % of all targets are).",
        "10 of 10 targets are of kind “review” (1 % of all targets are).",
        "10 of 10 targets are in context one-page (1 % of all targets are).",
        "10 of 10 targets have section “energy” (1 % of all targets do).",
        "10 of 10 targets contain the word “windräder” (1 % of all targets do).",
    ]


def test_what_all_targets_have_is_no_aim() -> None:
    assert "aim_kind" not in aims(town(), list(range(200)))


def test_groups_drawn_by_chance_aim_at_nothing_more_often_than_one_in_a_hundred() -> None:
    contents = town()
    made = traits(contents)
    usual, rng = everywhere(made), np.random.default_rng(11)
    sizes = rng.integers(3, 40, 300)
    aiming = sum(bool(shared_traits_of(rng.choice(1000, size, replace=False).tolist(), made, usual)) for size in sizes)
    assert aiming <= 8, "expected 3 at most; more than 8 has a chance of .4 %"


def test_single_values_of_a_measurement_say_nothing_and_few_numbers_do() -> None:
    contents = town()
    for t in range(12):
        contents[t]["attributes"] |= {"length": 4321, "stars": 1}
    found = aims(contents, list(range(12)))
    assert "aim_stars" in found and "aim_length" not in found
    counted = Counter(f for t in range(1000) for f in traits_of(contents[t]))
    sampled = {
        e.signal
        for e in shared_traits_of(range(12), {t: traits_of(contents[t]) for t in range(12)}, usual_of(counted, 1000))
    }
    assert sampled == set(found), "the same from a plain count"


def test_words_of_two_excerpts_and_what_few_of_many_share_are_left_out() -> None:
    contents = {t: {"excerpt": "", "author_id": f"a{t}"} for t in range(5000)}
    contents[0]["excerpt"] = contents[1]["excerpt"] = "Xylophon"
    assert not aims(contents, [0, 1])
    assert not aims(contents, list(range(10)))
    contents[2]["excerpt"] = "xylophon"
    assert set(aims(contents, [0, 1, 2])) == {"aim_word"}
    assert not aims(contents, list(range(40)))


def test_a_sample_without_the_group_s_own_targets_finds_the_same_with_less_certainty() -> None:
    contents = town()
    for t in range(12):
        contents[t]["author_id"] = "victim"
    made = traits(contents)
    whole = {e.signal: e for e in shared_traits_of(range(12), made, everywhere(made))}["aim_author"]
    sample = {e.signal: e for e in shared_traits_of(range(12), made, made.usual(np.arange(500, 1000)))}["aim_author"]
    assert sample.p_value is not None and whole.p_value is not None
    assert whole.p_value < sample.p_value < P_LIMIT


@pytest.mark.parametrize("group", [[], [7], [10**9, 10**9 + 1]])
def test_nothing_one_target_and_unknown_targets_have_nothing_in_common(group: list[int]) -> None:
    assert not aims(town(100), group)
    assert shared_traits_of(group, TargetTraits(), everywhere(TargetTraits())) == ()


@given(st.permutations(range(12)))
def test_the_order_of_targets_and_their_repetition_are_irrelevant(order: list[int]) -> None:
    contents = {t: {"author_id": "victim" if t < 9 else f"a{t}", "attributes": {"x": t % 2 == 0}} for t in range(200)}
    made = traits(contents)
    usual = everywhere(made)
    assert shared_traits_of([*order, *order], made, usual) == shared_traits_of(range(12), made, usual) != ()


# --- counts


def test_the_first_content_of_a_target_stays() -> None:
    made = traits({1: {"author_id": "a"}})
    made.add({1: traits_of({"author_id": "b"})})
    assert dict(made) == {1: {"author a"}}


def test_the_base_rate_is_that_of_the_targets_asked_for() -> None:
    contents = town(300)
    made = traits(contents)
    part = np.array([5, 7, 11, 290, 12345, *range(100, 200)])
    usual = made.usual(part)
    counted = Counter(f for t in part.tolist() if t in contents for f in traits_of(contents[t]))
    assert usual.targets == 104
    length = {f: n for f, n in usual.count_by_feature.items() if not f.startswith("attribute length")}
    assert length == {f: n for f, n in counted.items() if n >= 2 and not f.startswith("attribute length")}
    assert usual.measures == {"attribute length"}


def test_an_attribute_becomes_a_measurement_with_one_number_more_than_allowed() -> None:
    for many, measures in ((DISTINCT_NUMBERS, set()), (DISTINCT_NUMBERS + 1, {"attribute x"})):
        contents: dict[int, dict[str, Any]] = {t: {"attributes": {"x": t % many}} for t in range(5 * many)}
        assert everywhere(traits(contents)).measures == measures
        assert usual_of(Counter(f for c in contents.values() for f in traits_of(c)), 5 * many).measures == measures


def test_a_feature_more_frequent_than_its_targets_is_refused() -> None:
    with pytest.raises(ValueError, match="a feature is counted 3 times among 2 targets"):
        usual_of({"kind comment": 3}, 2)
