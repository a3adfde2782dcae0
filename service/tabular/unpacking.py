"""Compressed files as streams of what is in them, by their first bytes: gzip, bzip2, xz and zstd.

None of them takes more memory than MOST_MEMORY, whatever a file asks for.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_MEMORY = 256 * 1024**2  # bytes; xz asks for a tenth of it in usual files, and may ask for 4 GiB
_BLOCK = 1 << 16
Unpack = Callable[[BinaryIO], IO[bytes]]


def unpacking_of(head: bytes) -> tuple[str, Unpack] | None:
    """What a file that begins so is compressed with, and how to unpack it; None if it is not compressed."""
    return next(((name, unpack) for start, name, unpack in _KINDS if head.startswith(start)), None)


class _Unpacked(io.RawIOBase):
    """The streams that follow each other in a file, of a compression whose decompressor is given."""

    def __init__(self, file: BinaryIO, decompressor: Callable[[], lzma.LZMADecompressor | bz2.BZ2Decompressor]) -> None:
        self._file, self._next = file, decompressor
        self._stream, self._left = decompressor(), b""  # read, but not yet taken by a decompressor

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer)
        while True:
            if self._stream.eof:
                self._left = (self._stream.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")  # xz pads with zeros
                if not self._left:
                    return 0
                self._stream = self._next()
            given = b""
            if self._stream.needs_input:
                given, self._left = self._left or self._file.read(_BLOCK), b""
                if not given:
                    raise EOFError("it ends in the middle of what was compressed")
            try:
                found = self._stream.decompress(given, len(into))
            except lzma.LZMAError as error:
                raise OSError(f"its compression is damaged, or asks for too much memory: {error}") from None
            if found:
                into[: len(found)] = found
                return len(found)


def _gzip(file: BinaryIO) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=file))


def _bzip2(file: BinaryIO) -> IO[bytes]:
    return cast(IO[bytes], _Unpacked(file, bz2.BZ2Decompressor))


def _xz(file: BinaryIO) -> IO[bytes]:
    return cast(IO[bytes], _Unpacked(file, lambda: lzma.LZMADecompressor(memlimit=MOST_MEMORY)))


def _zstd(file: BinaryIO) -> IO[bytes]:
    from pyarrow import CompressedInputStream, PythonFile  # heavy, and only needed here

    return cast(IO[bytes], CompressedInputStream(PythonFile(file, mode="r"), "zstd"))


_KINDS: tuple[tuple[bytes, str, Unpack], ...] = (
    (b"\x1f\x8b", "gzip", _gzip),
    (b"BZh", "bzip2", _bzip2),
    (b"\xfd7zXZ\0", "xz", _xz),
    (b"(\xb5/\xfd", "zstd", _zstd),
)
