"""The console's scripts, styles and icon: read and compressed once, cached by browsers forever under ?v=<hash>.

Templates use `static("console.css")` for the URL. Every file in the folder is served, and nothing else.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

PREFIX = "/console/static/"
FOLDER = Path(__file__).with_name("static")
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
_WITHOUT_BODY = 304

router = APIRouter()


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    body: bytes
    zipped: bytes
    media_type: str
    version: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """All files by name, such as "vendor/htmx.min.js"; unknown file types are skipped."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and path.suffix in _MEDIA_TYPES:
            body = path.read_bytes()
            name = path.relative_to(FOLDER).as_posix()
            found[name] = StaticFile(
                body, gzip.compress(body, 9, mtime=0), _MEDIA_TYPES[path.suffix], sha256(body).hexdigest()[:16]
            )
    return found


def static(name: str) -> str:
    """URL of a file, with its hash. Raises KeyError for an unknown file."""
    return f"{PREFIX}{name}?v={static_files()[name].version}"


@router.get("/static/{name:path}")
async def read_static(request: Request, name: str) -> Response:
    """The file; cached forever if the URL names its version."""
    file = static_files().get(name)
    if file is None:
        raise HTTPException(404, "file not found")
    current = request.query_params.get("v") == file.version
    headers = {
        "ETag": f'"{file.version}"',
        "Vary": "Accept-Encoding",
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
    }
    if f'"{file.version}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=_WITHOUT_BODY, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", "") and len(file.zipped) < len(file.body):
        return Response(file.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)
