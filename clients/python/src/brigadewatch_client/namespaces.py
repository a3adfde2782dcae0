"""Pure: the ids of one of several installations, on the wire and in answers."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from urllib.parse import urlencode

from brigadewatch_client.documents import Assessment, Receipt
from brigadewatch_client.exchange import MAX_ID_CHARACTERS, Batch, Question, targets_of

_NAMESPACE = re.compile("[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_HASH_DIGITS = 32


def check_namespace(namespace: object) -> None:
    """Raises ValueError for what cannot be a namespace."""
    if namespace is not None and not (isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace)):
        raise ValueError(
            f"namespace is {namespace!r:.60} and has to be 1 to 32 lowercase letters, digits and hyphens, without a"
            " hyphen at either end"
        )


def question_under(namespace: str | None, question: Question) -> Question:
    """The question about ids of that namespace; the service puts it before them."""
    if namespace is None:
        return question
    joint = "&" if "?" in question.path else "?"
    return replace(question, path=f"{question.path}{joint}{urlencode({'namespace': namespace})}")


def kept_id(namespace: str | None, identifier: str) -> str:
    """The id as the service keeps it, and names it in answers."""
    if namespace is None:
        return identifier
    whole = f"{namespace}:{identifier}"
    if len(whole) <= MAX_ID_CHARACTERS:
        return whole
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{whole[: MAX_ID_CHARACTERS - _HASH_DIGITS - 1]}~{digest}"


def own_assessment(assessment: Assessment, target_id: str) -> Assessment:
    """The assessment under the id that the platform asked by."""
    return assessment if assessment.target_id == target_id else replace(assessment, target_id=target_id)


def own_receipt(namespace: str | None, receipt: Receipt, batch: Batch) -> Receipt:
    """The receipt, its assessments under the platform's own ids."""
    if namespace is None or receipt.assessments is None:
        return receipt
    own = {kept_id(namespace, target): target for target in targets_of(batch, receipt)}
    assessments = (own_assessment(one, own.get(one.target_id, one.target_id)) for one in receipt.assessments)
    return replace(receipt, assessments=tuple(assessments))
