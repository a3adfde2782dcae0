"""A request's body as one model, within bounds, with a pointer to each fault."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.api.api_context import api_context
from service.api.body import media_type, read_body
from service.api.problems import Invalid
from service.intake.documents import UnreadableDocument
from service.intake.pointers import pointer_of
from service.model import RejectedItem

Model = TypeVar("Model", bound=BaseModel)


async def model_body(request: Request, model: type[Model], noun: str) -> Model:
    """The body as a `model`, which is called `noun` ("a decision") in what goes wrong.

    Raises HTTPException 400, 413 or 415 for the body as a whole, UnreadableDocument (400) for what is no JSON, and
    Invalid (422) with the place of each fault.
    """
    media_type(request, "application/json")
    api = api_context(request)
    with api.bodies.reserve() as hold:
        body = await read_body(request, limit=api.settings.max_body_bytes, hold=hold)
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False, include_input=False)
    if any(fault["type"] == "json_invalid" for fault in faults):
        raise UnreadableDocument(f"{noun} is a JSON object; {faults[0]['msg']}")
    items = [
        RejectedItem(detail=fault["msg"].removeprefix("Value error, "), pointer=pointer_of(fault["loc"]))
        for fault in faults
    ]
    raise Invalid(f"{items[0].pointer.lstrip('/') or noun}: {items[0].detail}", items[:100], len(items))
