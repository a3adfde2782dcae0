"""A WordPress site of the tests: SQLite, the plugin, and one php process a request."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SHIM = Path(__file__).parent / "clients" / "wordpress"
PLUGIN = Path(__file__).parents[1] / "clients" / "wordpress" / "brigadewatch.php"

TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE wp_options (option_id INTEGER PRIMARY KEY, option_name TEXT UNIQUE, option_value TEXT);
CREATE TABLE wp_comments (
    comment_ID INTEGER PRIMARY KEY, comment_post_ID INTEGER, comment_parent INTEGER DEFAULT 0,
    user_id INTEGER DEFAULT 0, comment_author_email TEXT DEFAULT '', comment_content TEXT DEFAULT '',
    comment_type TEXT DEFAULT 'comment', comment_approved TEXT DEFAULT '1'
);
CREATE TABLE wp_commentmeta (meta_id INTEGER PRIMARY KEY, comment_id INTEGER, meta_key TEXT, meta_value TEXT);
CREATE TABLE wp_users (ID INTEGER PRIMARY KEY, user_registered TEXT, moderates INTEGER DEFAULT 0);
"""


@dataclass
class Site:
    """One site; `constants` are those of its wp-config.php."""

    folder: Path
    constants: dict[str, Any]
    log: list[str] = field(default_factory=list)  # lines of PHP's error log

    def __post_init__(self) -> None:
        with closing(sqlite3.connect(self.folder / "wordpress.sqlite")) as connection:
            connection.executescript(TABLES)

    def run(self, do: str, **asked: Any) -> dict[str, Any]:
        """One request. Whatever PHP complains about fails it."""
        document = {
            "database": str(self.folder / "wordpress.sqlite"),
            "plugin": str(PLUGIN),
            "constants": self.constants,
            "do": do,
            **asked,
        }
        # No php.ini: what an operator's has would be part of the test.
        done = subprocess.run(
            ["php", "-d", "display_errors=stderr", str(SHIM / "request.php")],
            input=json.dumps(document),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        assert all("brigadewatch: " in line for line in lines), done.stderr
        self.log += lines
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """What the database says, or takes."""
        with closing(sqlite3.connect(self.folder / "wordpress.sqlite", timeout=20)) as connection, connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def call(self, function: str, *arguments: Any, **asked: Any) -> Any:
        """A function of WordPress or of the plugin."""
        return self.run("call", call=[function, *arguments], **asked)["result"]

    def write(
        self,
        comment: int,
        *,
        post: int = 3,
        parent: int = 0,
        user: int = 0,
        email: str = "anna@example.org",
        content: str = "I disagree.",
        status: str = "1",
    ) -> None:
        """A comment."""
        self.sql(
            "INSERT INTO wp_comments (comment_ID, comment_post_ID, comment_parent, user_id, comment_author_email,"
            " comment_content, comment_approved) VALUES (?, ?, ?, ?, ?, ?, ?)",
            comment,
            post,
            parent,
            user,
            email,
            content,
            status,
        )

    def join(self, *users: int, registered: str = "2025-01-01 10:00:00", moderates: bool = False) -> None:
        """Users."""
        for user in users:
            self.sql("INSERT INTO wp_users VALUES (?, ?, ?)", user, registered, int(moderates))

    def status(self, comment: int) -> str:
        """'1' visible, '0' held back, 'spam', 'trash'."""
        return str(
            self.sql("SELECT comment_approved FROM wp_comments WHERE comment_ID = ?", comment)[0]["comment_approved"]
        )

    def report(self, comment: int, **who: Any) -> dict[str, Any]:
        """What a reader does: follow the link, fill in the form, send it."""
        extra = {name: who.pop(name) for name in ("reason", "text") if name in who}
        shown = self.run("admin-post", get={"action": "brigadewatch_report", "comment": str(comment)}, **who)
        assert shown["status"] == 200, shown
        fields = {
            html.unescape(n): html.unescape(v)
            for n, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', shown["body"])
        }
        return self.run("admin-post", post={**fields, "reason": "abuse", "text": "", **extra}, **who)

    def keep(self, comment: int, moderator: int) -> dict[str, Any]:
        """A moderator follows "Reports unfounded"."""
        listed = self.run("admin", get={"comment": comment}, user=moderator)["body"]
        (link,) = re.findall(r'href="([^"]*brigadewatch_keep[^"]*)"', listed)
        return self.run("admin-post", get=dict(parse_qsl(urlsplit(html.unescape(link)).query)), user=moderator)

    def queued(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The documents that wait to be sent."""
        rows = self.sql(
            "SELECT option_value FROM wp_options WHERE option_name LIKE 'brigadewatch!_queue!_%' ESCAPE '!' ORDER BY"
            " option_id"
        )
        items = [json.loads(row["option_value"]) for row in rows]
        return [json.loads(item["line"]) for item in items if kind in (None, item["kind"])]

    def until_sent(self, wait: Callable[[Callable[[], Any]], None]) -> None:
        """Cron runs until nothing waits."""

        def nothing_waits() -> bool:
            self.sql("DELETE FROM wp_options WHERE option_name = '_transient_brigadewatch_pause'")
            self.run("cron")
            return not self.queued()

        wait(nothing_waits)
