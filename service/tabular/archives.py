"""The file in a zip or tar archive that is read, and which archives are workbooks. Nothing is written to disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO, Literal, cast

from service.errors import Refused

Workbook = Literal["xlsx", "xlsb", "ods"]
MOST_FILES = 10_000  # in a tar archive, which has no list of them: each takes memory
_TAR_AT = 257


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    name: str
    stream: IO[bytes]
    size: int  # bytes in the archive, compressed as they are there
    has_others: bool  # there are other files in the archive


class SeveralFiles(Refused):
    """An archive with several files, of which none was named."""

    def __init__(self, reason: str, members: list[str]) -> None:
        super().__init__(reason)
        self.members = members


LookInto = Callable[[BinaryIO, str, str | None], Member | Workbook]


def archive_of(head: bytes) -> LookInto | None:
    """How to look into an archive that begins so: at its file, its name and the file in it that is wanted. None for
    other files.
    """
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_member
    return _tar_member if head[_TAR_AT : _TAR_AT + 5] == b"ustar" else None


def _zip_member(file: BinaryIO, name: str, wanted: str | None) -> Member | Workbook:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Refused(f"{name} is a damaged zip archive or workbook: {error}") from None
    members = [m for m in archive.infolist() if not m.is_dir() and not _is_hidden(m.filename)]
    for folder, program in (("word/", "Word"), ("ppt/", "PowerPoint")):
        if any(m.filename.startswith(folder) for m in members):
            raise Refused(f"{name} is a {program} document: save its table as a sheet or CSV")
    if any(m.filename == "[Content_Types].xml" or m.filename.startswith("xl/") for m in members):
        return "xlsb" if any(m.filename == "xl/workbook.bin" for m in members) else "xlsx"
    if any(m.filename == "mimetype" for m in members):
        if not any(m.filename == "content.xml" for m in members) or b"spreadsheet" not in _beginning(archive):
            raise Refused(f"{name} is an OpenDocument file, and not a spreadsheet: save the table as CSV")
        return "ods"
    if any(m.filename.endswith(".iwa") for m in members):
        raise Refused(f"{name} is a Numbers document: export it as Excel or CSV")
    place = _chosen([m.filename for m in members], name, wanted, "zip")
    if members[place].flag_bits & 1:
        raise Refused(f"{name} is encrypted: unpack it first")
    try:
        stream = archive.open(members[place])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Refused(f"{name} is a damaged zip archive: {error}") from None
    return Member(members[place].filename, stream, members[place].compress_size, len(members) > 1)


def _tar_member(file: BinaryIO, name: str, wanted: str | None) -> Member | Workbook:
    members: list[tarfile.TarInfo] = []
    try:
        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115  closed with the file
        for count, member in enumerate(archive):
            if count >= MOST_FILES:
                raise Refused(f"{name} has more than {MOST_FILES:,} files in it: unpack it, and name one of them")
            members += [member] if member.isfile() and not _is_hidden(member.name) else []
        place = _chosen([m.name for m in members], name, wanted, "tar")
        stream = archive.extractfile(members[place])
    except tarfile.TarError as error:
        raise Refused(f"{name} is a damaged tar archive: {error}") from None
    return Member(members[place].name, cast(IO[bytes], stream), members[place].size, len(members) > 1)


def _chosen(names: Sequence[str], name: str, wanted: str | None, kind: str) -> int:
    """The place of the file that is read."""
    if not names:
        raise Refused(f"{name} is an empty {kind} archive")
    chosen = [k for k, member in enumerate(names) if len(names) == 1 or member == wanted]
    if len(chosen) == 1:
        return chosen[0]
    shown = ", ".join(member[-60:] for member in names[:8])
    raise SeveralFiles(
        f"{name} contains {len(names)} files ({shown}{', …' if len(names) > 8 else ''}): unpack it, and name"
        " the one with the reports",
        list(names),
    )


def _beginning(archive: zipfile.ZipFile) -> bytes:
    """What an OpenDocument file says that it is."""
    try:
        with archive.open("mimetype") as said:
            return said.read(200)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return b""


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")
