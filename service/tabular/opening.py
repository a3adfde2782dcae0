"""A file as a stream of bytes and what kind of file it is, by its content: the letters after the dot say nothing.

Compressed files are inflated as they are read and never written to disk by name. What inflates beyond all measure is
refused.
"""

from __future__ import annotations

import gzip
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, Protocol, cast

from service.errors import Refused

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Kind = Literal["text", "parquet", "xlsx", "xls", "xlsb", "ods", "sqlite"]
MOST_INFLATED = 2 * 1024**3  # bytes of a table that has to be held whole
FREELY = 64 * 1024**2  # bytes that may come out of anything
MOST_FOR_ONE = 400  # times its compressed size; tables are 3 to 50, deflate ends at 1032
_IN_MEMORY = 64 * 1024**2
_NESTED = 2  # a table in gzip in zip
_OTHERS = {
    b"%PDF": "a PDF",
    b"BZh": "compressed with bzip2: unpack it first, or use gzip or zip",
    b"\xfd7zXZ": "compressed with xz: unpack it first, or use gzip or zip",
    b"(\xb5/\xfd": "compressed with zstd: unpack it first, or use gzip or zip",
    b"7z\xbc\xaf": "a 7z archive: unpack it first, or use gzip or zip",
    b"Rar!": "a RAR archive: unpack it first, or use gzip or zip",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"ARROW1": "an Arrow file: save it as Parquet or CSV",
    b"ORC": "an ORC file: save it as Parquet or CSV",
    b"Obj\x01": "an Avro file: save it as Parquet or CSV",
}


class Closeable(Protocol):
    """What has to be closed with a file."""

    def close(self) -> object:
        """Let go of it."""
        ...


@dataclass(slots=True)
class Opened:
    """A file that was opened, and what it is."""

    kind: Kind
    stream: BinaryIO
    notes: list[str] = field(default_factory=list)
    closing: list[Closeable] = field(default_factory=list)
    in_archive: bool = False  # or compressed: the stream is not the file itself
    gzips: int = 0  # how many times it is compressed with gzip
    member: str | None = None  # the file of an archive, if it has several

    def is_bare(self, path: Path) -> bool:
        """Whether nothing is around its content but gzip, where the file's name says so."""
        return not self.notes and self.gzips == (1 if path.suffix == ".gz" else 0)

    def close(self) -> None:
        """Close the file, and the copy if there is one."""
        for each in self.closing:
            each.close()


class SeveralFiles(Refused):
    """An archive with several files, of which none was named."""

    def __init__(self, reason: str, members: list[str]) -> None:
        super().__init__(reason)
        self.members = members


class _Counted(io.RawIOBase):
    """Reports how many bytes of a file were read."""

    def __init__(self, file: io.FileIO, progress: Callable[[int], None]) -> None:
        self._file, self._progress = file, progress
        self._furthest = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = self._file.readinto(buffer)
        if (at := self._file.tell()) > self._furthest:
            self._progress(at - self._furthest)
            self._furthest = at
        return int(count)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Bounded(io.RawIOBase):
    """A stream that is inflated, until it is more than a table's content could be."""

    def __init__(self, inflated: IO[bytes], compressed: int, name: str) -> None:
        self._inflated, self._name = inflated, name
        self._left = most_inflated(compressed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer)
        found = self._inflated.read(len(into))
        self._left -= len(found)
        if self._left < 0:
            raise Refused(f"{self._name} inflates to more than {MOST_FOR_ONE} times its size: no table does")
        into[: len(found)] = found
        return len(found)


def most_inflated(compressed: int) -> int:
    """The bytes that may come out of so many compressed ones."""
    return max(FREELY, MOST_FOR_ONE * compressed)


def open_file(path: Path, progress: Callable[[int], None], member: str | None = None) -> Opened:
    """Open a file, or a file in an archive. Raises Refused for what is not a table, OSError for what cannot be read."""
    counted = _Counted(path.open("rb", buffering=0), progress)
    try:
        found = _opened(io.BufferedReader(counted, 1 << 18), path.stat().st_size, path.name, 0, member)
        found.closing.append(counted)
        return found
    except BaseException:
        counted.close()
        raise


def _opened(stream: io.BufferedReader, size: int, name: str, depth: int, member: str | None) -> Opened:
    found = _of_content(stream, size, name, depth, member)
    found.in_archive = depth > 0 or found.in_archive
    return found


def _of_content(stream: io.BufferedReader, size: int, name: str, depth: int, member: str | None) -> Opened:
    head = stream.peek(512)[:512]
    if head[:2] == b"\x1f\x8b":
        _check_depth(depth, name)
        inflated = _Bounded(cast(IO[bytes], gzip.GzipFile(fileobj=stream)), size, name)
        found = _opened(io.BufferedReader(inflated, 1 << 18), FREELY, name, depth + 1, member)
        found.gzips += 1
        return found
    if head[:4] == b"PK\x03\x04":
        file = _seekable(stream, name, depth)
        try:
            found = _unzipped(file, name, depth, member)
        except BaseException:
            if depth:
                file.close()
            raise
        found.closing += [file] if depth else []
        return found
    if head[:4] == b"PK\x05\x06":
        raise Refused(f"{name} is an empty zip archive")
    if head[:4] == b"PAR1":
        file = _seekable(stream, name, depth)
        return Opened("parquet", file, closing=[file] if depth else [])
    if head[:15] == b"SQLite format 3":
        return Opened("sqlite", cast(BinaryIO, stream))
    if head[:4] == b"\xd0\xcf\x11\xe0":
        return Opened("xls", cast(BinaryIO, stream))
    for start, what in _OTHERS.items():
        if head.startswith(start):
            raise Refused(f"{name} is {what}")
    return Opened("text", cast(BinaryIO, stream))


def _check_depth(depth: int, name: str) -> None:
    if depth >= _NESTED:
        raise Refused(f"{name} is compressed more than twice: unpack it first")


def _seekable(stream: io.BufferedReader, name: str, depth: int) -> BinaryIO:
    """The stream itself if it is a file; a copy of what is inflated, without a name on disk."""
    if depth == 0:
        return cast(BinaryIO, stream)
    copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  closed with the table
    left = MOST_INFLATED
    while block := stream.read(1 << 20):
        left -= len(block)
        if left < 0:
            copy.close()
            raise Refused(f"{name} has more than {MOST_INFLATED >> 30} GiB inside: unpack it first")
        copy.write(block)
    copy.seek(0)
    return cast(BinaryIO, copy)


def _unzipped(file: BinaryIO, name: str, depth: int, wanted: str | None) -> Opened:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Refused(f"{name} is a damaged zip archive or workbook: {error}") from None
    members = [m for m in archive.infolist() if not m.is_dir() and not _is_hidden(m.filename)]
    for folder, program in (("word/", "Word"), ("ppt/", "PowerPoint")):
        if any(m.filename.startswith(folder) for m in members):
            raise Refused(f"{name} is a {program} document: save its table as a sheet or CSV")
    if any(m.filename == "[Content_Types].xml" or m.filename.startswith("xl/") for m in members):
        file.seek(0)
        return Opened("xlsb" if any(m.filename == "xl/workbook.bin" for m in members) else "xlsx", file)
    if any(m.filename == "mimetype" for m in members):
        if not any(m.filename == "content.xml" for m in members) or b"spreadsheet" not in _beginning(archive):
            raise Refused(f"{name} is an OpenDocument file, and not a spreadsheet: save the table as CSV")
        file.seek(0)
        return Opened("ods", file)
    if any(m.filename.endswith(".iwa") for m in members):
        raise Refused(f"{name} is a Numbers document: export it as Excel or CSV")
    _check_depth(depth, name)
    chosen = members if len(members) == 1 else [m for m in members if m.filename == wanted]
    if len(chosen) != 1:
        shown = ", ".join(m.filename[-60:] for m in members[:8])
        raise SeveralFiles(
            f"{name} contains {len(members)} files ({shown}{', …' if len(members) > 8 else ''}): unpack it, and name"
            " the one with the reports",
            [m.filename for m in members],
        )
    (member,) = chosen
    if member.flag_bits & 1:
        raise Refused(f"{name} is encrypted: unpack it first")
    try:
        inflated = _Bounded(archive.open(member), member.compress_size, name)
        found = _opened(io.BufferedReader(inflated, 1 << 18), FREELY, name, depth + 1, None)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Refused(f"{name} is a damaged zip archive: {error}") from None
    found.notes.append(f"from {member.filename[-80:]!r} in the archive")
    found.member = member.filename if len(members) > 1 else None
    return found


def _beginning(archive: zipfile.ZipFile) -> bytes:
    """What an OpenDocument file says that it is."""
    try:
        with archive.open("mimetype") as said:
            return said.read(200)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return b""


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")
