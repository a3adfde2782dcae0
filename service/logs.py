"""Logs without what opens doors: the ids of sources, which are the ends of the paths that platforms post to.

The form of every process' log, so that an access log, a traceback or a library's own message cannot leak one either.
"""

from __future__ import annotations

import logging
import re
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_SOURCE = re.compile(r"(/v1/webhooks/[^/\s\"'?#]{1,40}/)[^/\s\"'?#]+|(/v1/sources/)[^/\s\"'?#]+|([?&]cursor=)[^&\s\"']+|src_[0-9a-zA-Z]+")


def redacted(text: str) -> str:
    """The text with every source id, and whatever else stands at the end of such a path (or in a cursor, which may hold one), replaced by a sign."""
    return _SOURCE.sub(lambda match: f"{match[1] or match[2] or match[3] or 'src_'}…", text)


class RedactingFormatter(logging.Formatter):
    """Formats a record whole, traceback included, and then redacts it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return redacted(super().format(record))


def configure(level: str, form: str = FORMAT) -> None:
    """Log to stderr from `level` on. Raises ValueError for a level that there is not."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(form))
    logging.basicConfig(level=level.upper(), handlers=[handler])
