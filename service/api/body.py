"""Request bodies: bounded in bytes as sent and after decompression, and in what all requests hold together.

bounded_protocol.py bounds their time.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request

_SLICE_BYTES = 64 * 1024  # decompressed at a time: well under a millisecond
_GZIP_OVERHEAD = 64 * 1024  # what gzip may add to a body that cannot be compressed
_MAX_MEMBERS = 1_024  # of one gzip body; more are made to be slow


async def read_body(request: Request, *, limit: int, hold: Callable[[int], None]) -> bytes:
    """The whole body, decompressed. `hold` is called with the number of bytes of each part that is kept.

    Raises HTTPException: 400 empty or bad gzip, 413 too large, 415 another encoding; ClientDisconnect when it is not
    complete.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise HTTPException(
            415,
            f"unsupported content encoding {encoding[:40]!r}: use gzip or none",
            headers={"Accept-Encoding": "gzip"},
        )
    zipped = encoding.endswith("gzip")
    raw_limit = limit + (_GZIP_OVERHEAD if zipped else 0)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:20]) > raw_limit:
        raise _too_large(limit)
    body = await (_inflated if zipped else _plain)(request, limit, raw_limit, hold)
    if not body:
        raise HTTPException(400, "body is empty")
    if len(body) > _SLICE_BYTES:
        await asyncio.sleep(0)  # joining a large one took a slice of its own
    return body


def media_type(request: Request, *allowed: str) -> str:
    """The Content-Type without its parameters. Raises HTTPException 415 unless it is an allowed one."""
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in allowed:
        raise HTTPException(
            415,
            f"unsupported content type {found[:80]!r}: use {' or '.join(allowed)}",
            headers={"Accept": ", ".join(allowed)},
        )
    return found


async def _plain(request: Request, limit: int, raw_limit: int, hold: Callable[[int], None]) -> bytes:
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        hold(len(chunk))
        parts.append(chunk)
    return b"".join(parts)


async def _inflated(request: Request, limit: int, raw_limit: int, hold: Callable[[int], None]) -> bytes:
    parts: list[bytes] = []
    size = raw = 0
    gunzip = Gunzip()
    async for chunk in request.stream():
        raw += len(chunk)
        if raw > raw_limit:
            raise _too_large(limit)
        for part in gunzip.feed(chunk):
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            hold(len(part))
            parts.append(part)
            await asyncio.sleep(0)
    gunzip.end()
    return b"".join(parts)


class Gunzip:
    """Decompresses gzip, of several members too, in slices of at most 64 KiB, whatever the input claims."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._begun = False  # this member has had a byte

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The decompressed bytes of one chunk, slice by slice. Raises HTTPException 400 for invalid gzip."""
        for start in range(0, len(chunk), _SLICE_BYTES):
            yield from self._feed(chunk[start : start + _SLICE_BYTES])

    def end(self) -> None:
        """Check that the body is complete. Raises HTTPException 400 if it ended inside a member."""
        if self._begun and not self._member.eof:
            raise HTTPException(400, "gzip body is truncated")

    def _feed(self, rest: bytes) -> Iterator[bytes]:
        while rest or not self._member.eof:
            if self._member.eof:
                if self._members == _MAX_MEMBERS:
                    raise HTTPException(
                        400, f"gzip body has more than {_MAX_MEMBERS} members: compress it in one piece"
                    )
                self._member, self._members = zlib.decompressobj(wbits=31), self._members + 1
            self._begun = True
            try:
                part = self._member.decompress(rest, _SLICE_BYTES)
            except zlib.error as error:
                raise HTTPException(400, f"body is not valid gzip: {error}") from None
            rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if part:
                yield part
            elif not rest:
                return


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413, f"body is larger than {limit} bytes (decompressed); nothing was stored: send smaller batches"
    )
