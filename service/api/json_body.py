"""Reading a request's JSON body as one model, within bounds, with a pointer to each fault."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.api.api_context import api_context
from service.api.body import media_type, read_body
from service.api.problems import Invalid
from service.intake.documents import UnreadableDocument, without_mark
from service.intake.json_bounds import check_values
from service.intake.pointers import json_fault, message_of, pointer_of
from service.model import RejectedItem

Model = TypeVar("Model", bound=BaseModel)
_MAX_VALUES = 30_000  # a decision may exclude 10,000 reporters


async def model_body(
    request: Request, model: type[Model], noun: str, *, max_bytes: int | None = None, max_values: int = _MAX_VALUES
) -> Model:
    """The body as a `model`, which errors call `noun` ("a decision"); `max_bytes`: fewer than any body may have.

    Raises HTTPException 400, 413 or 415 for the body as a whole, UnreadableDocument (400) for invalid JSON,
    TooMany (413), and Invalid (422) with a pointer to each fault.
    """
    media_type(request, "application/json")
    api = api_context(request)
    with api.bodies.reserve() as hold:
        body = await read_body(request, limit=max_bytes or api.settings.max_body_bytes, hold=hold)
        check_values(body, max_values)
        body = without_mark(body)
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False, include_input=False)
    if any(fault["type"] == "json_invalid" for fault in faults):
        raise UnreadableDocument(json_fault(faults[0]["msg"]))
    items = [
        RejectedItem(detail=message_of(fault["type"], fault["msg"], fault["loc"]), pointer=pointer_of(fault["loc"]))
        for fault in faults
    ]
    raise Invalid(f"{items[0].pointer.lstrip('/') or noun}: {items[0].detail}", items[:100], len(items))
