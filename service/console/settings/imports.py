"""Import: upload a file with past complaints, and see how it is read. What takes time is a job's work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import BinaryIO

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse, Response

from service.api.api_context import api_context
from service.console.formatting import sentence
from service.console.rendering import flash, see_other
from service.console.security_middleware import MAX_UPLOAD_BYTES
from service.console.settings.frame import now_us, page
from service.console.settings.import_texts import (
    FIELDS,
    PRESETS,
    STATES,
    TIME_FORMATS,
    file_name,
    seconds_left,
    share_read_again,
)
from service.console.sign_in import Admin
from service.errors import Refused
from service.model import JsonObject, moment
from service.storage.complaints import imports
from service.storage.complaints.import_content import (
    CHUNK_BYTES,
    ContentSeal,
    new_key,
    preview_of,
    put_chunk,
    report_of,
)
from service.storage.complaints.import_sending import request_import, request_undo, too_old
from service.storage.sql.engine import write
from service.tabular.reading_choice import ReadingChoice, changed_columns

HERE = "/console/settings/import"
SECTION = "import"
_LONGEST_CHOICE = 80
_REPORT_POLICY = (  # the report has its styles inside, no scripts, and links to places in itself alone
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
router = APIRouter(prefix="/import")


@router.get("")
def show_imports(request: Request, person: Admin) -> Response:
    """All imports, and a form to upload a file."""
    return _all(request, person)


@router.post("/upload")
async def upload(request: Request, person: Admin) -> Response:
    """Store the file, encrypted; a job reads it."""
    form = await request.form()  # parsed already where its token was read: the file is on disk, without a name
    try:
        return await run_in_threadpool(_uploaded, request, person, form)
    finally:
        await form.close()


@router.get("/{id}")
def show_import(request: Request, person: Admin, id: str) -> Response:
    """One import: how the file is read, and how far it is."""
    return _one(request, person, id)


@router.post("/{id}/read")
async def read_again(request: Request, person: Admin, id: str) -> Response:
    """Have the file read in another way."""
    form = await request.form()
    return await run_in_threadpool(_read_again, request, person, id, form)


@router.post("/{id}/try")
def try_file(request: Request, person: Admin, id: str) -> Response:
    """Have the file audited; nothing is stored in the tenant."""
    try:
        with write(api_context(request).engine) as connection:
            imports.request_try(connection, person.tenant_id, id, now_us=now_us(request))
    except Refused as error:
        return _one(request, person, id, error=sentence(error.problem))
    return see_other(request, f"{HERE}/{id}")


@router.post("/{id}/start")
def start(request: Request, person: Admin, id: str) -> Response:
    """Import the file into the tenant, or go on where it was stopped."""
    return _request(request, person, id, request_import)


@router.get("/{id}/undo")
def confirm_undo(request: Request, person: Admin, id: str) -> Response:
    """What undoing does, and a button to do it."""
    return _one(request, person, id, undoing=True)


@router.post("/{id}/undo")
def undo(request: Request, person: Admin, id: str) -> Response:
    """Withdraw what was imported."""
    return _request(request, person, id, request_undo)


@router.post("/{id}/stop")
def stop(request: Request, person: Admin, id: str) -> Response:
    """Stop what is under way."""
    with write(api_context(request).engine) as connection:
        stopped = imports.stop(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    flash(request, person, "Stopped." if stopped else "It had already ended.", "info")
    return see_other(request, f"{HERE}/{id}")


@router.get("/{id}/report")
def show_report(request: Request, person: Admin, id: str) -> Response:
    """The report of the audit, as `brigadewatch audit` writes it."""
    api = api_context(request)
    with api.engine.connect() as connection:
        report = report_of(connection, api.box, person.tenant_id, id)
    return HTMLResponse(report, headers={"Cache-Control": "no-store", "Content-Security-Policy": _REPORT_POLICY})


@router.post("/{id}/delete")
def delete(request: Request, person: Admin, id: str) -> Response:
    """Delete an upload of which nothing was imported."""
    try:
        with write(api_context(request).engine) as connection:
            imports.delete_import(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    except Refused as error:
        return _one(request, person, id, error=sentence(error.problem))
    flash(request, person, "The file was deleted.")
    return see_other(request, HERE)


def _request(request: Request, person: Admin, id: str, wanted: Callable[..., None]) -> Response:
    try:
        with write(api_context(request).engine) as connection:
            wanted(connection, person.tenant_id, id, by=person.name, now_us=now_us(request))
    except Refused as error:
        return _one(request, person, id, error=sentence(error.problem))
    return see_other(request, f"{HERE}/{id}")


def _uploaded(request: Request, person: Admin, form: FormData) -> Response:
    sent = form.get("file")
    try:
        if not isinstance(sent, UploadFile) or not sent.filename:
            raise Refused("choose a file first")
        made = _store(request, person, file_name(sent.filename), sent.file)
    except Refused as error:
        return _all(request, person, error=sentence(error.problem))
    return see_other(request, f"{HERE}/{made}")


def _store(request: Request, person: Admin, name: str, file: BinaryIO) -> str:
    """Store the file in encrypted parts, a transaction each; returns the import's id. Raises Refused."""
    api, key, digest, size = api_context(request), new_key(), hashlib.sha256(), 0
    first = file.read(CHUNK_BYTES)
    if not first:
        raise Refused("the file is empty")
    with write(api.engine) as connection:
        made = imports.begin_upload(
            connection, person.tenant_id, name, api.box.seal(key), by=person.name, now_us=now_us(request)
        )
    seal, number, part = ContentSeal(key), 0, first
    try:
        while part:
            sealed = seal.sealed(part)
            with write(api.engine) as connection:
                put_chunk(connection, person.tenant_id, made, number, sealed)
            digest.update(part)
            size, number, part = size + len(part), number + 1, file.read(CHUNK_BYTES)
        with write(api.engine) as connection:
            imports.end_upload(
                connection, person.tenant_id, made, size, digest.hexdigest(), by=person.name, now_us=now_us(request)
            )
    except BaseException:
        with write(api.engine) as connection:
            imports.drop_file(connection, person.tenant_id, made)
        raise
    return made


def _read_again(request: Request, person: Admin, id: str, form: FormData) -> Response:
    api = api_context(request)
    entered = {name: value for name, value in form.items() if isinstance(value, str)}
    with api.engine.connect() as connection:
        before = ReadingChoice.of(imports.read(connection, person.tenant_id, id).options)
        preview = preview_of(connection, api.box, person.tenant_id, id) or {"header": [], "read_as": {}}
    header = preview["header"]
    columns = {name: entered.get(f"column-{number}", "")[:_LONGEST_CHOICE] for number, name in enumerate(header)}
    chosen = ReadingChoice(
        changed_columns(header, preview["read_as"], before.columns, columns),
        **{
            name: entered.get(name, "").strip()[:_LONGEST_CHOICE]
            for name in ("timezone", "time_format", "sheet", "preset", "encoding")
        },
    )
    try:
        chosen.check()
        with write(api.engine) as connection:
            imports.read_again(connection, person.tenant_id, id, chosen.document(), now_us=now_us(request))
    except Refused as error:
        return _one(request, person, id, error=sentence(error.problem), entered=chosen)
    return see_other(request, f"{HERE}/{id}")


def _all(request: Request, person: Admin, *, error: str | None = None) -> Response:
    with api_context(request).engine.connect() as connection:
        listed = imports.listed(connection, person.tenant_id)
    return page(
        request,
        person,
        SECTION,
        "imports.html",
        error=error,
        listed=[{"one": one, "at": moment(one.at_us), "state": STATES[one.state]} for one in listed],
        most_mebibytes=MAX_UPLOAD_BYTES >> 20,
    )


def _one(
    request: Request,
    person: Admin,
    id: str,
    *,
    error: str | None = None,
    entered: ReadingChoice | None = None,
    undoing: bool = False,
) -> Response:
    api = api_context(request)
    with api.engine.connect() as connection:
        one = imports.read(connection, person.tenant_id, id)
        preview = preview_of(connection, api.box, person.tenant_id, id)
        old = too_old(connection, person.tenant_id, one.oldest_us) if one.state == imports.READY else ""
    chosen = entered or ReadingChoice.of(one.options)
    menus = []
    if preview is not None:
        for number, column in enumerate(preview["header"]):
            value = chosen.columns.get(column) or preview["read_as"].get(column, "")
            menus.append({"name": f"column-{number}", "column": column, "chosen": value})
    return page(
        request,
        person,
        SECTION,
        "one_import.html",
        fragment="import",
        error=error,
        one=one,
        state=STATES[one.state],
        at=moment(one.at_us),
        expires=moment(one.at_us + imports.KEPT_US),
        preview=preview,
        too_old=sentence(old) if old else "",
        left=seconds_left(one, now_us(request)),
        read_again=share_read_again(one),
        undoing=undoing and one.state in (imports.STOPPED, imports.IMPORTED),
        menus=menus,
        fields=FIELDS,
        chosen=chosen,
        time_formats=TIME_FORMATS,
        presets=PRESETS,
        span=_span(preview),
    )


def _span(preview: JsonObject | None) -> list[datetime]:
    """The times of the first and the last complaint; empty where nothing was read."""
    found = [] if preview is None else [preview["oldest"], preview["newest"]]
    return [datetime.fromisoformat(text) for text in found if text is not None]
