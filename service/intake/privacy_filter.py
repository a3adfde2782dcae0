"""The privacy filter: what is removed from a complaint before it is stored anywhere, namely the reporter's own id (if
the tenant wants pseudonyms) and the words of the text.

Everything from outside passes it once, before the stream: posts, webhooks, polls. Reporter ids in paths, filters and
bodies of decisions are mapped in the same way, and a pseudonym is mapped to itself; so a platform may use its own ids
as well as those that it read in an answer.

A pseudonym is `p-` and 32 letters: 16 bytes of HMAC-SHA256 of the id under a random key of the tenant, and 4 bytes of
HMAC over those, by which it is recognised. Without the key it cannot be reversed, and ids cannot be tried; another
tenant's key gives another pseudonym.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode, b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic_core import from_json, to_json

from service.intake.items import CheckedItem, Noun, canonical
from service.intake.text_fingerprints import COMMON_KEY, signature_of
from service.model import Complaint, JsonObject

KEY_BYTES = 32
_TAG_BYTES, _CHECK_BYTES = 16, 4
_OF_CONTEXT = ("context_title", "context_url")
_FORM = re.compile(r"[pf]-[a-z2-7]{32}\Z")


class Erased(ValueError):
    """The reporter of the complaint was erased: nothing under their id is stored again."""


@dataclass(frozen=True, slots=True)
class PrivacyFilter:
    """One tenant's rules for what may be stored, with its secret key."""

    key: bytes = field(default=COMMON_KEY, repr=False)
    pseudonyms: bool = False
    keep_text: bool = True
    # by the mark (`mark`) of an erased reporter: the token that replaces the id
    erased: Mapping[str, str] = field(default_factory=dict, hash=False)

    def line_of(self, item: CheckedItem, noun: Noun) -> bytes:
        """The canonical line of an item as it may be stored: `line(canonical(item, noun))`, not parsed again for
        the text alone. Raises Erased.
        """
        if not isinstance(item, Complaint) or self.pseudonyms or self._names_erased(item):
            return self.line(canonical(item, noun))
        if self.keep_text or item.text is None:
            return canonical(item, noun)
        return canonical(item, noun, without="text")[:-1] + b"," + to_json(self._instead_of(item.text))[1:]

    def _names_erased(self, complaint: Complaint) -> bool:
        author = complaint.target.author_id
        return self.is_erased(complaint.reporter.id) or (author is not None and self.is_erased(author))

    def line(self, line: bytes) -> bytes:
        """A canonical line as it may be stored.

        Lines of outcomes and withdrawals name no reporter and stay as they are.

        Raises Erased for a complaint of an erased reporter.
        """
        if line[:1] != b"c" or not (self.pseudonyms or self.erased or (not self.keep_text and b'"text":' in line)):
            return line
        return b"c" + to_json(self.body(from_json(line[1:])))

    def body(self, body: JsonObject) -> JsonObject:
        """The same for a parsed complaint, without changing it.

        The token of an erased person also replaces them as the target's author. Raises Erased.
        """
        reporter = body["reporter"]
        if self.is_erased(reporter["id"]):
            raise Erased("the reporter was erased: complaints under this id are no longer accepted")
        if self.pseudonyms:
            reporter = {**reporter, "id": self.reporter(reporter["id"])}
            if "fingerprint" in reporter:
                reporter["fingerprint"] = self._keyed("f", reporter["fingerprint"])
            body = {**body, "reporter": reporter}
        author = body["target"].get("author_id")
        if author is not None and self.is_erased(author):
            # accounts have one id, as reporters and as authors
            body = {**body, "target": {**body["target"], "author_id": self.erased[self.mark(author)]}}
        return body if self.keep_text or "text" not in body else self._without_text(body)

    def reporter(self, identity: str) -> str:
        """The id under which the reporter is stored; pseudonyms, and ids of a tenant without pseudonyms, stay as they
        are.
        """
        return self.pseudonym(identity) if self.pseudonyms else identity

    def pseudonym(self, identity: str) -> str:
        """The reporter's pseudonym, whether or not the tenant wants them."""
        return self._keyed("p", identity)

    def is_pseudonym(self, identity: str) -> bool:
        """Whether this is a pseudonym under the tenant's key."""
        return self._is_keyed("p", identity)

    def derived(self, identity: str) -> str:
        """The keyed form of a complaint's id that an adapter derived from the reporter's, so that reporters cannot be
        tried against it without the key. The part before the last slash stays.
        """
        kind, slash, rest = identity.rpartition("/")
        return f"{kind}{slash}{hmac.digest(self.key, b'id' + bytes(1) + _bytes(rest), 'sha256')[:_TAG_BYTES].hex()}"

    def mark(self, identity: str) -> str:
        """What is kept of an erased reporter, 64 hexadecimal digits: the same for the id and its pseudonym."""
        return hmac.digest(self.key, b"erased\0" + _bytes(self.pseudonym(identity)), "sha256").hex()

    def complaint_mark(self, body: JsonObject) -> str:
        """What tells one complaint under an id from another: id, target and reporter, the same for the reporter's id
        and pseudonym. 64 hexadecimal digits.
        """
        parts = ("complaint", body["id"], body["target"]["id"], self.pseudonym(body["reporter"]["id"]))
        return hmac.digest(self.key, _bytes("\0".join(parts)), "sha256").hex()

    def is_erased(self, identity: str) -> bool:
        """Whether this reporter, by id or pseudonym, was erased."""
        return bool(self.erased) and self.mark(identity) in self.erased

    def signature(self, body: JsonObject) -> bytes | None:
        """The signature of a stored complaint's text, computed now if the text was kept. None: there is no text, or it
        is too short.
        """
        if "text" in body:
            return signature_of(body["text"], self.key)
        stored: str | None = body.get("text_signature")
        return None if stored is None else b64decode(stored)

    def comparable(self, body: JsonObject) -> JsonObject:
        """A stored complaint as the strictest rules would leave it, to compare what was sent under different ones.

        Without the text's signature: its version may have changed since, and the hash tells texts apart. Without the
        title and the address of the article or thread: they change while it stands, and the complaint does not.
        """
        strict = replace(self, pseudonyms=True, keep_text=False, erased={}).body(body)
        target = {name: value for name, value in body["target"].items() if name not in _OF_CONTEXT}
        return {name: value for name, value in strict.items() if name != "text_signature"} | {"target": target}

    def _without_text(self, body: JsonObject) -> JsonObject:
        kept = {name: value for name, value in body.items() if name != "text"}
        return kept | self._instead_of(body["text"])

    def _instead_of(self, text: str) -> dict[str, str]:
        # tells whether the same complaint is sent again with other words; the first version stands
        kept = {"text_hash": hmac.digest(self.key, b"text\0" + _bytes(text), "sha256")[:_TAG_BYTES].hex()}
        signature = signature_of(text, self.key)
        if signature is not None:
            kept["text_signature"] = b64encode(signature).decode()
        return kept

    def _keyed(self, letter: str, text: str) -> str:
        if self._is_keyed(letter, text):
            return text
        tag = hmac.digest(self.key, letter.encode() + b"\0" + _bytes(text), "sha256")[:_TAG_BYTES]
        return f"{letter}-{b32encode(tag + self._check(letter, tag)).decode().lower()}"

    def _is_keyed(self, letter: str, text: str) -> bool:
        if text[:1] != letter or not _FORM.match(text):
            return False
        raw = b32decode(text[2:].upper())
        return hmac.compare_digest(raw[_TAG_BYTES:], self._check(letter, raw[:_TAG_BYTES]))

    def _check(self, letter: str, tag: bytes) -> bytes:
        return hmac.digest(self.key, letter.encode() + b" check\0" + tag, "sha256")[:_CHECK_BYTES]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
