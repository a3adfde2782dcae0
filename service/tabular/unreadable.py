"""Kinds of files that hold no table of text, by their first bytes, and what to do with them. PURE."""

from __future__ import annotations

_TABLE = "save it as Parquet or CSV"
_AT: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF: the table is needed as the program that made it exports it, such as CSV or Excel"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"7z\xbc\xaf", "a 7z archive: unpack it first, or use gzip or zip"),
    (0, b"Rar!", "a RAR archive: unpack it first, or use gzip or zip"),
    (0, b'\x04"M\x18', "compressed with lz4: unpack it first, or use gzip or zip"),
    (0, b"LZIP", "compressed with lzip: unpack it first, or use gzip or zip"),
    (0, b"\x1f\x9d", "compressed with compress: unpack it first, or use gzip or zip"),
    (0, b"ARROW1", f"an Arrow file: {_TABLE}"),
    (0, b"FEA1", f"an Arrow file: {_TABLE}"),
    (0, b"\xff\xff\xff\xff", f"a stream of Arrow: {_TABLE}"),
    (0, b"ORC", f"an ORC file: {_TABLE}"),
    (0, b"Obj\x01", f"an Avro file: {_TABLE}"),
    (0, b"\x89HDF", f"an HDF5 file: {_TABLE}"),
    (0, b"PGDMP", "a dump in PostgreSQL's own format: `pg_restore -f reports.sql FILE` makes SQL of it"),
    (8, b"DUCK", "a database of DuckDB: export the table, with COPY reports TO 'reports.parquet'"),
    (4, b"Standard Jet DB", "a database of Microsoft Access: export the table as Excel or CSV"),
    (4, b"Standard ACE DB", "a database of Microsoft Access: export the table as Excel or CSV"),
    (0, b"$FL", f"a file of SPSS: {_TABLE}"),
    (0, b"<stata_dta>", f"a file of Stata: {_TABLE}"),
    (0, b"r\x02\x01\0", f"a file of Stata: {_TABLE}"),
    (0, b"s\x02\x01\0", f"a file of Stata: {_TABLE}"),
    (0, b"RDX", "a workspace of R: write the table with write.csv"),
    (0, b"RDA", "a workspace of R: write the table with write.csv"),
    (0, b"X\n\0\0\0", "an object of R: write the table with write.csv"),
    (0, b"X\r\n\0\0", "an object of R: write the table with write.csv"),
    (0, b"bplist", "a property list of Apple: `plutil -convert json FILE` makes JSON of it"),
    (84, b"SAS FILE", f"a file of SAS: {_TABLE}"),
    (0, b"\x80\x04\x95", f"a pickle of Python: {_TABLE}"),
    (0, b"\x80\x05\x95", f"a pickle of Python: {_TABLE}"),
)


def unreadable(head: bytes) -> str | None:
    """What a file that begins so is, and the way out; None for what may be read."""
    return next((what for at, magic, what in _AT if head[at : at + len(magic)] == magic), None)
