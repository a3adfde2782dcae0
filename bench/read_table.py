"""How fast people's files are read: one million rows of CSV, alone and as complaints.

    python bench/read_table.py [--quick]

Each measurement runs in its own process. `rows` is opening, decoding, dividing into fields, recognising columns and
checking each row's fields; `complaints` adds times, ids and the checks of a POST.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.intake.items import COMPLAINT
from service.model import RejectedItem
from service.tabular.delimited import DelimitedTable
from service.tabular.opening import open_file
from service.tabular.options import ReadingOptions
from service.tabular.reading import SAMPLE, SourceFile
from service.tabular.recognition import recognise
from service.tabular.text import TextBlocks

START = datetime(2026, 1, 1, tzinfo=UTC)


def write(path: Path, count: int) -> None:
    """A forum's flags, with a semicolon and a text that has quotes now and then."""
    with path.open("w", encoding="utf-8") as file:
        file.write("Report ID;Flagged by;Post ID;Author;Topic;Created;Reason;Comment\n")
        for k in range(count):
            at = (START + timedelta(seconds=20 * k)).strftime("%Y-%m-%d %H:%M:%S")
            text = f'"he said ""{k}"";\nagain"' if k % 50 == 0 else "see the rules"
            post = k * 7919 % 90_000
            file.write(f"{k};user{k * 31 % 40_000};{post};w{post % 9_000};{post % 700};{at};spam;{text}\n")


def rows(path: Path) -> tuple[int, int]:
    """Rows and refusals of the table."""
    opened = open_file(path, lambda count: None)
    table = DelimitedTable(TextBlocks(opened.stream, path.name), path.name)
    count = refused = 0
    for batch in table.batches():
        if not count and len(batch.rows) > 0:
            recognise(table.header, batch.rows[:SAMPLE])
        count += len(batch.rows)
        refused += len(batch.refused)
    opened.close()
    return count, refused


def complaints(path: Path) -> tuple[int, int]:
    """Complaints and refusals of the file."""
    count = refused = 0
    now = datetime(2027, 1, 1, tzinfo=UTC)
    for item in SourceFile(path, COMPLAINT, now, ReadingOptions(assume_utc=True)).items():
        if isinstance(item, RejectedItem):
            refused += 1
        else:
            count += 1
    return count, refused


def measured(name: str, path: Path) -> tuple[int, int, float, float, float]:
    """(rows, refused, wall s, CPU s, peak GB) of one way to read."""
    wall, cpu = time.perf_counter(), time.process_time()
    count, refused = {"rows": rows, "complaints": complaints}[name](path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return count, refused, time.perf_counter() - wall, time.process_time() - cpu, peak


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    count = 100_000 if parser.parse_args().quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="brigadewatch-read-") as folder:
        path = Path(folder) / "flags.csv"
        write(path, count)
        print(f"{count:,} rows, {path.stat().st_size / 1e6:.0f} MB")
        print("| reading | rows | refused | wall s | CPU s | rows per CPU s | peak GB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name in ("rows", "complaints"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                read, refused, wall, cpu, peak = pool.apply(measured, (name, path))
            print(f"| {name} | {read:,} | {refused:,} | {wall:.1f} | {cpu:.1f} | {read / cpu:,.0f} | {peak:.2f} |")


if __name__ == "__main__":
    main()
