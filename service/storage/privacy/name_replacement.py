"""Replace a person's names inside one stored value: a complaint, a column's text, JSON, or a sentence. Pure.

A name is replaced only where it stands for a person. People choose their names: erasing somebody called "flagged" must
not change the disposition of clusters, and a target, a complaint or a cluster with the same id keeps it. Where a
platform numbers people once, the author of a target is the same person, and is replaced too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from service.model import JsonObject

# What the top level of a JSON column counts as, by what the column declares: a field's name from the lists below.
_FIELD_OF = {
    "reporter ids": "reporter_ids",
    "prose": "note",
    "case note": "note",
    "document": "",
}
REPLACED = {"reporter id", "author id", "subject", *_FIELD_OF}  # of declarations.Held: what `in_column` handles
# JSON fields that hold people, alone or in lists.
_PEOPLE = {
    "reporter",
    "reporters",
    "reporter_id",
    "reporter_ids",
    "excluded_reporters",
    "author",
    "authors",
    "author_id",
    "member",
    "members",
}
# JSON fields in which people may be named
_PROSE = {"note", "text", "tag", "summary", "error", "last_error", "detail", "entity", "coordinator"}
_GONE = ("account_created_at", "fingerprint")
_TEXT = ("text", "text_hash", "text_signature")
_LEAST_NUMBER = 4  # digits: a shorter number in a sentence is mostly a number


class NameReplacement:
    """Names of people, each with what takes its place."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.by_old = dict(names)
        # As a name appears in a row: plain, and in JSON with and without escapes.
        self.forms = {
            form
            for name in names
            for form in (name, _inside(json.dumps(name)), _inside(json.dumps(name, ensure_ascii=False)))
        }
        self._paths = {
            f"/v1/reporters/{quote(old, safe='')}": f"/v1/reporters/{quote(new, safe='')}" for old, new in names.items()
        }
        # In a sentence only a name with a digit or sign differs from a word; evidence names people as "by author ...".
        distinct = [
            rf"(?<!\w){re.escape(name)}(?!\w)"
            for name in names
            if not name.isalpha() and not (name.isdigit() and len(name) < _LEAST_NUMBER)
        ]
        self._prose = re.compile(
            "|".join(
                sorted(
                    [*distinct, *(rf"(?<=by author ){re.escape(name)}(?!\w)" for name in names)], key=len, reverse=True
                )
            )
        )
        self._every = re.compile(
            "|".join(
                rf"(?<!\w){re.escape(name)}(?!\w)"
                for name in sorted(names, key=len, reverse=True)
                if not name.isdigit() or len(name) >= _LEAST_NUMBER
            )
            or "(?!)"
        )

    def in_complaint(self, body: JsonObject) -> JsonObject:
        """The complaint without the person. Of their own, the name, account age, fingerprint and text are gone; of one
        about their content, the author's name.
        """
        after = dict(body)
        if body["reporter"]["id"] in self.by_old:
            after["reporter"] = {name: value for name, value in body["reporter"].items() if name not in _GONE} | {
                "id": self.by_old[body["reporter"]["id"]]
            }
            after = {name: value for name, value in after.items() if name not in _TEXT}
        target = dict(body["target"])
        if target.get("author_id") in self.by_old:
            target["author_id"] = self.by_old[target["author_id"]]
        if "attributes" in target:
            target["attributes"] = {
                name: self.by_old.get(value, value) if isinstance(value, str) else value
                for name, value in target["attributes"].items()
            }
        after["target"] = target
        return after

    def is_named_in(self, text: str) -> bool:
        """Whether a sentence holds a name that differs from a word."""
        return self._prose.search(text) is not None

    def in_case_note(self, text: str) -> str:
        """A moderator's note about these people's case without the names: there even a name like a word is a name."""
        return self._every.sub(self._new_name, text)

    def in_column(self, held: str, text: str) -> str:
        """A stored value without the names; `held` is what its column declares."""
        if held == "subject":
            kind, _, rest = text.partition(":")
            return f"{kind}:{self.by_old[rest]}" if kind in _PEOPLE and rest in self.by_old else text
        if held in ("reporter id", "author id"):
            return self.by_old.get(text, text)
        field_name = _FIELD_OF[held]
        if text[:1] in ("{", "["):
            try:
                value = json.loads(text)
            except ValueError:
                pass
            else:
                after = self._value(value, field_name)
                return text if after == value else json.dumps(after, ensure_ascii=False)
        return self._plain(text, field_name)

    def _plain(self, text: str, under: str) -> str:
        if under == "url" and text in self._paths:
            return self._paths[text]
        if under in _PEOPLE:
            return self.by_old.get(text, text)
        if under == "subject":  # an entry of the audit trail, as an event
            return self.in_column("subject", text)
        return self._prose.sub(self._new_name, text) if under in _PROSE else text

    def _value(self, value: Any, under: str) -> Any:
        if isinstance(value, str):
            return self._plain(value, under)
        if isinstance(value, list):
            return [self._value(one, under) for one in value]
        if isinstance(value, dict):
            if under in _PEOPLE:  # an object about a person, or one keyed by people
                return {
                    self.by_old.get(name, name): self._value(one, under if name == "id" else name)
                    for name, one in value.items()
                }
            return {name: self._value(one, name) for name, one in value.items()}
        return value

    def _new_name(self, hit: re.Match[str]) -> str:
        return self.by_old[hit.group()]


def _inside(quoted: str) -> str:
    return quoted[1:-1]
