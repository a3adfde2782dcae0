"""The labeler of docs/integrations/by-field-map.md, as it stands there, with atproto's own libraries."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from listening import answers, free_port
from loopback import Answer, Asked, Receiver, serving
from platforms.node_programs import INSTALLED, ROOT, ask, node
from up import end_with_the_tests

from service.intake.documents import Submission
from service.platforms import registry

LABELER = "did:web:labeler.example"
METHOD = "com.atproto.moderation.createReport"
SECRET = "secret of the hook"
(SECTION,) = re.findall(
    r"^## A Bluesky labeler\n(.*?)(?=^## )",
    (ROOT / "docs" / "integrations" / "by-field-map.md").read_text(),
    re.MULTILINE | re.DOTALL,
)


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    return str(found)


@contextmanager
def labeler(folder: Path, hook: str) -> Iterator[str]:
    # The library rightly asks nobody on this machine; the accounts of the tests live nowhere else.
    code = block("js")
    assert code.count("new IdResolver()") == 1
    (folder / "labeler.mjs").write_text(code.replace("new IdResolver()", "new IdResolver({ fetch })"))
    (folder / "node_modules").symlink_to(INSTALLED / "node_modules")
    port = free_port()
    given = {"LABELER_DID": LABELER, "BRIGADEWATCH_HOOK": hook, "HOOK_SECRET": SECRET, "PORT": str(port)}
    process = subprocess.Popen(
        [node(), str(folder / "labeler.mjs")], env={**os.environ, **given}, preexec_fn=end_with_the_tests
    )
    try:
        deadline = time.monotonic() + 30
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/xrpc/{METHOD}"
    finally:
        process.terminate()
        process.wait(20)


def reporter(documents: Receiver, *, aud: str = LABELER, lxm: str = METHOD) -> tuple[str, dict[str, str]]:
    """The DID of an account whose document is served there, and what its app sends along."""
    did = f"did:web:localhost%3A{documents.port}"
    made = ask("identity.mjs", {"did": did, "aud": aud, "lxm": lxm})
    key = {"id": f"{did}#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": made["key"]}
    document = {"id": did, "verificationMethod": [key]}
    documents.answer = lambda asked: Answer(
        200 if asked.path == "/.well-known/did.json" else 404,
        {"Content-Type": "application/json"},
        json.dumps(document).encode(),
    )
    return did, {"Authorization": f"Bearer {made['token']}"}


def test_a_report_is_verified_posted_and_becomes_a_complaint(tmp_path: Path) -> None:
    posts = Receiver()
    post = {"$type": "com.atproto.repo.strongRef", "uri": "at://did:plc:abc/app.bsky.feed.post/3k", "cid": "bafy"}
    account = {"$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:abc"}
    report: dict[str, Any] = {"reasonType": "com.atproto.moderation.defs#reasonSpam", "reason": "ads", "subject": post}
    with serving(Receiver()) as documents, serving(posts), labeler(tmp_path, f"{posts.url}/hook") as there:
        did, signed = reporter(documents)
        first = httpx.post(there, json=report, headers=signed, timeout=30)
        again = httpx.post(there, json=report, headers=signed, timeout=30)
        about_account = httpx.post(there, json={**report, "subject": account}, headers=signed, timeout=30)
        forged = httpx.post(there, json=report, headers={"Authorization": signed["Authorization"][:-8] + "AAAAAAAA"})
        unsigned = httpx.post(there, json=report)
        _, for_another = reporter(documents, aud="did:web:other.example")
        elsewhere = httpx.post(there, json=report, headers=for_another, timeout=30)
    assert first.status_code == 200, first.text
    assert first.json()["reportedBy"] == did and isinstance(first.json()["id"], int)
    assert again.json()["id"] == first.json()["id"] != about_account.json()["id"]
    assert {one.status_code for one in (forged, unsigned, elsewhere)} == {401}
    assert [one.headers["authorization"] for one in posts.asked] == [f"Bearer {SECRET}"] * 3
    mapping, now = json.loads(block("json")), datetime.now(UTC)
    registry.check("generic", SECRET, mapping)
    batch = Submission()
    for one in posts.asked:
        for item in registry.read("generic", json.loads(one.body), now, mapping).items:
            batch.add(item.read(now, batch.privacy_filter), item.noun)
    made = [json.loads(line[1:]) for line in batch.lines]
    assert batch.rejected == [] and len(made) == 3
    assert made[0]["target"] == {"id": post["uri"], "kind": "record", "author_id": "did:plc:abc"}
    assert made[2]["target"] == {"id": "did:plc:abc", "kind": "account", "author_id": "did:plc:abc"}
    assert made[0]["reporter"]["id"] == did and made[0]["text"] == "ads" and made[0]["id"] == made[1]["id"]


def test_what_cannot_be_stored_or_is_no_report_is_said(tmp_path: Path) -> None:
    def full(asked: Asked) -> Answer:
        return Answer(503)

    with serving(Receiver()) as documents, serving(Receiver(full)) as posts, labeler(tmp_path, posts.url) as there:
        _, signed = reporter(documents)
        report = {"reasonType": "x#y", "subject": {"did": "did:plc:abc"}}
        assert httpx.post(there, json=report, headers=signed, timeout=30).status_code == 503
        assert httpx.post(there, json={"reasonType": "x#y"}, headers=signed, timeout=30).status_code == 400
        assert httpx.post(there, content=b"{", headers=signed, timeout=30).status_code == 400
        assert httpx.post(there, content=b" " * 200_000, headers=signed, timeout=30).status_code == 413
        assert httpx.get(there).status_code == 501
