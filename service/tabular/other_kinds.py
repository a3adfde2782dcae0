"""Tables of files that are neither CSV nor JSON nor Parquet: workbooks, databases, web pages and XML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from service.tabular import older_workbooks, workbook, xml_files
from service.tabular.databases import DatabaseTable
from service.tabular.opening import Opened
from service.tabular.sheets import SheetTable
from service.tabular.tables import Table
from service.tabular.text import TextBlocks
from service.tabular.web_pages import page_table

Fits = Callable[[Table], bool]


def table_of_several(
    opened: Opened, path: Path, told: str | None, fits: Fits, progress: Callable[[int], None]
) -> Table:
    """The sheet of a workbook, or the table of a database, that has the reports. Raises Refused."""
    name = path.name
    if opened.kind == "sqlite":
        database = DatabaseTable(opened.stream, path, told, fits, progress, in_archive=opened.in_archive)
        opened.closing.append(database)
        return database
    if opened.kind == "xlsx":
        return SheetTable("Excel workbook", workbook.sheets_of(opened.stream, name), name, told, fits)
    sheets = older_workbooks.sheets_of(opened.stream, name, opened.kind)
    return SheetTable(older_workbooks.KINDS[opened.kind], sheets, name, told, fits)


def table_of_tags(text: TextBlocks, name: str, told: str | None, fits: Fits) -> Table | xml_files.Element:
    """The table of a web page or of a workbook in XML; of other XML, the document. Raises Refused."""
    if xml_files.is_web_page(text.start):
        return page_table(text, name, told, fits)
    if xml_files.is_spreadsheet(text.start):
        return SheetTable("Excel 2003 workbook in XML", xml_files.spreadsheet_of(text, name), name, told, fits)
    return xml_files.document_of(text, name)
