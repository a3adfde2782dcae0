"""Lists that are read page by page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from service.console.lists import every_page


def test_reading_a_whole_list_visits_every_page_on_its_own_connection(engine: Engine) -> None:
    pages = {None: ([1, 2], (2,)), (2,): ([], (3,)), (3,): ([4], None)}
    connections: list[Connection] = []

    def read(connection: Connection, after: tuple[Any, ...] | None) -> tuple[list[int], tuple[Any, ...] | None]:
        assert all(earlier.closed for earlier in connections)
        connections.append(connection)
        return pages[after]

    found = every_page(engine, read)
    assert connections == []  # nothing is read before somebody wants it
    assert list(found) == [1, 2, 4]
    assert len(connections) == 3
