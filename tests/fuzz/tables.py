"""Known rows, written as people's files in a random way and damaged: what is read of them is what was written.

    python tests/fuzz/tables.py --cases 20000 [--seed 1] [--jobs 2]

A case is made from its number alone. It fails if reading crashes, if more than the bound is missing although nothing
says so (exit code 0), if something was read that was not written, or if reading in columns, as an audit does, says
something else (looked at in some cases).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from tabular_files import NOW, read, workbook_of, zipped  # noqa: E402  (the test folders are not packages)

from service.errors import Refused  # noqa: E402
from service.intake.items import COMPLAINT  # noqa: E402
from service.model import Complaint, RejectedItem  # noqa: E402
from service.tabular.options import ReadingOptions  # noqa: E402
from service.tabular.reading import SourceFile  # noqa: E402

BOUND = 0.01  # of rows that may be missing with exit code 0
COMPARED = 4  # of so many cases one is read in both ways
NAMES = [
    ("reporter_id", "target_id", "occurred_at", "author_id"),
    ("Reporter", "Post ID", "Created At", "Author"),
    ("flagged_by", "commentId", "flaggedAt", "commentAuthor"),
    ("user_id", "post_id", "created_at", "reported_user_id"),
    ("Melder", "Beitrag", "Gemeldet am", "Verfasser"),
    ("reporter.id", "status.id", "created_at", "target_account.id"),
]
FORMS = {
    "rfc": lambda at: at.isoformat(),
    "zulu": lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "sql": lambda at: at.strftime("%Y-%m-%d %H:%M:%S"),
    "sql utc": lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "german": lambda at: at.strftime("%d.%m.%Y %H:%M:%S"),
    "day first": lambda at: at.strftime("%d/%m/%Y %H:%M:%S"),
    "month first": lambda at: at.strftime("%m/%d/%Y %I:%M:%S %p"),
    "seconds": lambda at: str(int(at.timestamp())),
    "milliseconds": lambda at: str(int(at.timestamp() * 1000)),
    "named": lambda at: at.strftime("%d %b %Y %H:%M:%S"),
}
TEXTS = ["fine", "a, b; c", 'said "no"', "two\nlines", "Grüße – naïve", "", "NULL", "tab\there", "5\" wide, 'x'"]
EXTRAS = {
    "notes": lambda draw: draw.choice(TEXTS),
    "status": lambda draw: draw.choice(["open", "closed", "dismissed"]),
    "section": lambda draw: draw.choice(["news", "sport"]),
    "updated_at": lambda draw: "2026-11-01T00:00:00Z",
    "score": lambda draw: str(draw.random()),
    "reason": lambda draw: draw.choice(["spam", "rude, really", "other"]),
    "ip": lambda draw: f"10.0.0.{draw.randrange(255)}",
    "": lambda draw: "",
}
ENCODINGS = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
NOTHING = ["", "NULL", "\\N", "None", "nan", "-"]
DAMAGES = ["open quote", "quotes far apart", "more fields", "fewer fields", "blank line", "again", "garbage", "NUL"]
Fact = tuple[str, str, datetime]


@dataclass
class Case:
    """A file, what was written into it, and what was done to it."""

    content: bytes
    facts: list[Fact]
    name: str = "reports.csv"
    how: list[str] = field(default_factory=list)
    damaged: int = 0  # rows that may be missing or wrong
    cut: bool = False  # the end is missing: later rows may be, too


def case(number: int, folder: Path) -> Case:
    """The case of a number."""
    draw = random.Random(number)
    count, people, posts = draw.randrange(12, 40), draw.randrange(3, 20), draw.randrange(3, 25)
    who = draw.choice(["user{}", "{}", "Jörg {}", "did:plc:{}"])
    start = datetime(2026, draw.randrange(1, 10), draw.randrange(1, 28), 8, 30, tzinfo=UTC)
    step = timedelta(minutes=draw.choice([7, 61, 400, 1500]))
    header, form = list(draw.choice(NAMES)), draw.choice(list(FORMS))
    rows, facts = [], []
    for k in range(count):
        post = draw.randrange(posts)
        reporter, target, at = who.format(100 + draw.randrange(people)), str(5000 + post), start + k * step
        author = draw.choice(NOTHING) if draw.random() < 0.1 else f"w{post % 5}"
        facts.append((reporter, target, at))
        rows.append([reporter, target, FORMS[form](at), author])
    if draw.random() < 0.4:
        header.append("id")
        rows = [[*row, str(k + 1)] for k, row in enumerate(rows)]
    for name in draw.sample(list(EXTRAS), draw.randrange(4)):
        header.append(name)
        rows = [[*row, EXTRAS[name](draw)] for row in rows]
    order = draw.sample(range(len(header)), len(header))
    header, rows = [header[k] for k in order], [[row[k] for k in order] for row in rows]
    made = Case(b"", facts, how=[form, "|".join(header)])
    _write(draw, made, header, rows, folder)
    return made


def _write(draw: random.Random, made: Case, header: list[str], rows: list[list[str]], folder: Path) -> None:
    containers = ["csv", "ndjson", "json", "xlsx", "parquet", "page", "xml", "dump", "spreadsheet", "printed"]
    container = draw.choices(containers, [16, 2, 2, 0.5, 1, 1, 1, 1, 0.5, 1])[0]
    made.how.append(container)
    objects = [dict(zip(header, row, strict=True)) for row in rows]
    if container == "csv":
        made.content = _csv(draw, made, header, rows)
    elif container == "ndjson":
        made.content = "".join(json.dumps(o, ensure_ascii=draw.random() < 0.5) + "\n" for o in objects).encode()
    elif container == "json":
        made.content = json.dumps(objects, indent=draw.choice([None, 1])).encode()
    elif container == "xlsx":
        made.content = workbook_of([header, *rows], folder / "made.xlsx").read_bytes()
    elif container in MARKED:
        made.content = _broken(draw, made, MARKED[container](header, rows).encode())
    else:
        import pyarrow as pa
        from pyarrow import parquet

        out = io.BytesIO()
        parquet.write_table(pa.table({n: [row[k] for row in rows] for k, n in enumerate(header)}), out)
        made.content = out.getvalue()
    _wrap(draw, made)


def _csv(draw: random.Random, made: Case, header: list[str], rows: list[list[str]]) -> bytes:
    delimiter, end = draw.choice([",", ",", ";", "\t", "|"]), draw.choice(["\n", "\r\n"])
    quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    encoding = draw.choice(ENCODINGS)
    made.how += [repr(delimiter), repr(end), encoding]
    records = []
    for row in [header, *rows]:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerow(row)
        records.append(text.getvalue())
    for _ in range(draw.choice([0, 0, 0, 1, 1, 2])):
        _damage(draw, made, records, delimiter, end)
    return _broken(draw, made, "".join(records).encode(encoding))


def _broken(draw: random.Random, made: Case, content: bytes) -> bytes:
    """The content, sometimes cut or with a wrong byte."""
    if draw.random() < 0.1:
        at = draw.randrange(len(content) // 2, len(content))
        content, made.cut, made.damaged = content[:at], True, made.damaged + 1
        made.how.append(f"cut at {at}")
    elif draw.random() < 0.05:
        at = draw.randrange(len(content))
        content = content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]
        made.damaged += 2  # the end of a line may be what was hit
        made.how.append(f"byte {at}")
    return content


def _page(header: list[str], rows: list[list[str]]) -> str:
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in [header, *rows]]
    return f"<html><body><table>\n{''.join(f'<tr>{line}</tr>{chr(10)}' for line in lines)}</table></body></html>"


def _xml(header: list[str], rows: list[list[str]]) -> str:
    lines = [
        "".join(f"<field name={quoteattr(n)}>{escape(c)}</field>" for n, c in zip(header, row, strict=True))
        for row in rows
    ]
    return f"<?xml version='1.0'?>\n<rows>\n{''.join(f'<row>{line}</row>{chr(10)}' for line in lines)}</rows>"


def _spreadsheet(header: list[str], rows: list[list[str]]) -> str:
    cells = [[f'<Cell><Data ss:Type="String">{escape(cell)}</Data></Cell>' for cell in row] for row in [header, *rows]]
    body = "".join(f"<Row>{''.join(row)}</Row>\n" for row in cells)
    office = "urn:schemas-microsoft-com:office:spreadsheet"
    return f'<?xml version="1.0"?><Workbook xmlns="{office}" xmlns:ss="{office}"><Worksheet ss:Name="a"><Table>{body}</Table></Worksheet></Workbook>'  # noqa: E501


def _dump(header: list[str], rows: list[list[str]]) -> str:
    names = ", ".join(f'"{name or "unnamed"}"' for name in header)
    lines = [", ".join("'" + cell.replace("'", "''") + "'" for cell in row) for row in rows]
    return f"-- PostgreSQL database dump\nINSERT INTO t ({names}) VALUES\n({f'),{chr(10)}('.join(lines)});\n"


def _printed(header: list[str], rows: list[list[str]]) -> str:
    """As psql prints rows value by value."""
    lines = []
    for number, row in enumerate(rows, 1):
        lines.append(f"-[ RECORD {number} ]{'-' * 20}")
        for name, cell in zip(header, row, strict=True):
            parts = cell.split("\n")
            ends = ["+"] * (len(parts) - 1) + [""]
            names = [name or "?column?", *[""] * (len(parts) - 1)]
            lines += [f"{name:<20} | {part}{end}" for name, part, end in zip(names, parts, ends, strict=True)]
    return "\n".join(lines) + "\n"


MARKED = {"page": _page, "xml": _xml, "dump": _dump, "spreadsheet": _spreadsheet, "printed": _printed}


def _damage(draw: random.Random, made: Case, records: list[str], delimiter: str, end: str) -> None:
    at = draw.randrange(1, len(records))
    record = records[at].removesuffix(end)
    what = draw.choice(DAMAGES)
    made.how.append(f"{what} in record {at}")
    if what == "open quote":
        records[at] = _with_quote(draw, record, delimiter, "open") + end
    elif what == "quotes far apart":
        records[at] = _with_quote(draw, record, delimiter, "open") + end
        later = draw.randrange(at, len(records))
        records[later] = _with_quote(draw, records[later].removesuffix(end), delimiter, "close") + end
        made.damaged += 1
    elif what == "more fields":
        records[at] = record + delimiter + "x" + end
    elif what == "fewer fields":
        records[at] = record.rsplit(delimiter, 1)[0] + end
    elif what == "blank line":
        records.insert(at, end)
    elif what == "again":
        records.insert(at, records[at])
    elif what == "garbage":
        records.insert(at, f"-- {draw.random()} --{end}")
    else:
        records[at] = record[:3] + "\0" + record[3:] + end
    made.damaged += what not in ("blank line", "again", "garbage")


def _with_quote(draw: random.Random, record: str, delimiter: str, side: str) -> str:
    """A record with a quote too many, before or after one of its fields."""
    fields = record.split(delimiter)
    k = draw.randrange(len(fields))
    fields[k] = f'"{fields[k]}' if side == "open" else f'{fields[k]}"'
    return delimiter.join(fields)


def _wrap(draw: random.Random, made: Case) -> None:
    wrap = draw.choice(["", "", "", "gz", "zip"])
    if wrap:
        made.how.append(wrap)
        made.content = gzip.compress(made.content, 1) if wrap == "gz" else zipped("export.csv", made.content)
        if draw.random() < 0.1:
            made.content = made.content[: draw.randrange(len(made.content))]
            made.how.append("archive cut")
    made.name = draw.choice(["reports.csv", "reports.csv", "export.txt", "flags", "a.csv.gz", "a.xlsx"])


def judged(number: int, folder: Path) -> tuple[str, str]:
    """What became of a case, and why it is a failure (empty: it is none)."""
    made = case(number, folder)
    path = folder / made.name
    path.write_bytes(made.content)
    facts: Counter[Fact] = Counter()
    rejected = 0
    try:
        source = SourceFile(path, COMPLAINT, NOW, ReadingOptions(assume_utc=True))
        for item in source.items():
            if isinstance(item, RejectedItem):
                rejected += 1
            elif isinstance(item, Complaint):
                facts[(item.reporter.id, item.target.id.rsplit("/", 1)[-1], item.occurred_at)] += 1
    except Refused:
        return "refused", ""
    except Exception as error:
        return "crashed", f"{type(error).__name__}: {error} ({', '.join(made.how)})"
    if number % COMPARED == 0:
        try:
            read(path)
        except AssertionError:
            return "differs", f"reading in columns says something else ({', '.join(made.how)})"
    if source.kind == "empty":
        return "said", ""  # an archive of which nothing is left: an audit of it ends with an error
    if any("whole accounts are the targets" in note for note in source.notes):
        return "said", ""  # the header of what was reported is damaged
    written = set(made.facts)
    wrong = [fact for fact in facts if fact not in written]
    missing = len(written - facts.keys())
    if len(wrong) > made.damaged:
        return "wrong", f"{len(wrong)} facts were never written, like {wrong[0]} ({', '.join(made.how)})"
    count = sum(facts.values())
    if rejected > BOUND * (count + rejected):
        return "said", ""
    if missing > max(BOUND * len(written), len(wrong)) and not made.cut:
        return "silent", f"{missing} of {len(written)} are missing, {rejected} rejected ({', '.join(made.how)})"
    return "read", ""


def _many(numbers: range) -> tuple[Counter[str], list[str]]:
    ends: Counter[str] = Counter()
    failures = []
    with tempfile.TemporaryDirectory(prefix="brigadewatch-tables-") as name:
        for number in numbers:
            end, failure = judged(number, Path(name))
            ends[end] += 1
            if failure:
                failures.append(f"case {number}: {end}: {failure}")
    return ends, failures


def search(cases: int, seed: int, jobs: int) -> tuple[Counter[str], list[str]]:
    """Judge cases in several processes. Returns how they ended, and the failures."""
    first, size = seed * 10_000_000, 500
    parts = [range(first + k, first + min(k + size, cases)) for k in range(0, cases, size)]
    ends: Counter[str] = Counter()
    failures: list[str] = []
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for some, failed in pool.imap_unordered(_many, parts):
            ends += some
            failures += failed
    return ends, failures


def main() -> int:
    """Judge cases and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    began = time.monotonic()
    ends, failures = search(chosen.cases, chosen.seed, chosen.jobs)
    shown = ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
    print(f"tables: {chosen.cases:,} cases in {time.monotonic() - began:.0f} s: {shown}", flush=True)
    for failure in failures[:20]:
        print(f"  {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
