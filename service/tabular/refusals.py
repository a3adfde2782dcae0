"""What is wrong with a file or a row, in sentences that name it."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from service.errors import Refused
from service.model import RejectedItem


def rejection_text(path: Path, item: RejectedItem) -> str:
    """What is wrong with a row, and its place in the file, for people."""
    return f"{path.name}:{item.line}: {item.pointer or 'item'}: {item.detail}"


class UnclearColumns(Refused):
    """The table was read, but not what its columns are; `header` has their names."""

    def __init__(self, problem: str, header: Sequence[str]) -> None:
        super().__init__(problem)
        self.header = list(header)


class UnclearParts(Refused):
    """The file has several parts, and none that is the one with the reports; `parts` are those that the text names."""

    def __init__(self, problem: str, parts: Sequence[str]) -> None:
        super().__init__(problem)
        self.parts = list(parts)


class named:
    """What goes wrong with a file, as Refused with its name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise Refused(f"{self._path} does not exist") from None
        if isinstance(error, IsADirectoryError):
            raise Refused(f"{self._path} is a folder: name the files in it") from None
        if isinstance(error, OSError | EOFError | UnicodeError | zlib.error | zipfile.BadZipFile):
            raise Refused(f"{self._path} cannot be read: {error}") from error


class UnclearHolder(Refused):
    """People are in lists that people hold, and nothing tells who reported whom."""
