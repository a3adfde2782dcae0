"""Requests that leave the machine: where they may go, and how long and how large they may be.

Servers are real, on loopback.
"""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from loopback import Answer, Receiver, certificate, serving

from service.outbound.addresses import OutboundRefused
from service.outbound.client import AnswerTooLarge, check_url, outbound_client
from service.settings import Settings, read_settings


def allowing(*openings: str) -> Settings:
    return replace(read_settings(Path("nowhere"), {}), outbound_allow=",".join(openings))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as started:
        yield started


def client_to(receiver: Receiver, **arguments: object) -> httpx.Client:
    given = {"timeout_seconds": 5.0, "max_bytes": 1000, **arguments}
    return outbound_client(allowing(receiver.opening), **given)  # type: ignore[arg-type]


def test_loopback_is_refused_and_nothing_is_sent(receiver: Receiver) -> None:
    with outbound_client(allowing(), timeout_seconds=5, max_bytes=1000) as client:
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0",
            "[::ffff:127.0.0.1]",
            "LOCALHOST",
        ):
            with pytest.raises(OutboundRefused, match="not a public address"):
                client.post(f"http://{host}:{receiver.port}/", content=b"x")
    assert receiver.asked == []


def test_an_opened_address_is_reached(receiver: Receiver) -> None:
    with client_to(receiver) as client:
        assert client.post(f"{receiver.url}/hook?a=1", content=b"x", headers={"X-A": "b"}).status_code == 200
    [asked] = receiver.asked
    assert (asked.method, asked.path, asked.body, asked.headers["x-a"], asked.headers["host"]) == (
        "POST",
        "/hook?a=1",
        b"x",
        "b",
        f"127.0.0.1:{receiver.port}",
    )
    assert asked.headers["accept-encoding"] == "identity"


def test_one_address_inside_among_public_ones_refuses_the_name(receiver: Receiver) -> None:
    with (
        client_to(receiver, resolve=lambda host, port: ["1.1.1.1", "10.0.0.1"]) as client,
        pytest.raises(OutboundRefused, match=r"10\.0\.0\.1 is not a public"),
    ):
        client.get("http://example.org/")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%lo", "not an address", ""])
def test_a_name_for_metadata_or_nonsense_is_refused(address: str) -> None:
    settings = allowing("0.0.0.0/0:80", "[::]/0:80")
    with (
        outbound_client(settings, timeout_seconds=5, max_bytes=1, resolve=lambda host, port: [address]) as client,
        pytest.raises(OutboundRefused),
    ):
        client.get("http://metadata.example/")


def test_a_name_that_moves_inside_after_it_was_checked_is_not_followed(receiver: Receiver) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]  # the second one would be refused, and is never asked for
    asked_names: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked_names.append(host)
        return answers[len(asked_names) - 1]

    with client_to(receiver, resolve=rebinding) as client:
        assert client.get(f"http://rebind.example:{receiver.port}/").status_code == 200
        assert asked_names == ["rebind.example"], (
            "resolved once: the address that was checked is the one that is connected to"
        )
        with pytest.raises(OutboundRefused):
            client.get(f"http://rebind.example:{receiver.port}/")
    assert len(receiver.asked) == 1
    assert receiver.asked[0].headers["host"] == f"rebind.example:{receiver.port}"


def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    settings = allowing(receiver.opening, f"127.0.0.9:{receiver.port}")
    with outbound_client(
        settings, timeout_seconds=5, max_bytes=9, resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"]
    ) as client:
        assert client.get(f"http://two.example:{receiver.port}/").status_code == 200


def test_a_name_without_an_address_is_an_ordinary_failure_of_the_connection() -> None:
    def missing(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    for resolve in (missing, lambda host, port: []):
        with (
            outbound_client(allowing(), timeout_seconds=5, max_bytes=1, resolve=resolve) as client,
            pytest.raises(httpx.ConnectError, match="nowhere.example could not be resolved"),
        ):
            client.get("http://nowhere.example/")


def test_a_resolver_that_hangs_ends_with_the_time_out() -> None:
    over = threading.Event()

    def hanging(host: str, port: int) -> list[str]:
        over.wait(30)
        return ["1.1.1.1"]

    with (
        outbound_client(allowing(), timeout_seconds=0.2, max_bytes=1, resolve=hanging) as client,
        pytest.raises(httpx.ConnectTimeout),
    ):
        client.get("http://slow.example/")
    over.set()


def test_tls_verifies_the_name_and_not_the_address(tmp_path: Path) -> None:
    server, client_tls = certificate(tmp_path, "hooks.example")
    with serving(Receiver(), server) as receiver:
        with client_to(receiver, tls=client_tls, resolve=lambda host, port: ["127.0.0.1"]) as client:
            assert client.get(f"https://hooks.example:{receiver.port}/").status_code == 200
            with pytest.raises(httpx.ConnectError, match="(?i)certificate"):
                client.get(f"https://other.example:{receiver.port}/")
        with (
            client_to(receiver, resolve=lambda host, port: ["127.0.0.1"]) as client,
            pytest.raises(httpx.ConnectError, match="(?i)certificate"),
        ):
            client.get(f"https://hooks.example:{receiver.port}/")  # nobody here trusts it
    assert len(receiver.asked) == 1


def test_a_redirect_is_an_answer_and_goes_nowhere(receiver: Receiver) -> None:
    receiver.answer = lambda asked: Answer(302, {"Location": "http://169.254.169.254/latest/"})
    with client_to(receiver) as client:
        assert client.get(receiver.url).status_code == 302
        with pytest.raises(OutboundRefused):
            client.get(receiver.url, follow_redirects=True)


def test_no_cookie_is_kept(receiver: Receiver) -> None:
    receiver.answer = lambda asked: Answer(headers={"Set-Cookie": "session=1"})
    with client_to(receiver) as client:
        client.get(receiver.url)
        client.get(receiver.url)
    assert "cookie" not in receiver.asked[1].headers


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, receiver.url)
    with client_to(receiver) as client, pytest.raises(OutboundRefused):
        client.get("http://10.0.0.1/")
    assert receiver.asked == []


def test_an_answer_beyond_the_bound_is_cut_off(receiver: Receiver) -> None:
    receiver.answer = lambda asked: Answer(body=b"x" * 1001)
    with client_to(receiver) as client, pytest.raises(AnswerTooLarge, match="larger than 1000 bytes"):
        client.get(receiver.url)
    receiver.answer = lambda asked: Answer(body=b"x" * 1000)
    with client_to(receiver) as client:
        assert len(client.get(receiver.url).content) == 1000


def test_a_compressed_answer_is_not_inflated(receiver: Receiver) -> None:
    bomb = gzip.compress(b"x" * 100_000)
    receiver.answer = lambda asked: Answer(headers={"Content-Encoding": "gzip"}, body=bomb)
    with client_to(receiver) as client:
        assert client.get(receiver.url).content == bomb


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"])
def test_a_server_that_drips_is_left_at_the_deadline(head: bytes) -> None:
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.sendall(head)
            try:
                while not over.wait(0.05):
                    connection.sendall(b"a")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        with (
            outbound_client(allowing(f"127.0.0.1:{port}"), timeout_seconds=0.5, max_bytes=1000) as client,
            pytest.raises(httpx.ReadTimeout),
        ):
            client.get(f"http://127.0.0.1:{port}/")
        over.set()
        thread.join()


def test_a_server_that_speaks_no_http_is_an_ordinary_failure() -> None:
    def babble(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(1000)
            connection.sendall(b"220 mail.example ESMTP\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=babble, args=(listener,))
        thread.start()
        with (
            outbound_client(allowing(f"127.0.0.1:{port}"), timeout_seconds=5, max_bytes=1000) as client,
            pytest.raises(httpx.TransportError),
        ):
            client.get(f"http://127.0.0.1:{port}/")
        thread.join()


REFUSED_URLS = [
    "",
    "x",
    "//example.org/",
    "/path",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "javascript:alert(1)",
    "unix:///run/docker.sock",
    "http://",
    "http:///x",
    "http://.example/",
    "http://user@example.org/",
    "http://user:pass@example.org/",
    "http://:pass@example.org/",
    "http://example.org\\@127.0.0.1/",
    "http://example.org:0/",
    "http://example.org:99999/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[fe80::1%25eth0]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1:8080/",
    "http://[fd00::1]/",
    "http://example.org/\n",
    "http://\ud800/",
    "http://" + "a" * 3000,
    "http://127.0.0.1:1v1/",
    "http://example.org:65536/",
    "http://a..b/",
    "http://../",
    "http://example.org../",
    "http://-a.example/",
    "http://a-.example/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 127 + "example/",
    "http://exa mple/",
    "http://a%2eb/",
    "http://a%00b/",
    "http://a%0d%0ab/",
    "http://*.example/",
    "http://a'b/",
    "http://a\\b/",
    "http://1.2.3.4.5/",
    "http://example.1/",
    "http://example.0x7f/",
    "http://256.0.0.1/",
    "http://[v1.x]/",
    "http://[::1",
    "http://xn--/",
    "http://①②7.0.0.1/",
    "http://127。0。0。1/",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_could_only_go_inside_or_nowhere_is_refused_before_anything_is_resolved(url: str) -> None:
    with pytest.raises(OutboundRefused):
        check_url(url, allowing())


@pytest.mark.parametrize(
    "url", [url for url in REFUSED_URLS if url and "\n" not in url and "\ud800" not in url and len(url) < 3000]
)
def test_the_client_refuses_the_same_urls(url: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return [host if ":" in host else "127.0.0.1"]

    with (
        outbound_client(allowing(), timeout_seconds=5, max_bytes=10, resolve=resolve) as client,
        pytest.raises((OutboundRefused, httpx.TransportError, httpx.InvalidURL, UnicodeError)),
    ):
        client.get(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook?a=1#b",
        "http://example.org:8080",
        "https://[2606:4700::1111]/",
        "https://1.1.1.1/x",
        "https://hooks.example./",
        "https://a_b.example:65535/",
        "https://" + "a" * 63 + ".example/",
        "https://münchen.example/ä",
    ],
)
def test_a_url_that_may_be_public_is_taken(url: str) -> None:
    assert check_url(url, allowing()).startswith(url[:8])


def test_a_url_inside_is_taken_where_the_operator_opened_it() -> None:
    settings = allowing("10.0.0.0/8:8080", "127.0.0.1:9000")
    assert check_url("http://10.9.9.9:8080/hook", settings) == "http://10.9.9.9:8080/hook"
    assert check_url("http://localhost:9000/", settings) == "http://localhost:9000/"
    with pytest.raises(OutboundRefused, match="BRIGADEWATCH_OUTBOUND_ALLOW"):
        check_url("http://10.9.9.9/hook", settings)
