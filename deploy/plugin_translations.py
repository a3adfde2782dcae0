"""The WordPress plugin's strings: collects them into the template that translators start from, and compiles what they
made of it into what WordPress reads.

    .venv/bin/python deploy/plugin_translations.py    writes languages/brigadewatch.pot, and brings what is new in it
                                                      into the translations

Collecting needs xgettext; compiling needs nothing, since a release is built on machines without gettext.
"""

from __future__ import annotations

import ast
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PLUGIN = Path(__file__).resolve().parent.parent / "clients" / "wordpress" / "brigadewatch"
TEMPLATE = "languages/brigadewatch.pot"
_KEYWORDS = ("__", "_e", "_n:1,2", "_x:1,2c", "_nx:1,2,4c", "esc_html__", "esc_html_e", "esc_attr__", "esc_attr_e")
_OUTPUT = ("--add-comments=translators", "--no-location", "--no-wrap", "--omit-header", "--output=-")
_HEADER_FIELDS = ("Plugin Name", "Description")  # WordPress shows them translated in the list of plugins
# Neither a date nor line numbers: the file changes when a string does.
_TEMPLATE_HEADER = r"""# The strings of brigadewatch, a plugin for WordPress: "make wordpress-strings" writes this file.
# Apache License 2.0, as the plugin.
msgid ""
msgstr ""
"Project-Id-Version: brigadewatch\n"
"Report-Msgid-Bugs-To: https://github.com/brigadewatch/brigadewatch/issues\n"
"Language: \n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"X-Domain: brigadewatch\n"

"""


class Entry(NamedTuple):
    """One string of a .po file. `originals` and `translations` have more than one member where there is a plural."""

    context: str | None
    originals: tuple[str, ...]
    translations: tuple[str, ...]
    fuzzy: bool


def template(plugin: Path) -> str:
    """The template: every string of the plugin, with what is said about it to translators."""
    files = sorted(path.relative_to(plugin).as_posix() for path in plugin.rglob("*.php"))
    keywords = ("--keyword", *(f"--keyword={one}" for one in _KEYWORDS))  # without those that xgettext has by default
    done = subprocess.run(
        ["xgettext", "--language=PHP", "--from-code=UTF-8", *keywords, *_OUTPUT, *files],
        cwd=plugin,
        capture_output=True,
        check=True,
    )
    source = (plugin / "brigadewatch.php").read_text("utf-8")
    header = ""
    for field in _HEADER_FIELDS:
        found = re.search(rf"^ \* {field}:\s+(.+)$", source, re.MULTILINE)
        if found is None:
            raise ValueError(f"brigadewatch.php has no header {field}")
        text = found[1].replace("\\", r"\\").replace('"', r"\"")
        header += f'#. {field} of the plugin\nmsgid "{text}"\nmsgstr ""\n\n'
    return _TEMPLATE_HEADER + header + done.stdout.decode("utf-8")


def parse(text: str) -> list[Entry]:
    """The entries of a .po file, its header first. Raises ValueError for a line that does not belong into one."""
    entries = []
    for block in re.split(r"\n\s*\n", text.strip()):
        fields: dict[str, str] = {}
        fuzzy, name = False, ""
        for line in block.splitlines():
            found = re.fullmatch(r'(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) )?(".*")', line)
            if found is None and not line.startswith("#"):
                raise ValueError(f"this line is not one of a .po file: {line}")
            if found is None:
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
                continue
            name = found[1] or name
            fields[name] = fields.get(name, "") + ast.literal_eval(found[2])
        if fields:
            originals = tuple(fields[name] for name in ("msgid", "msgid_plural") if name in fields)
            translations = tuple(fields[name] for name in sorted(fields) if name.startswith("msgstr"))
            entries.append(Entry(fields.get("msgctxt"), originals, translations, fuzzy))
    return entries


def compiled(text: str) -> bytes:
    """A .po file as .mo: the same bytes everywhere. Strings without a translation are left out."""
    pairs = sorted(
        (
            ("" if one.context is None else one.context + "\x04").encode() + "\0".join(one.originals).encode(),
            "\0".join(one.translations).encode(),
        )
        for one in parse(text)
        if all(one.translations) and not one.fuzzy
    )
    start = 28  # of the table of originals: behind the header
    position = start + 16 * len(pairs)
    tables, strings = b"", b""
    for side in range(2):
        for pair in pairs:
            tables += struct.pack("<2I", len(pair[side]), position + len(strings))
            strings += pair[side] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), start, start + 8 * len(pairs), 0, position)
    return header + tables + strings


def translations(plugin: Path) -> dict[str, bytes]:
    """The .mo files of a plugin, by their path in it."""
    return {
        path.with_suffix(".mo").relative_to(plugin).as_posix(): compiled(path.read_text("utf-8"))
        for path in sorted((plugin / "languages").glob("*.po"))
    }


if __name__ == "__main__":
    try:
        (PLUGIN / TEMPLATE).write_text(template(PLUGIN), "utf-8")
        for translated in sorted((PLUGIN / "languages").glob("*.po")):
            merged = ["msgmerge", "--quiet", "--update", "--backup=none", "--no-fuzzy-matching", "--no-wrap"]
            subprocess.run([*merged, translated, PLUGIN / TEMPLATE], capture_output=True, check=True)
    except FileNotFoundError as absent:
        sys.exit(f"{absent.filename} is missing (Debian: apt-get install gettext)")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed.cmd[0]} failed: {failed.stderr.decode(errors='replace')}")
