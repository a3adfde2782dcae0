"""Web pages saved as .xls, workbooks of Excel 2003 in XML, and XML of repeated records."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from html import escape
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from tabular_files import Rows, expected, facts, read, rows, written

from service.errors import Refused
from service.tabular import web_pages, xml_files

ROWS = [r | {"reason": f'"<b>{k}</b>" & more'} for k, r in enumerate(rows())]
NAMES = list(ROWS[0])
OFFICE = "urn:schemas-microsoft-com:office:spreadsheet"


def page(given: Rows, table: str = "<table border=1>", before: str = "", after: str = "") -> str:
    """As PHP and ASP scripts write it, each row on a line."""
    head = "".join(f"<th>{name}</th>" for name in given[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(v)}</td>' for v in r.values())}</tr>\n" for r in given)
    return f"{before}{table}\n<tr>{head}</tr>\n{body}</table>{after}"


def loosely(given: Rows) -> str:
    """Without closing tags, in capitals, with formats inside the cells, all on one line."""
    head = "".join(f"<TH NOWRAP><FONT SIZE=2>{name}" for name in given[0])
    cells = [[f'<TD CLASS=x title="a>b"><B>{escape(v)}</B>&nbsp;' for v in r.values()] for r in given]
    return f"<TABLE><TR>{head}{''.join('<TR>' + ''.join(row) for row in cells)}</TABLE>"


def spreadsheet(given: Rows, before: str = "") -> str:
    """As Excel 2003 writes it: types, an empty row, cells that are left out, a total."""

    def cell(value: str) -> str:
        kind = "Number" if value.isdecimal() else "String"
        return f'<Cell ss:StyleID="s21"><Data ss:Type="{kind}">{escape(value)}</Data></Cell>'

    head = "".join(map(cell, given[0]))
    body = "".join(f"<Row>{''.join(map(cell, r.values()))}</Row>" for r in given)
    return f"""<?xml version="1.0"?>
<?mso-application progid="Excel.Sheet"?>{before}
<Workbook xmlns="{OFFICE}" xmlns:ss="{OFFICE}">
<Worksheet ss:Name="About"><Table><Row><Cell><Data ss:Type="String">x</Data></Cell></Row></Table></Worksheet>
<Worksheet ss:Name="Reports"><Table><Row><Cell ss:MergeAcross="4"><Data ss:Type="String">Reports</Data></Cell></Row>
<Row ss:Index="4">{head}</Row>{body}</Table></Worksheet></Workbook>"""


def records(given: Rows, outer: str = "reports", inner: str = "report") -> str:
    body = "".join(f"  <{inner}>{''.join(f'<{n}>{escape(v)}</{n}>' for n, v in r.items())}</{inner}>\n" for r in given)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{outer}>\n{body}</{outer}>\n'


def in_attributes(given: Rows) -> str:
    """As Stack Exchange's dumps are."""
    body = "".join(f"<row {' '.join(f'{n}={quoteattr(v)}' for n, v in r.items())} />\n" for r in given)
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<flags>\n{body}</flags>'


def named_fields(row: str, field: str, given: Rows) -> str:
    """As mysqldump --xml and phpMyAdmin write rows."""
    cells = [[f"<{field} name={quoteattr(n)}>{escape(v)}</{field}>" for n, v in r.items()] for r in given]
    return "".join(f"<{row}>{''.join(one)}</{row.split()[0]}>\n" for one in cells)


def of_excel(given: Rows) -> str:
    return page(given, before=f'<html xmlns:x="{OFFICE}"><head><meta charset="utf-8"></head><body>')


def of_a_site(given: Rows) -> str:
    head = "<!DOCTYPE html><html><head><style>td > b {}</style></head><body><p>x</p>"
    return page(given, before=head, after="</body></html>")


def of_mysqldump(given: Rows) -> str:
    head = (
        '<?xml version="1.0"?>\n<mysqldump xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<database name="f">'
    )
    rows_of_table = named_fields("row", "field", given)
    return f'{head}<table_data name="flags">\n{rows_of_table}</table_data></database></mysqldump>'


def of_phpmyadmin(given: Rows) -> str:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<pma_xml_export version="1.0"><database name="forum">\n'
    return head + named_fields("table name='flags'", "column", given) + "</database></pma_xml_export>"


def with_prefixes(given: Rows) -> str:
    return records(given, "ns:Export", "Complaint").replace("<ns:Export>", '<ns:Export xmlns:ns="urn:x">')


KINDS: dict[str, Callable[[Rows], str]] = {
    "table alone": page,
    "page": of_a_site,
    "page of Excel": of_excel,
    "loosely": loosely,
    "layout around it": lambda given: page(given, before="<html><table><tr><td>menu<td>", after="</table></html>"),
    "Excel 2003": spreadsheet,
    "records": records,
    "records of another name": with_prefixes,
    "attributes": in_attributes,
    "mysqldump --xml": of_mysqldump,
    "phpMyAdmin": of_phpmyadmin,
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        content = KINDS[kind](ROWS)
        if encoding == "utf-16":
            content = content.lstrip("\ufeff").replace('"utf-8"', '"utf-16"').replace('"UTF-8"', '"utf-16"')
        items, refused, source = read(written(tmp_path / "reports.xls", content.encode(encoding)))
        assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))
        assert [c.reason for c in items] == [r["reason"] for r in ROWS]
        assert any(word in source.kind for word in ("web page", "Excel 2003", "XML"))


def test_lines_are_the_file_s(tmp_path: Path) -> None:
    broken = [r | {"created_at": "tomorrow"} if k in (2, 5) else r for k, r in enumerate(ROWS)]
    for kind, first in (("page", 3), ("records", 3), ("attributes", 3)):
        _, refused, _ = read(written(tmp_path / "a", KINDS[kind](broken)))
        assert [r.line for r in refused] == [first + 2, first + 5], kind
    assert [r.line for r in read(written(tmp_path / "a", spreadsheet(broken)))[1]] == [7, 10]  # of the sheet


def test_a_table_that_was_divided_into_pages_is_one(tmp_path: Path) -> None:
    text = page(ROWS[:15]) + "<p>page 2</p>" + page(ROWS[15:])
    items, refused, _ = read(written(tmp_path / "a.html", text))
    assert (facts(items), refused, len(items)) == (expected(ROWS), [], len(ROWS))


def test_of_several_tables_the_largest_with_reports_is_read_and_said(tmp_path: Path) -> None:
    many = [{"name": f"n{k}", "score": "1", "rank": "2"} for k in range(200)]
    other = [r | {"reporter": "somebody"} for r in ROWS[:3]]
    text = page(many) + page(ROWS) + page([{"x": "1"} | r for r in other])
    items, refused, source = read(written(tmp_path / "a.html", text))
    assert (facts(items), refused) == (expected(ROWS), [])
    assert any("only 'table 2' is read, not 'table 1', 'table 3'" in note for note in source.notes)
    assert facts(read(tmp_path / "a.html", sheet="table 3")[0]) == expected(other)


def test_cells_over_several_rows_stand_in_each(tmp_path: Path) -> None:
    text = "<table><tr><th>post_id<th>reporter<th>created_at</tr>"
    for k in range(6):
        day = f"2026-10-0{k + 1}"
        text += f"<tr><td rowspan=2>p{k}</td><td>a{k}<td>{day}T09:00:00Z<tr><td>b{k}<td>{day}T10:00:00Z"
    items, refused, _ = read(written(tmp_path / "a.html", text + "</table>"))
    assert refused == [] and [(c.reporter.id, c.target.id) for c in items][:3] == [
        ("a0", "p0"),
        ("b0", "p0"),
        ("a1", "p1"),
    ]
    assert len(items) == 12


def test_an_error_in_a_workbook_costs_its_row(tmp_path: Path) -> None:
    text = spreadsheet(ROWS).replace('<Data ss:Type="String">user3</Data>', '<Data ss:Type="Error">#REF!</Data>', 1)
    items, refused, _ = read(written(tmp_path / "a.xml", text))
    assert len(items) == len(ROWS) - 1 and [r.detail for r in refused] == ["a formula of this row has an error"]


@pytest.mark.parametrize("kind", ["page of Excel", "records"])
def test_the_encoding_that_it_declares_is_believed(tmp_path: Path, kind: str) -> None:
    given = [r | {"reporter": f"Ж{k % 7}"} for k, r in enumerate(ROWS)]
    text = KINDS[kind](given).replace("utf-8", "windows-1251").replace("UTF-8", "windows-1251")
    items, refused, source = read(written(tmp_path / "a", text.encode("cp1251")))
    assert (facts(items), refused) == (expected(given), []) and "guess" not in source.kind


def test_nothing_is_a_value_that_is_missing(tmp_path: Path) -> None:
    text = records(ROWS).replace("<author>writer0</author>", '<author xsi:nil="true"/>')
    text = text.replace("<reports>", '<reports xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">')
    items, refused, _ = read(written(tmp_path / "a.xml", text))
    assert (facts(items), refused) == (expected(ROWS), []) and None in {c.target.author_id for c in items}


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1/x.dtd">%a;',
    ],
)
def test_entities_are_refused_where_they_are_declared(tmp_path: Path, declared: str) -> None:
    for text in (records(ROWS), spreadsheet(ROWS)):
        head, _, body = text.replace("user1", "&c;").partition("?>")
        with pytest.raises(Refused, match="declares entities"):
            read(written(tmp_path / "a.xml", f"{head}?><!DOCTYPE reports [{declared}]>{body}"))


def test_what_takes_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_files, "MOST_MEMORY", 20_000)
    for text in (records(ROWS), spreadsheet(ROWS)):
        with pytest.raises(Refused, match="takes more than"):
            read(written(tmp_path / "a.xml", text))
    monkeypatch.undo()
    with pytest.raises(Refused, match="inside each other"):
        read(written(tmp_path / "a.xml", "<a>" * 200))
    monkeypatch.setattr(web_pages, "MOST_CELLS", 20)
    with pytest.raises(Refused, match="more than 20 cells"):
        read(written(tmp_path / "a.html", page(ROWS)))
    monkeypatch.setattr(web_pages, "MOST_TEXT", 2 << 20)
    with pytest.raises(Refused, match="web page of more than 2 million"):
        read(written(tmp_path / "a.html", page(ROWS) + " " * (3 << 20)))


@pytest.mark.parametrize(
    "part",
    [
        "<td rowspan=999999 colspan=999999>x",
        "<",
        "<!--",
        "<table>",
        "<td '",
        '<td ">',
        "<script>",
        "<tr><td colspan=2000>",
        "<td rowspan=999999 colspan=2000>x</td></tr><tr>",
        "<a href='",
    ],
)
def test_pages_that_are_made_to_take_for_ever_do_not(tmp_path: Path, part: str) -> None:
    begun = time.monotonic()
    with suppress(Refused):
        read(written(tmp_path / "a.html", f"<table><tr><td>a<td>b</tr>{part * 20_000}"))
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<!DOCTYPE html><html><body><p>Please log in</p></body></html>", "web page, not a table"),
        ("<html><table><tr><td>menu</td></tr></table></html>", "web page, not a table"),
        ("<?xml version='1.0'?><reports/>", "no list of reports"),
        ("<?xml version='1.0'?><reports><report></reports>", "not valid XML: mismatched tag: line 1"),
        (f"<Workbook xmlns='{OFFICE}'></Workbook>", "no sheet with a header"),
    ],
)
def test_what_has_no_table_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read(written(tmp_path / "a.xls", content))
