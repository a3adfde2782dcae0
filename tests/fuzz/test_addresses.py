"""What people put into addresses: cursors, the console's questions, ways back after signing in, and where
webhooks go.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
from hypothesis import strategies as st

from service.console import csv_files
from service.console.queue_filters import FIELDS, parse_query, read_query
from service.console.rendering import segment
from service.console.sign_in import HOME, safe_path, sign_in_path
from service.errors import InvalidCursor
from service.logs import redacted
from service.outbound.addresses import OutboundRefused, is_inside, parse_address, parse_openings
from service.outbound.client import check_url
from service.settings import read_settings
from service.storage.cases.cases import SORT_KEY_TYPES
from service.storage.cases.cluster_filters import filter_of
from service.storage.sql.cursors import Page, read_cursor, write_cursor
from tests.fuzz.cases import NASTY, SURROGATES, TEXTS, cases, json_values

SETTINGS = read_settings(Path("nowhere"), {})
KEYS = {"-a": (int, str), "-b": (float, str), "-c": (str,)}
HOSTS = (
    st.sampled_from(
        [
            "127.0.0.1",
            "localhost",
            "LOCALHOST.",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "10.0.0.1",
            "169.254.169.254",
            "[fe80::1]",
            "[64:ff9b::a00:1]",
            "example.org",
            "example.org.",
            "a..b",
            "1.1.1.1",
            "①②⑦.0.0.1",
            "127。0。0。1",
            "example.org@127.0.0.1",
            "example.org#@127.0.0.1",
            "metadata.google.internal",
            "xn--",
            "xn--a",
            "",
            "%31%32%37.0.0.1",
            "０x7f.1",
        ]
    )
    | TEXTS
)
URLS = st.builds(
    lambda scheme, host, port, rest: f"{scheme}{host}{port}{rest}",
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", "//", "ftp://", "http:\\\\", ""]),
    HOSTS,
    st.sampled_from(["", ":80", ":0", ":65536", ":x", ":1v1", ":٣"]),
    TEXTS,
)


@cases(text=TEXTS | st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_only_cursors_made_by_the_service_are_accepted(text: str) -> None:
    try:
        read_cursor(text, list_name="clusters", key_types_by_sort=KEYS)
    except InvalidCursor:
        return
    raise AssertionError(f"{text!r} passed for a cursor")


@cases(
    sort=st.sampled_from(sorted(KEYS)),
    filters=st.dictionaries(
        st.text(max_size=8),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        max_size=4,
    ),
    number=st.integers(-(2**62), 2**62),
    place=st.integers(0, 10**6),
    other=st.sampled_from("AZaz09-_=+/. \n"),
)
def test_a_cursor_survives_a_round_trip_and_a_changed_one_is_refused(
    sort: str, filters: dict[str, str], number: int, place: int, other: str
) -> None:
    after = {"-a": (number, "x"), "-b": (number / 7, "y"), "-c": ("z",)}[sort]
    page = Page("clusters", sort, filters, after)
    text = write_cursor(page)
    assert read_cursor(text, list_name="clusters", key_types_by_sort=KEYS) == page
    k = place % len(text)
    if text[k] != other:
        try:
            read_cursor(text[:k] + other + text[k + 1 :], list_name="clusters", key_types_by_sort=KEYS)
        except InvalidCursor:
            return
        raise AssertionError("a changed cursor passed")


@cases(
    filters=st.dictionaries(
        st.sampled_from(
            ["disposition", "status", "kind", "min_score", "reporter", "target", "author", "since_us", "until_us", "x"]
        ),
        TEXTS | st.integers().map(str),
        max_size=5,
    )
)
def test_filters_in_a_cursor_are_checked_like_those_in_a_query(filters: dict[str, str]) -> None:
    try:
        chosen = filter_of(filters)
    except ValueError:
        return
    assert filter_of(chosen.named()) == chosen
    assert SORT_KEY_TYPES


@cases(
    parameters=st.dictionaries(
        st.sampled_from([*FIELDS, "tab", "sort", "page", "cursor"]),
        TEXTS
        | st.sampled_from(
            [
                "2026-11-22",
                "0001-01-01",
                "9999-12-31",
                "9999-12-31T23:59:59-14:00",
                "nan",
                "inf",
                "1e999",
                "any",
                "flagged",
                "-score",
                "decided",
            ]
        ),
        max_size=8,
    )
)
def test_any_query_of_the_queue_is_valid_and_survives_a_round_trip_through_its_address(
    parameters: dict[str, str],
) -> None:
    question = read_query(parameters)
    assert not question.filters.keys() & {name for name in question.wrong if name not in ("since", "until")}
    try:
        text = question.text
    except UnicodeEncodeError:  # half a pair, which no address can hold
        return
    if len(text) <= 2_048:
        again = parse_query(text)
        assert (again.tab, again.sort, dict(again.filters)) == (question.tab, question.sort, dict(question.filters))


@cases(text=TEXTS)
def test_any_text_in_place_of_a_query_is_a_query_or_falls_back_to_the_default(text: str) -> None:
    parse_query(text)


@cases(
    path=st.builds(
        lambda begin, rest: begin + rest,
        st.sampled_from(
            ["", "/console", "/console/", "//", "\\", "/console//", "http://", "javascript:", "/console/..", "/\t/"]
        ),
        TEXTS,
    )
)
def test_a_redirect_always_stays_on_this_site(path: str) -> None:
    back = safe_path(path)
    assert back.startswith("/console")
    assert httpx.URL("https://moderation.example/console/sign-in").join(back).host == "moderation.example"
    assert "\n" not in back and "\r" not in back
    if path.isascii():
        assert urlsplit(sign_in_path(path)).netloc == ""
    assert safe_path(HOME) == HOME


@cases(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | NASTY.filter(lambda text: "\ud800" not in text)
)
def test_an_id_is_one_segment_of_a_path_and_survives_a_round_trip(text: str) -> None:
    part = segment(text)
    assert part not in (".", "..") and not set(part) & set("/?#\\;: \n\r\"'<>")
    assert unquote(part) == text


@cases(url=URLS)
def test_an_accepted_address_never_points_inside_the_network(url: str) -> None:
    try:
        taken = httpx.URL(check_url(url, SETTINGS))
    except OutboundRefused:
        return
    assert taken.scheme in ("http", "https") and not taken.userinfo and taken.raw_host
    address = parse_address(taken.host)
    assert address is None or not is_inside(address)
    assert check_url(str(taken), SETTINGS) == str(taken)


@cases(text=TEXTS | st.from_regex(r"[0-9a-f.:\[\]/]{1,40}:[0-9]{1,6}", fullmatch=True))
def test_an_allow_list_is_parsed_or_its_bad_entry_is_named(text: str) -> None:
    try:
        parse_openings(text)
    except ValueError as error:
        assert "BRIGADEWATCH_OUTBOUND_ALLOW" in str(error)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@cases(cell=TEXTS | st.integers() | st.floats() | st.none(), name=TEXTS)
def test_no_csv_cell_is_a_formula_and_no_file_name_breaks_its_header(cell: csv_files.Cell, name: str) -> None:
    written = csv_files.escape_formula(cell)
    if isinstance(written, str) and isinstance(cell, str):
        first = written.strip('" \t\r\n\v\f\ufeff\u200b\u00a0')[:1]
        assert first not in tuple("=@＝＠|%") and (first not in tuple("+-＋－") or _is_number(written))
        assert written.replace("'", "") == cell.replace("'", "")
    assert set(csv_files.file_name(name)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@cases(before=TEXTS, identifier=st.from_regex(r"src_[0-9a-f]{8,48}", fullmatch=True), after=TEXTS)
def test_no_source_id_appears_in_a_log(before: str, identifier: str, after: str) -> None:
    assert identifier not in redacted(f"{before} POST /v1/webhooks/discourse/{identifier} {after}")
    assert identifier not in redacted(f"{before} {identifier} {after}")


@cases(value=json_values(), text=st.text(SURROGATES, max_size=20))
def test_a_cursor_with_a_valid_checksum_is_still_validated(value: object, text: str) -> None:
    from service.storage.sql.cursors import _check

    try:
        body = json.dumps(value).encode()
    except (UnicodeEncodeError, ValueError):
        return
    made = base64.urlsafe_b64encode(_check(body) + body).decode().rstrip("=")
    try:
        page = read_cursor(made, list_name="clusters", key_types_by_sort=KEYS)
    except InvalidCursor:
        return
    assert page.list == "clusters" and page.sort in KEYS
