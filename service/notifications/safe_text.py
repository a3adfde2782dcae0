"""Text of a platform, made fit for a chat room or an e-mail: it pings nobody, links nowhere and formats nothing. PURE.

Ids of targets, names of authors and words of complaints are chosen by strangers. What would be a mention, a link or a
tag is written with other characters, since every service finds those in other places: even in plain text, without any
markup, an address becomes a link.
"""

from __future__ import annotations

import re
import unicodedata

_CUT = "…"
# Full width, so that they read the same and start no mention, tag or tag-like control sequence; a backtick would end
# the code span that an id stands in.
_INERT = str.maketrans({"@": "＠", "#": "＃", "~": "∼", "<": "‹", ">": "›", "`": "'"})
_SCHEME = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*):(?=//)|\b(mailto|tel|xmpp|magnet|data|javascript):")
_HOST_DOT = re.compile(r"(?<=[^\W_])([.。．｡])(?=[^\W\d_])")  # between the labels of a name; not in 1.5
_MARKUP = re.compile(r"([\\*_|\[\]()])")


def inert(text: str, most: int) -> str:
    """One line of at most about `most` characters, without invisible characters, mentions, tags and addresses.

    >>> inert("@everyone see http://evil.example/a", 80)
    '＠everyone see http[:]//evil[.]example/a'
    """
    line = " ".join("".join(_visible(character) for character in text).split())
    if len(line) > most:
        line = line[: most - 1].rstrip() + _CUT
    line = _SCHEME.sub(lambda found: f"{found[1] or found[2]}[:]", line.translate(_INERT))
    return _HOST_DOT.sub("[.]", line)


def without_markdown(text: str) -> str:
    """An inert text with Markdown's characters escaped, for Mattermost and Discord.

    >>> without_markdown("*9* of 10 _times_")
    '\\\\*9\\\\* of 10 \\\\_times\\\\_'
    """
    return _MARKUP.sub(r"\\\1", text)


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "  # a line break among them
    return "" if category[0] == "C" else character  # writing direction, zero width, private use
