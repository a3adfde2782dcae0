"""uvicorn still has the private parts that service/api/bounded_protocol.py builds on.

When one of these tests fails after an update, the message names what has moved. Adapt bounded_protocol.py, run
test_bounded_protocol.py, and raise the cap in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from typing import Any

import httptools
import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

CALLBACKS_OF_THE_TRANSPORT = ("connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing")
CALLBACKS_OF_THE_PARSER = (
    "on_message_begin",
    "on_url",
    "on_header",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
)
ADVICE = "see the docstring of service/api/bounded_protocol.py"


class RecordingTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        """Nothing to close."""

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Never answers."""
    await asyncio.Event().wait()


@pytest.fixture
def protocol() -> Any:
    """uvicorn's own protocol after one request without a body, and its loop."""
    loop = asyncio.new_event_loop()
    config = Config(app, log_config=None, lifespan="off", ws="none")
    made = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    made.connection_made(RecordingTransport())
    made.data_received(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    yield made
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.mark.parametrize(
    "name", ["loop", "parser", "transport", "flow", "connections", "pipeline", "cycle", "scope", "url", "headers"]
)
def test_the_protocol_has_the_attribute(protocol: Any, name: str) -> None:
    assert hasattr(protocol, name), f"uvicorn's HttpToolsProtocol no longer has {name!r}; {ADVICE}"


@pytest.mark.parametrize(
    "name",
    [*CALLBACKS_OF_THE_TRANSPORT, *CALLBACKS_OF_THE_PARSER, "on_response_complete", "_unset_keepalive_if_required"],
)
def test_the_protocol_has_the_method(name: str) -> None:
    assert callable(getattr(HttpToolsProtocol, name, None)), (
        f"uvicorn's HttpToolsProtocol no longer has the method {name!r}; {ADVICE}"
    )


@pytest.mark.parametrize("name", ["response_started", "response_complete", "disconnected", "message_event", "scope"])
def test_the_cycle_has_the_attribute(protocol: Any, name: str) -> None:
    assert isinstance(protocol.cycle, RequestResponseCycle), f"'cycle' is {type(protocol.cycle).__name__}; {ADVICE}"
    assert hasattr(protocol.cycle, name), f"uvicorn's RequestResponseCycle no longer has {name!r}; {ADVICE}"


def test_the_flow_control_says_whether_reading_is_paused(protocol: Any) -> None:
    assert isinstance(protocol.flow, FlowControl) and protocol.flow.read_paused is False


def test_the_protocol_counts_itself_among_the_connections(protocol: Any) -> None:
    assert protocol in protocol.connections, f"connection_made no longer adds to 'connections'; {ADVICE}"


def test_a_second_request_waits_in_the_pipeline_as_cycle_and_app(protocol: Any) -> None:
    protocol.data_received(b"GET /second HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert isinstance(protocol.pipeline, deque) and len(protocol.pipeline) == 1
    cycle, _ = protocol.pipeline[0]
    assert isinstance(cycle, RequestResponseCycle), f"'pipeline' no longer holds (cycle, app); {ADVICE}"


def test_the_parser_calls_the_protocol_itself(protocol: Any) -> None:
    assert isinstance(protocol.parser, httptools.HttpRequestParser)
    seen: list[bytes] = []
    protocol.on_url = seen.append
    protocol.parser = httptools.HttpRequestParser(protocol)
    protocol.parser.feed_data(b"GET /x HTTP/1.1\r\n")
    assert seen == [b"/x"], "httptools no longer calls on_url of the object that it was made with"


def test_the_state_of_a_scope_is_a_dictionary(protocol: Any) -> None:
    assert isinstance(protocol.cycle.scope.get("state"), dict), f"scope['state'] is no longer a dict; {ADVICE}"


def test_the_cycle_calls_on_response_complete_of_the_protocol() -> None:
    parameters = inspect.signature(RequestResponseCycle.__init__).parameters
    assert "on_response" in parameters, f"RequestResponseCycle no longer takes 'on_response'; {ADVICE}"
