"""A file as a stream of bytes and what kind of file it is, by its content: the letters after the dot say nothing.

Compressed files are inflated as they are read and never written to disk by name. What inflates beyond all measure is
refused.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, Protocol, cast

from service.errors import Refused
from service.tabular.archives import Member, Workbook, archive_of
from service.tabular.unpacking import unpacking_of
from service.tabular.unreadable import unreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Kind = Literal["text", "parquet", "xls", "sqlite"] | Workbook
MOST_INFLATED = 2 * 1024**3  # bytes of a table that has to be held whole
FREELY = 64 * 1024**2  # bytes that may come out of anything
MOST_FOR_ONE = 400  # times its compressed size; tables are 3 to 50, deflate ends at 1032
_IN_MEMORY = 64 * 1024**2
_NESTED = 2  # a table in gzip in zip


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
    packed: tuple[str, ...] = ()  # what it is compressed with, the outer first
    member: str | None = None  # the file of an archive, if it has several

    def is_bare(self, path: Path) -> bool:
        """Whether nothing is around its content but gzip, where the file's name says so."""
        return not self.notes and self.packed == (("gzip",) if path.suffix == ".gz" else ())

    def close(self) -> None:
        """Close the file, and the copy if there is one."""
        for each in self.closing:
            each.close()


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
    if (packed := unpacking_of(head)) is not None:
        _check_depth(depth, name)
        compression, unpack = packed
        inflated = _Bounded(unpack(stream), size, name)
        found = _opened(io.BufferedReader(inflated, 1 << 18), FREELY, name, depth + 1, member)
        found.packed = (compression, *found.packed)
        return found
    if (look_into := archive_of(head)) is not None:
        file = _seekable(stream, name, depth)
        try:
            found = _of_archive(look_into(file, name, member), file, name, depth)
        except BaseException:
            if depth:
                file.close()
            raise
        found.closing += [file] if depth else []
        return found
    if head[:4] == b"PAR1":
        file = _seekable(stream, name, depth)
        return Opened("parquet", file, closing=[file] if depth else [])
    if head[:15] == b"SQLite format 3":
        return Opened("sqlite", cast(BinaryIO, stream))
    if head[:4] == b"\xd0\xcf\x11\xe0":
        return Opened("xls", cast(BinaryIO, stream))
    if what := unreadable(head):
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


def _of_archive(found: Member | Workbook, file: BinaryIO, name: str, depth: int) -> Opened:
    if not isinstance(found, Member):
        file.seek(0)
        return Opened(found, file)
    _check_depth(depth, name)
    try:
        inflated = _Bounded(found.stream, found.size, name)
        opened = _opened(io.BufferedReader(inflated, 1 << 18), FREELY, name, depth + 1, None)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Refused(f"{name} is a damaged zip archive: {error}") from None
    opened.notes.append(f"from {found.name[-80:]!r} in the archive")
    opened.member = found.name if found.has_others else None
    return opened
