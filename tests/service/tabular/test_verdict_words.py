"""What moderators decided, in the words of many languages and columns; what is not unmistakable is said, not taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from tabular_files import csv_of, read, rows, written

from service.tabular.reading import SourceFile

ROWS = rows()


def judged(tmp_path: Path, column: str, words: tuple[str, ...]) -> tuple[list[str], SourceFile]:
    """The verdicts of a file whose column has these words in turn."""
    given = [row | {column: words[k % len(words)]} for k, row in enumerate(ROWS)]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given)))
    assert (len(items), refused) == (len(ROWS), [])
    return [outcome.verdict for outcome in source.outcomes()], source


@pytest.mark.parametrize(
    ("column", "upheld", "rejected"),
    [
        ("Decyzja moderatora", "Zasadne", "Niezasadne"),
        ("Рішення", "Підтверджено", "Відхилено"),
        ("Статус", "Удовлетворена", "Отклонена"),
        ("対応結果", "削除", "問題なし"),
        ("Suite donnée", "Fondé", "Sans suite"),
        ("Parecer", "Procedente", "Improcedente"),
        ("Resolution", "Listing removed", "No action"),
        ("Decision", "Comment deleted", "Kept"),
        ("Ergebnis", "Beitrag entfernt", "Kein Verstoß"),
        ("Beslut", "Befogad", "Obefogad"),
        ("Rozhodnutí", "Oprávněné", "Zamítnuto"),
        ("Karar", "Kaldırıldı", "Reddedildi"),
        ("Esito", "Fondata", "Infondata"),
        ("Beslissing", "Gegrond", "Ongegrond"),
        ("state.label", "Accepted", "Rejected"),
        ("action", "removed", "kept"),
        ("mod_action", "remove", "keep"),
    ],
)
def test_words_of_many_languages_judge(tmp_path: Path, column: str, upheld: str, rejected: str) -> None:
    verdicts, source = judged(tmp_path, column, (upheld, rejected))
    assert verdicts == ["upheld", "rejected"] * (len(ROWS) // 2)
    assert [used.column for used in source.read_as if used.field == "verdict"] == [column]


@pytest.mark.parametrize("words", [("removed", "email sent"), ("removed", "pending"), ("edit", "move")])
def test_actions_judge_only_if_all_their_words_are_known_and_go_both_ways(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert judged(tmp_path, "action", words)[0] == []


def test_what_looks_like_a_verdict_or_is_called_so_is_said_with_the_option(tmp_path: Path) -> None:
    verdicts, source = judged(tmp_path, "ending", ("upheld", "dismissed"))
    assert verdicts == []
    assert [n for n in source.notes if "--column verdict=ending" in n] == [
        "'ending' looks like a verdict (dismissed, upheld): if it is one, --column verdict=ending"
    ]
    verdicts, source = judged(tmp_path, "decision", ("blorbed", "zapped"))
    assert (verdicts, [n for n in source.notes if "words are not known" in n]) == (
        [],
        ["'decision' is called like a verdict, but its words are not known, and not taken: blorbed, zapped"],
    )


@pytest.mark.parametrize(
    ("column", "words", "said"),
    [
        ("Status", ("Declined", "Done", "Done"), "'Declined', 'Done'"),
        ("state", ("resolved", "upheld"), "'resolved', 'upheld'"),
        ("Beslut", ("Avslag", "Utrett", "Avslag"), "'Avslag', 'Utrett'"),
    ],
)
def test_decisions_of_one_kind_alone_are_not_taken_while_the_others_say_nothing(
    tmp_path: Path, column: str, words: tuple[str, ...], said: str
) -> None:
    verdicts, source = judged(tmp_path, column, words)
    assert verdicts == []
    assert [note for note in source.notes if f"{said}. That would show one kind of decision alone" in note]


@pytest.mark.parametrize("words", [("Declined", "Open"), ("Declined", "Done", "Upheld"), ("rejected",)])
def test_decisions_of_one_kind_are_taken_where_the_rest_is_under_way_or_goes_the_other_way(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    verdicts, _ = judged(tmp_path, "Status", words)
    assert set(verdicts) == {"rejected", "upheld"} & {"upheld" if "Upheld" in words else "rejected", "rejected"}
