"""The content of uploads: the file in chunks, what was read of it, and the report of its audit, all encrypted.

Each upload has a key of its own, sealed like other secrets (service/storage/accounts/secret_box.py): changing the key
of stored secrets rewrites one small value of each, and no file.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Connection, Engine, insert, select, update

from service.errors import NotFound
from service.model import JsonObject
from service.storage.accounts.secret_box import SecretBox
from service.storage.sql.schema import import_chunks, imports

CHUNK_BYTES = 1 << 20


class ContentSeal:
    """Encrypts what belongs to one upload."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def of(cls, connection: Connection, box: SecretBox, tenant_id: int, import_id: str) -> ContentSeal:
        """The upload's own. Raises NotFound once it is deleted, Refused where its key cannot be opened."""
        sealed = connection.scalar(
            select(imports.c.secret).where(imports.c.tenant_id == tenant_id, imports.c.id == import_id)
        )
        if sealed is None:
            raise NotFound("this file was deleted")
        return cls(box.open(sealed))

    def sealed(self, content: bytes) -> bytes:
        """The content, compressed and encrypted."""
        return self._fernet.encrypt(zlib.compress(content, 1))

    def opened(self, sealed: bytes) -> bytes:
        """The content again."""
        return zlib.decompress(self._fernet.decrypt(sealed))


def new_key() -> str:
    """A key for an upload."""
    return Fernet.generate_key().decode()


def put_chunk(connection: Connection, tenant_id: int, import_id: str, number: int, sealed: bytes) -> None:
    """Store a part of the file. Raises NotFound where the upload was deleted meanwhile."""
    there = select(imports.c.id).where(imports.c.id == import_id, imports.c.secret.is_not(None)).with_for_update()
    if connection.scalar(there) is None:
        raise NotFound("this file was deleted")
    connection.execute(
        insert(import_chunks).values(import_id=import_id, tenant_id=tenant_id, number=number, data=sealed)
    )


def chunks(engine: Engine, seal: ContentSeal, tenant_id: int, import_id: str) -> Iterator[bytes]:
    """The parts of the file, one after another."""
    number, c = 0, import_chunks.c
    while True:
        with engine.connect() as connection:
            sealed = connection.scalar(
                select(c.data).where(c.import_id == import_id, c.tenant_id == tenant_id, c.number == number)
            )
        if sealed is None:
            return
        yield seal.opened(sealed)
        number += 1


def put_preview(connection: Connection, import_id: str, seal: ContentSeal, preview: JsonObject) -> None:
    """Store what was read of the file."""
    content = seal.sealed(json.dumps(preview, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    connection.execute(update(imports).where(imports.c.id == import_id).values(preview=content))


def preview_of(connection: Connection, box: SecretBox, tenant_id: int, import_id: str) -> JsonObject | None:
    """What was read of the file; None before it was, or after it was deleted."""
    found = _opened(connection, box, tenant_id, import_id, imports.c.preview)
    return None if found is None else json.loads(found.decode("utf-8", "surrogatepass"))


def put_report(connection: Connection, import_id: str, seal: ContentSeal, page: str) -> None:
    """Store the report of the audit, a page."""
    content = seal.sealed(page.encode("utf-8", "replace"))
    connection.execute(update(imports).where(imports.c.id == import_id).values(report=content))


def report_of(connection: Connection, box: SecretBox, tenant_id: int, import_id: str) -> str:
    """The report of the audit. Raises NotFound."""
    found = _opened(connection, box, tenant_id, import_id, imports.c.report)
    if found is None:
        raise NotFound("this file was not tried, or it was deleted")
    return found.decode()


def _opened(connection: Connection, box: SecretBox, tenant_id: int, import_id: str, column: Any) -> bytes | None:
    mine = (imports.c.tenant_id == tenant_id) & (imports.c.id == import_id)
    row = connection.execute(select(imports.c.secret, column.label("content")).where(mine)).first()
    if row is None or row.secret is None or row.content is None:
        return None
    return ContentSeal(box.open(row.secret)).opened(row.content)
