"""What a window holds, as a short string that can be compared and logged."""

from __future__ import annotations

import hashlib

import numpy as np

from workers.detection.window import UNKNOWN_MS, Window


def window_digest(window: Window) -> str:
    """32 hexadecimal digits: the same for the same live complaints, in whatever order and numbers they came.

    Over seq, time, who, what, whose, and the counts kept for reporter and target. Not over contexts: a sweep may
    relabel those.
    """
    events = np.flatnonzero(~window.gone[: window.size])
    events = events[np.argsort(window.seq[events], kind="stable")]
    reporter, target, created = window.reporter[events], window.target[events], window.created[events]
    held = hashlib.blake2b(digest_size=16)
    for column in (
        window.seq[events],
        window.time[events] + window.origin,
        window.reporters.keys[reporter],
        window.targets.keys[target],
        window.authors.keys[window.author[events]],
        np.where(created == UNKNOWN_MS, UNKNOWN_MS, created + window.origin),
        window.fingerprint[events],
        window.exempt[events],
        window.degree[reporter],
        window.crowd[target],
    ):
        held.update(np.ascontiguousarray(column, np.int64).tobytes())
    for event in events[window.texted[events]].tolist():
        held.update(window.text[event])
    return held.hexdigest()
