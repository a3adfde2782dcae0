"""Letters of any usual encoding: recognised and said as a guess, or as a person says; no row is lost to a wrong one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tabular_files import csv_of, expected, facts, read, rows, written

from service.errors import Refused
from service.tabular import text as text_module
from service.tabular.options import UnknownChoice, options_of
from service.tabular.reading_choice import ReadingChoice, in_a_form

WORDS = {
    "cp1251": ("Russian", ["Иван", "Юлия", "Олег"], "разжигание ненависти"),
    "koi8-r": ("Russian", ["Иван", "Юлия", "Олег"], "разжигание ненависти"),
    "cp866": ("Russian", ["Иван", "Юлия", "Олег"], "разжигание ненависти"),
    "iso8859-5": ("Russian", ["Иван", "Юлия", "Олег"], "разжигание ненависти"),
    "cp1253": ("Greek", ["Γιώργος", "Μαρία", "Ελένη"], "ρητορική μίσους"),
    "cp1250": ("Polish", ["Łukasz", "Żaneta", "Grażyna"], "obraźliwa treść, są"),
    "iso8859-2": ("Polish", ["Łukasz", "Żaneta", "Grażyna"], "obraźliwa treść, są"),
    "cp1250 of Czechs": ("Czech", ["Jiří", "Kateřina", "Tomáš"], "nenávistný příspěvek, důvěra"),
    "cp1250 of Hungarians": ("Hungarian", ["Győző", "Ödön", "Éva"], "gyűlöletkeltő sértés"),
    "cp1254": ("Turkish", ["Ayşe", "Çağrı", "Işık"], "kişisel saldırı içeriği"),
    "cp1257": ("Lithuanian", ["Jūratė", "Šarūnas", "Ąžuolas"], "įžeidimas ir neapykanta, čia"),
    "cp1255": ("Hebrew", ["דוד", "שרה", "משה"], "הסתה לשנאה ופגיעה"),
    "cp1256": ("Arabic", ["محمد", "فاطمة", "أحمد"], "محتوى مزعج وإساءة"),
    "cp874": ("Thai", ["สมชาย", "สมหญิง", "มานี"], "ดูหมิ่นและสแปม"),
    "cp932": ("Japanese", ["山田太郎", "佐藤花子", "鈴木ソ"], "誹謗中傷の表示\\ソ能"),
    "euc_jp": ("Japanese", ["山田太郎", "佐藤花子", "鈴木"], "誹謗中傷のコメント"),
    "iso2022_jp": ("Japanese", ["山田太郎", "佐藤花子", "鈴木"], "誹謗中傷のコメント"),
    "gbk": ("Chinese", ["王小明", "李娜", "张伟"], "垃圾广告和人身攻击"),
    "big5": ("Chinese", ["王小明", "李娜", "張偉"], "垃圾廣告和人身攻擊"),
    "euc_kr": ("Korean", ["김철수", "이영희", "박민수"], "욕설과 스팸"),
    "cp1252": ("German", ["Jörg", "Anna", "Weiß"], "Beleidigung – größtenteils „übel“"),
    "cp1252 of the French": ("French", ["Hélène", "François", "Zoé"], "propos déplacés à répétition"),
    "cp1252 of Spaniards": ("Spanish", ["José Núñez", "María", "Ángel"], "¿contenido engañoso?"),
    "cp1252 of Swedes": ("Swedish", ["Åsa", "Björn", "Håkan"], "förolämpning, hatiskt innehåll"),
    "cp850": ("German", ["Jörg", "Anna", "Weiß"], "Beleidigung, größtenteils übel"),
    "mac-roman": ("German", ["Jörg", "Anna", "Weiß"], "Beleidigung, größtenteils übel"),
}


def foreign(kind: str) -> list[dict[str, str]]:
    _, names, reason = WORDS[kind]
    return [r | {"reporter": names[k % 3], "reason": reason} for k, r in enumerate(rows())]


def encoding_of(kind: str) -> str:
    return kind.split(" ", maxsplit=1)[0]


@pytest.mark.parametrize("kind", WORDS)
def test_it_is_recognised_by_its_letters(tmp_path: Path, kind: str) -> None:
    given = foreign(kind)
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given, ";").encode(encoding_of(kind))))
    assert (facts(items), refused) == (expected(given), [])
    assert {c.reason for c in items} == {given[0]["reason"]}
    assert ("a guess" in source.kind and "--encoding" in source.kind) or kind == "iso2022_jp"


@pytest.mark.parametrize("kind", WORDS)
def test_it_is_read_as_a_person_says(tmp_path: Path, kind: str) -> None:
    given = foreign(kind)
    path = written(tmp_path / "a.csv", csv_of(given).encode(encoding_of(kind)))
    options = options_of({}, None, None, None, None, encoding_of(kind).upper(), assume_utc=True)
    items, refused, source = read(path, encoding=options.encoding)
    assert (facts(items), refused) == (expected(given), []) and "guess" not in source.kind


@pytest.mark.parametrize("wrong", ["windows-1251", "windows-1252", "cp1255", "mac_roman", "latin-1", "cp874"])
def test_a_wrong_encoding_of_single_bytes_loses_no_row_and_mixes_no_people(tmp_path: Path, wrong: str) -> None:
    given = foreign("koi8-r")
    path = written(tmp_path / "a.csv", csv_of(given).encode("koi8-r"))
    encoding = options_of({}, None, None, None, None, wrong, assume_utc=True).encoding
    items, refused, _ = read(path, encoding=encoding)
    assert (len(items), refused, len({c.reporter.id for c in items})) == (len(given), [], 3)


@pytest.mark.parametrize("kind", ["cp932", "gbk", "big5", "euc_kr", "euc_jp", "iso2022_jp", "cp1251"])
def test_no_character_is_divided_between_blocks(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = foreign(kind)
    path = written(tmp_path / "a.csv", csv_of(given).encode(encoding_of(kind)))
    for size in (1999, 2000, 2001):
        monkeypatch.setattr(text_module, "BLOCK", size)
        items, refused, _ = read(path)
        assert (facts(items), refused) == (expected(given), [])


def test_damaged_bytes_cost_their_rows_and_not_the_file(tmp_path: Path) -> None:
    given = foreign("cp932")
    lines = csv_of(given).encode("cp932").splitlines(keepends=True)
    lines[7] = lines[7].replace("山田太郎".encode("cp932"), "山田太".encode("cp932") + b"\x98")  # half of a character
    items, refused, _ = read(written(tmp_path / "a.csv", b"".join(lines)))
    assert len(items) == len(given) - 1 and [r.line for r in refused] == [8]


def test_letters_that_come_late_are_recognised_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BLOCK", 1000)
    given = rows() + foreign("cp1251")
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given).encode("cp1251")))
    assert (facts(items), refused) == (expected(given), []) and "Windows-1251 (a guess" in source.kind


def test_json_is_recognised_as_well(tmp_path: Path) -> None:
    given = foreign("cp1251")
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given)
    for name, text in (("a.ndjson", content), ("a.json", json.dumps(given, ensure_ascii=False))):
        items, refused, source = read(written(tmp_path / name, gzip.compress(text.encode("cp1251"))))
        assert (facts(items), refused) == (expected(given), []) and "Windows-1251" in source.kind


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-be", "utf-16", "utf-8-sig"])
def test_what_a_mark_says_needs_no_guess(tmp_path: Path, encoding: str) -> None:
    given = foreign("cp1251")
    mark = b"\x00\x00\xfe\xff" if encoding == "utf-32-be" else b""
    items, refused, source = read(written(tmp_path / "a.csv", mark + csv_of(given).encode(encoding)))
    assert (facts(items), refused) == (expected(given), []) and "guess" not in source.kind
    told = options_of({}, None, None, None, None, encoding, assume_utc=True).encoding
    assert facts(read(tmp_path / "a.csv", encoding=told)[0]) == expected(given)


def test_a_few_letters_that_could_be_anybody_s_are_read_and_said(tmp_path: Path) -> None:
    given = [r | {"reporter": "Ren\xe9" if k == 3 else r["reporter"]} for k, r in enumerate(rows())]
    items, refused, source = read(written(tmp_path / "a.csv", csv_of(given).encode("cp1252")))
    assert (facts(items), refused) == (expected(given), []) and "a guess" in source.kind


def test_bytes_that_are_no_letters_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"a\.csv"):
        read(written(tmp_path / "a.csv", bytes(range(128, 256)) * 40))


@pytest.mark.parametrize("name", ["klingon", "punycode", "base64", "unicode_escape", "rot13", "", "\0"])
def test_what_is_not_an_encoding_of_files_is_refused(name: str) -> None:
    with pytest.raises(UnknownChoice, match="--encoding: .*not a known encoding"):
        options_of({}, None, None, None, None, name, assume_utc=True)


def test_a_form_says_it_as_well(tmp_path: Path) -> None:
    assert ReadingChoice(encoding="Windows-1251").options().encoding == "cp1251"
    assert in_a_form("CSV, KOI8-U (a guess by its letters; --encoding says otherwise)") == (
        "CSV, KOI8-U (a guess by its letters)"
    )
    with pytest.raises(Refused, match="not a known encoding"):
        ReadingChoice(encoding="klingon").check()
