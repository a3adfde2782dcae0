"""An S3-compatible store of this machine for the length of a block: moto's server, an independent implementation."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from listening import free_port

PROGRAM = Path("build/s3-server/bin/moto_server")
START_SECONDS = 60


@contextmanager
def s3_server() -> Iterator[str]:
    """Its host and port, without TLS. Fails where `make build/s3-server/.installed` was not run."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: run `make test`, which installs it (tests/s3_store)"
    port = free_port()
    process = subprocess.Popen(
        [PROGRAM, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the store ended while it started"
            assert time.monotonic() < deadline, f"the store does not answer after {START_SECONDS} s"
            time.sleep(0.05)
