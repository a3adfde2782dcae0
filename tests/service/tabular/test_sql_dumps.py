"""Dumps of databases, of one table or of many: the rows of the table with the reports, as the database had them."""

from __future__ import annotations

import gzip
import random
import sqlite3
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from tabular_files import Rows, expected, facts, read, rows, written

from service.errors import Refused
from service.tabular import sql_dumps
from service.tabular import text as text_module
from service.tabular.sql_dumps import DumpTable
from service.tabular.text import TextBlocks

REASONS = [
    'it\'s "so"',
    "a;b, (c)",
    "back\\slash \\' end\\",
    "two\nlines\r\nand\ttab",
    "-- no remark /* */",
    "`x` $$",
    "",
]
ROWS = [r | {"id": str(k + 1), "reason": REASONS[k % len(REASONS)]} for k, r in enumerate(rows())]
NAMES = list(ROWS[0])
LINES = ",\r\n"


def mysql_text(value: str) -> str:
    for sign, written_as in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(sign, written_as)
    return f"'{value}'"


def plain_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def tuples(given: Rows, text: Callable[[str], str], between: str = ",") -> str:
    return between.join(f"({','.join(v if n == 'id' else text(v) for n, v in r.items())})" for r in given)


def mysqldump(given: Rows) -> str:
    columns = ",\n".join(f"  `{n}` varchar(64) DEFAULT NULL COMMENT 'a, (b)'" for n in NAMES)
    return f"""-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: forum
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
DROP TABLE IF EXISTS `flags`;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `flags` (
{columns},
  PRIMARY KEY (`id`),
  KEY `by_post` (`post_id`,`created_at`)
) ENGINE=InnoDB AUTO_INCREMENT=41 DEFAULT CHARSET=utf8mb4 COMMENT='who (flagged)';
LOCK TABLES `flags` WRITE;
/*!40000 ALTER TABLE `flags` DISABLE KEYS */;
INSERT INTO `flags` VALUES {tuples(given[:25], mysql_text)};
INSERT INTO `flags` VALUES {tuples(given[25:], mysql_text)};
/*!40000 ALTER TABLE `flags` ENABLE KEYS */;
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE TRIGGER `t` AFTER INSERT ON `flags` FOR EACH ROW BEGIN
INSERT INTO `flags` VALUES (NEW.id, 'x', 'y', 'z', NOW(), 'it''s');
END */;;
DELIMITER ;
-- Dump completed on 2026-11-01 12:00:00
"""


def phpmyadmin(given: Rows) -> str:
    names = ", ".join(f"`{n}`" for n in NAMES)
    columns = ",\n".join(f"  `{n}` varchar(64) DEFAULT NULL" for n in NAMES)
    return f"""-- phpMyAdmin SQL Dump
-- version 5.2.1
SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
-- --------------------------------------------------------
CREATE TABLE IF NOT EXISTS `flags` (
{columns}
) ENGINE=MyISAM;

INSERT INTO `flags` ({names}) VALUES
{tuples(given[:20], mysql_text, LINES)};
INSERT INTO `flags` ({names}) VALUES
{tuples(given[20:], mysql_text, LINES)};
ALTER TABLE `flags`
  ADD PRIMARY KEY (`id`);
COMMIT;
"""


def copy_text(value: str) -> str:
    for sign, written_as in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(sign, written_as)
    return value


def pg_head() -> str:
    columns = ",\n".join(f"    \"{n}\" character varying(64) DEFAULT 'x'::character varying" for n in NAMES)
    return f"""--
-- PostgreSQL database dump
--
\\restrict Xyz
SET statement_timeout = 0;
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN
INSERT INTO public.flags VALUES (1, 'it''s;'); END; $_$;
CREATE TABLE public.flags (
{columns},
    CONSTRAINT c CHECK ((length(reason) < 99))
);
"""


def pg_copy(given: Rows) -> str:
    lines = "".join("\t".join(map(copy_text, r.values())) + "\n" for r in given)
    return f"{pg_head()}COPY public.flags ({', '.join(NAMES)}) FROM stdin;\n{lines}\\.\n\n\nSELECT 1;\n"


def pg_inserts(given: Rows) -> str:
    def text(value: str) -> str:
        return f"E{mysql_text(value)}" if "\\" in value else plain_text(value)

    return pg_head() + "".join(f"INSERT INTO public.flags VALUES {tuples([r], text, ', ')};\n" for r in given)


def sqlite_dump(given: Rows) -> str:
    """By SQLite itself."""
    database = sqlite3.connect(":memory:")
    database.execute(f"create table flags ({', '.join(n + ' text' for n in NAMES)})")
    database.executemany(f"insert into flags values ({','.join('?' * len(NAMES))})", [list(r.values()) for r in given])
    database.commit()
    dump = "\n".join(database.iterdump())
    database.close()
    return dump


def sqlite_shell(given: Rows) -> str:
    """As the shell's .dump writes lines inside texts."""

    def text(value: str) -> str:
        if "\n" not in value:
            return plain_text(value)
        shown = plain_text(value.replace("\r", "\\r").replace("\n", "\\n"))
        return f"replace(replace({shown},'\\r',char(13)),'\\n',char(10))"

    columns = ",".join(n for n in NAMES)
    body = "".join(f"INSERT INTO flags VALUES{tuples([r], text)};\n" for r in given)
    return f"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE flags ({columns});\n{body}COMMIT;\n"


def sql_server(given: Rows) -> str:
    names = ", ".join(f"[{n}]" for n in NAMES)

    def text(value: str) -> str:
        return f"CAST(N'{value}' AS DateTime2)" if value.startswith("2026") else "N" + plain_text(value)

    body = "\n".join(f"INSERT [dbo].[flags] ({names}) VALUES {tuples([r], text, ', ')}" for r in given)
    columns = ",\n".join(f"\t[{n}] [nvarchar](64) NULL" for n in NAMES)
    return f"USE [forum]\nGO\nCREATE TABLE [dbo].[flags](\n{columns}\n) ON [PRIMARY]\nGO\nSET IDENTITY_INSERT [dbo].[flags] ON \nGO\n{body}\nGO\n"  # noqa: E501


DUMPS = Path(__file__).with_name("dumps")  # of one database, by the databases' own programs
REAL_REASONS = [
    'it\'s "so"',
    "a;b, (c)",
    "back\\slash \\' end\\",
    "two\nlines\r\nand\ttab",
    "-- no remark /* */",
    "`x` $$",
    "Grüße 👍",
    None,
]
KINDS: dict[str, Callable[[Rows], str]] = {
    "mysqldump": mysqldump,
    "phpMyAdmin": phpmyadmin,
    "pg_dump": pg_copy,
    "pg_dump --inserts": pg_inserts,
    "SQLite": sqlite_dump,
    "SQLite's shell": sqlite_shell,
    "SQL Server": sql_server,
    "statements alone": lambda given: f"INSERT INTO flags ({','.join(NAMES)}) VALUES\n{tuples(given, plain_text)}",
    "statements alone, with slashes": lambda given: (
        f"REPLACE INTO flags ({','.join(NAMES)}) VALUES\n{tuples(given, mysql_text)};"
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_its_rows_are_those_of_the_database(tmp_path: Path, kind: str) -> None:
    content = KINDS[kind](ROWS).encode("utf-16" if kind == "SQL Server" else "utf-8")
    for path in (written(tmp_path / "a.sql", content), written(tmp_path / "b.csv", gzip.compress(content))):
        items, refused, source = read(path)
        assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))
        assert [c.reason or "" for c in items] == [r["reason"] for r in ROWS]
        assert "dump of a database, table 'flags'" in source.kind


@pytest.mark.parametrize("path", sorted(DUMPS.glob("*.sql")), ids=lambda path: path.stem)
def test_dumps_that_databases_made(path: Path) -> None:
    items, refused, source = read(path)
    assert (facts(items), refused, len(items)) == (expected(rows()), [], 40)
    for number, item in enumerate(items):
        wanted = REAL_REASONS[number % len(REAL_REASONS)]  # SQLite's shell took the end of a line for one sign
        assert item.reason in (wanted, wanted and wanted.replace("\r\n", "\n"))
    assert "only the table 'flags' is read, not 'users'" in source.notes


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_is_divided_between_blocks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = KINDS[kind](ROWS).encode()
    monkeypatch.setattr(sql_dumps, "_LONGEST_HEAD", 200)
    for size in range(2_000, 2_150):  # so that each sign is the last of a block once, as a row has fewer signs
        monkeypatch.setattr(text_module, "BLOCK", size)
        found, text = 0, TextBlocks(BytesIO(content), "a")
        for batch in DumpTable(
            text, lambda: TextBlocks(BytesIO(content), "a"), "a", None, lambda table: True
        ).batches():
            assert batch.refused == []
            found += len(batch.rows)
        assert found == len(ROWS), size


@pytest.mark.parametrize("kind", ["mysqldump", "pg_dump", "SQLite"])
def test_of_several_tables_the_one_with_reports_is_read_and_said(tmp_path: Path, kind: str) -> None:
    users = "INSERT INTO users (id, name, email) VALUES (1,'a','b'),(2,'it''s','c');\n"
    items, refused, source = read(written(tmp_path / "a.sql", KINDS[kind](ROWS) + users))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert "only the table 'flags' is read, not 'users'" in source.notes
    assert facts(read(tmp_path / "a.sql", sheet="flags")[0]) == expected(ROWS)
    with pytest.raises(Refused, match="has no part 'posts': its tables are 'flags', 'users'"):
        read(tmp_path / "a.sql", sheet="posts")


def test_without_a_table_of_reports_the_tables_are_named(tmp_path: Path) -> None:
    text = "INSERT INTO users (id, name) VALUES (1,'a');\nINSERT INTO posts (id, title) VALUES (1,'b');\n"
    with pytest.raises(Refused, match="several tables: 'users', 'posts' are not recognised as reports.*--sheet"):
        read(written(tmp_path / "a.sql", text))


def test_nothing_numbers_words_and_bytes(tmp_path: Path) -> None:
    values = [
        "NULL, 0x757365723031, 12, TRUE, '2026-10-01 09:00:00'",
        "2, X'75736572', -12, false, '2026-10-01 10:00:00'::timestamp without time zone",
        "3, _binary 'user3', 12.50, b'101', to_date('2026-10-01 11:00:00', 'YYYY-MM-DD HH24:MI:SS')",
        "4, 0xff00ff, 1, DEFAULT, CONVERT(datetime, '2026-10-01 12:00:00', 120)",
    ]
    text = "INSERT INTO flags (id, reporter, post_id, kept, created_at) VALUES " + ",".join(f"({v})" for v in values)
    items, refused, _ = read(written(tmp_path / "a.sql", f"{text};"))
    assert refused == []
    assert [c.reporter.id for c in items] == ["user01", "user", "user3", "ff00ff"]
    assert [c.target.id for c in items] == ["12", "-12", "12.50", "1"]
    assert [c.occurred_at.hour for c in items] == [9, 10, 11, 12]


def test_lines_are_the_file_s_and_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    lines = phpmyadmin(ROWS).splitlines(keepends=True)
    at = next(
        k for k, line in enumerate(lines) if line.startswith("(5,") or "'5'" in line[:20] or line.endswith(",5),\r\n")
    )
    lines[at] = lines[at].replace("(", "('one more',", 1)
    items, refused, _ = read(written(tmp_path / "a.sql", "".join(lines)))
    assert len(items) == len(ROWS) - 1 and [r.line for r in refused] == [at + 1]
    assert "7 values, the table 6 columns" in refused[0].detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_dump_that_was_cut_says_so_or_misses_no_more_than_a_row(tmp_path: Path, kind: str) -> None:
    whole = KINDS[kind](ROWS)
    text = whole[: whole.rindex("user2") + 3]
    items, refused, _ = read(written(tmp_path / "a.sql", text))
    last = [k for k, r in enumerate(ROWS) if r["reporter"] == "user2"][-1]
    assert len(items) >= last - 1 and facts(items) <= expected(ROWS) and len(refused) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_quote_is_never_silent(tmp_path: Path, kind: str) -> None:
    text = KINDS[kind](ROWS)
    draw = random.Random(kind)
    quotes = [k for k, sign in enumerate(text) if sign == "'" and k > text.index("user0") - 5]
    for at in draw.sample(quotes, min(40, len(quotes))):
        try:
            items, refused, _ = read(written(tmp_path / "a.sql", text[:at] + text[at + 1 :]))
        except Refused:
            continue
        missing = len(expected(ROWS) - facts(items))
        assert not missing or refused, (at, text[at - 30 : at + 30])
        assert missing <= 2 + len(refused), (at, text[at - 30 : at + 30])


def test_columns_in_another_order_and_left_out_are_placed_by_name(tmp_path: Path) -> None:
    text = (
        mysqldump(ROWS)
        + "INSERT INTO `flags` (`post_id`,`reporter`,`created_at`) VALUES ('77','zoe','2026-10-09T09:00:00+00:00');"
    )
    items, refused, _ = read(written(tmp_path / "a.sql", text))
    assert refused == [] and len(items) == len(ROWS) + 1
    assert (items[-1].reporter.id, items[-1].target.id, items[-1].target.author_id) == ("zoe", "77", None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("-- MySQL dump 10.13\nCREATE TABLE `flags` (`id` int);\n", "without rows"),
        ("-- MySQL dump 10.13\nINSERT INTO `flags` VALUES (1,2,3);\n", "without the names of columns"),
        ("CREATE TABLE flags (id int); -- it's\nINSERT INTO flags SELECT * FROM others;", "without rows"),
        (f"-- dump\nINSERT INTO flags (a) VALUES ('{'x' * (17 << 20)}", "16 million characters without an end"),
    ],
)
def test_what_has_no_rows_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read(written(tmp_path / "a.sql", content))


@pytest.mark.parametrize("wrong", ["\ufffd", "x", ".", "=", "\x01", ""])
def test_rows_behind_a_damaged_comma_are_not_lost_in_silence(tmp_path: Path, wrong: str) -> None:
    rows = [f"('u{k}', '{k % 3}', '2026-10-01T08:{k:02}:00Z')" for k in range(20)]
    text = "INSERT INTO t (reporter, post_id, created_at) VALUES\n" + ",\n".join(rows) + ";\n"
    damaged = text.replace("),\n('u13'", f"){wrong}\n('u13'")
    with pytest.raises(Refused, match="line 14 is not a row"):
        read(written(tmp_path / "a.sql", damaged))


@pytest.mark.parametrize("word", ["INSRT", "NSERT", "\ufffdNSERT", "I"])
def test_a_damaged_statement_with_rows_is_refused(tmp_path: Path, word: str) -> None:
    statements = [
        f"INSERT INTO t (reporter, post_id, created_at) VALUES ('u{k}', '{k % 3}', '2026-10-01T08:{k:02}:00Z');"
        for k in range(20)
    ]
    statements[7] = statements[7].replace("INSERT", word)
    with pytest.raises(Refused, match="the statement in line 8 has rows and cannot be understood: is it damaged[?]"):
        read(written(tmp_path / "a.sql", "\n".join(statements)))


@pytest.mark.parametrize(
    ("begin", "end", "time"),
    [
        ("REM INSERTING into FLAGS\nSET DEFINE OFF;\n", ";", "to_timestamp('{at}','YYYY-MM-DD HH24:MI:SS')"),
        ("REM INSERTING into FLAGS\n", ";", "'{at}'"),
        ("", "\n/", "'{at}'"),
        ("", ";\nMERGE INTO x USING y ON z WHEN NOT MATCHED THEN INSERT (a) VALUES (1);", "'{at}'"),
    ],
)
def test_what_oracles_programs_write_is_read(tmp_path: Path, begin: str, end: str, time: str) -> None:
    text = begin + "\n".join(
        "Insert into FLAGS (REPORTER,POST_ID,CREATED_AT) values"
        f" ('{row['reporter']}',{row['post_id']},{time.format(at=row['created_at'][:19].replace('T', ' '))}){end}"
        for row in ROWS
    )
    items, refused, _ = read(written(tmp_path / "export.sql", text + "\n"))
    assert (facts(items), refused) == (expected(ROWS), [])
