"""chdb (ClickHouse in a library) behind the part of ClickHouse's HTTP interface that we use; a program that prints its
port.

    PYTHONPATH=build/engines:tests python tests/engines/clickhouse_http.py USER PASSWORD [SETTING=VALUE...]

It imitates the interface: no ClickHouse server of this decade can be installed from a package registry. The settings
are those of the user's profile.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chdb import ChdbError
from chdb.session import Session
from request_bodies import body_of

_OWN = {"query", "database", "query_id", "wait_end_of_query"}  # not settings
_ONE_AT_A_TIME = threading.Lock()


class _Interface(BaseHTTPRequestHandler):
    session: Any
    user: str
    credentials: str
    profile: dict[str, str]

    def do_POST(self) -> None:
        body = body_of(self)
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if self.headers["Authorization"] != self.credentials:
            said = f"{self.user}: Authentication failed: password is incorrect, or there is no user with such name."
            self._answer(403, f"Code: 516. DB::Exception: {said} (AUTHENTICATION_FAILED)\n")
            return
        try:
            with _ONE_AT_A_TIME:
                self._answer(200, self._run(parameters, body))
        except (ChdbError, RuntimeError) as error:
            self._answer(500, str(error))

    def _run(self, parameters: dict[str, str], body: bytes) -> bytes:
        for name, value in {**self.profile, **{n: v for n, v in parameters.items() if n not in _OWN}}.items():
            self.session.query(f"set {name} = '{value}'")
        self.session.query(f"use {parameters.get('database', 'default')}")
        if "query" not in parameters:
            return bytes(self.session.query(body.decode(), "TabSeparated").bytes())
        statement, _, form = parameters["query"].partition(" format ")
        with tempfile.NamedTemporaryFile() as content:
            content.write(body)
            content.flush()
            self.session.query(f"{statement} select * from file('{content.name}', {form})")
        return b""

    def _answer(self, status: int, body: str | bytes) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    _Interface.user, password, *profile = sys.argv[1:]
    _Interface.credentials = "Basic " + base64.b64encode(f"{_Interface.user}:{password}".encode()).decode()
    _Interface.profile = dict(setting.split("=", 1) for setting in profile)
    _Interface.session = Session()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Interface)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
