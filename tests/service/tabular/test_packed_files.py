"""Compressed files and archives are read as what is in them, within bounds; other kinds are named with the way out."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tabular_files import csv_of, expected, facts, read, rows, written

from service.errors import Refused
from service.tabular import archives

ROWS = rows()
TEXT = csv_of(ROWS).encode()


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def tarred(*members: tuple[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {"bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}
ARCHIVES = {
    "tar": tarred(("reports.csv", TEXT)),
    "tar in gzip": tarred(("reports.csv", TEXT), mode="w:gz"),
    "tar in xz": tarred(("export/reports.csv", TEXT), mode="w:xz"),
    "pax": tarred((f"{'a' * 120}/{'ü' * 90}.csv", TEXT)),
    "beside others": tarred(("readme.txt", b"see the forum"), ("._reports.csv", b"\0\0"), ("reports.csv", TEXT)),
    "outside": tarred(("../escaped.csv", TEXT)),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_compressed_files_are_read_whatever_they_are_called(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    half = len(TEXT) // 2
    for content in (pack(TEXT), pack(TEXT[:half]) + pack(TEXT[half:])):  # one stream after the other, as `cat` makes
        items, refused, source = read(written(tmp_path / "reports.csv", content))
        assert (facts(items), refused) == (expected(ROWS), [])
        assert not source.is_plain_lines


def test_lines_for_the_api_in_another_compression_are_not_sent_as_they_are(tmp_path: Path) -> None:
    line = b'{"id":"1","occurred_at":"2026-03-01T10:00:00Z","reporter":{"id":"r"},"target":{"id":"t"}}\n'
    assert read(written(tmp_path / "a", line))[2].is_plain_lines
    items, _, source = read(written(tmp_path / "a", bz2.compress(line)))
    assert len(items) == 1 and not source.is_plain_lines


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_the_reports_in_a_tar_archive_are_read_and_nothing_is_written(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    items, refused, source = read(written(folder / "export.tar", content))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert any("in the archive" in note for note in source.notes)
    assert [path.name for path in tmp_path.rglob("*.csv")] == []


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_what_is_cut_off_or_damaged_is_refused(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT * 40)
    cut, damaged = packed[: len(packed) // 2], bytearray(packed)
    damaged[len(packed) // 2 :] = bytes(byte ^ 0x5A for byte in packed[len(packed) // 2 :])
    for content in (cut, bytes(damaged)):
        with pytest.raises(Refused, match="cannot be read"):
            read(written(tmp_path / "a.csv", content))


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_what_inflates_beyond_measure_is_refused(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    two = b"".join(b"%b,t,2026-10-01T09:00:00Z,%b\n" % (who, b"x" * 4_000) for who in (b"a", b"b"))
    bomb = b"reporter,post_id,created_at,text\n" + two * 10_000
    with pytest.raises(Refused, match="inflates to more than"):
        read(written(tmp_path / "bomb", pack(bomb)))


def test_an_xz_file_cannot_ask_for_gigabytes(tmp_path: Path) -> None:
    content = bytearray(lzma.compress(TEXT))
    filter_flags = 12 + 2  # behind the file's header, and the sizes of the block's: LZMA2, one property, the dictionary
    assert content[filter_flags : filter_flags + 2] == b"\x21\x01"
    content[filter_flags + 2] = 40  # 4 GiB
    block = content[12 : 12 + (content[12] + 1) * 4]
    content[12 + len(block) - 4 : 12 + len(block)] = zlib.crc32(block[:-4]).to_bytes(4, "little")
    with pytest.raises(Refused, match="memory"):
        read(written(tmp_path / "a.xz", bytes(content)))


def test_an_archive_cannot_hold_files_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 20)
    with pytest.raises(Refused, match="more than 20 files"):
        read(written(tmp_path / "a.tar", tarred(*((f"{k}.csv", b"") for k in range(21)))))


@pytest.mark.parametrize(
    ("content", "said"), [(tarred((".hidden", TEXT)), "empty"), (tarred(("a", TEXT))[:1200], "cannot be read|damaged")]
)
def test_archives_without_a_table_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(written(tmp_path / "a.tar", content))


def test_of_several_tables_one_is_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="several files.*--sheet|--sheet"):
        read(written(tmp_path / "a.tar", tarred(("a.csv", TEXT), ("b.csv", TEXT))))


OTHERS = {
    "pg_restore": b"PGDMP\x01\x0e\x00\x04\x08\x01\x01" + bytes(range(200)) * 20,
    "DuckDB": b"\x11" * 8 + b"DUCK" + bytes(4_000),
    "Access": b"\x00\x01\x00\x00Standard Jet DB\x00" + bytes(4_000),
    "SPSS": b"$FL2@(#) SPSS DATA FILE" + bytes(2_000),
    "write.csv": zlib.compress(b"RDX3\nX\n\x00\x00\x00\x03" + bytes(300), wbits=31),
    "Stata": b"<stata_dta><header><release>118</release>" + bytes(300),
    "lz4": bytes(pa.compress(TEXT, codec="lz4", asbytes=True)),
    "plutil": b"bplist00" + bytes(300),
}


@pytest.mark.parametrize(("said", "content"), OTHERS.items(), ids=OTHERS)
def test_files_of_other_programs_are_named_with_the_way_out(tmp_path: Path, said: str, content: bytes) -> None:
    with pytest.raises(Refused, match=said):
        read(written(tmp_path / "reports.csv", content))
