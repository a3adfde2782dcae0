"""Sphinx configuration of the documentation site: docs/ in Markdown, Furo as the theme, nothing loaded from elsewhere.

The pages stay plain Markdown that also reads well in a code browser. The table of contents is therefore written here
and added to docs/index.md and docs/decisions/index.md as they are read.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util import logging

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent

# Caption to pages. A page that is missing here fails the build (Sphinx: "document isn't included in any toctree").
NAVIGATION: dict[str, list[str]] = {
    "Use": ["audit", "console", "api", "integrations/README", "glossary"],
    "Operate": ["deploy", "configuration", "capacity", "runbook", "privacy", "threat-model", "chaos"],
    "Detection": ["detection", "real-events", "detection-first-worlds"],
    "Develop": ["architecture", "how-to/index", "versioning", "decisions/index"],
}
# Shorter names for pages whose own title is a sentence.
TITLES = {
    "integrations/README": "Integrations",
    "detection": "Detection",
    "real-events": "Real events",
    "detection-first-worlds": "Detection on the first worlds",
}
SUBPAGES = {
    "integrations/README": "integrations/*",
    "how-to/index": "how-to/*",
    "decisions/index": "decisions/0*",
}

OUTWARDS = re.compile(r"\]\((\.\./[^)#\s]+)(?:#[^)\s]*)?\)")  # a Markdown link to a relative path
log = logging.getLogger(__name__)

project = "brigadewatch"
release = re.findall(r'^__version__ = "(.+)"$', (ROOT / "service" / "__init__.py").read_text(), re.MULTILINE)[0]
html_title = f"brigadewatch {release}"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["site", "requirements.*"]
nitpicky = True

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
myst_enable_extensions = ["html_image"]  # <img width=...> of a page counts as a picture of it

html_theme = "furo"
html_static_path = ["static", str(ROOT / "build" / "mermaid")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_last_updated_fmt = None
pygments_style = "default"
pygments_dark_style = "monokai"


class Mermaid(Directive):
    """A diagram that the page's own copy of Mermaid draws; without scripts its source remains readable."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        source = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">\n{source}\n</pre>\n', format="html")]


def _add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Append the table of contents to the pages that carry one."""
    if page == "index":
        for caption, pages in NAVIGATION.items():
            present = [page for page in pages if (DOCS / f"{page}.md").exists()]
            source[0] += _toctree(f":caption: {caption}", *present)
    elif page in SUBPAGES:
        source[0] += _toctree(":glob:", SUBPAGES[page])


def _link_files(app: Sphinx, page: str, source: list[str]) -> None:
    """Offer files of the repository outside docs/ as downloads; a link to one that does not exist fails the build."""
    folder = (DOCS / page).parent

    def rewritten(link: re.Match[str]) -> str:
        file = (folder / link[1]).resolve()
        if file.is_relative_to(DOCS):
            return link[0]
        if not file.is_file():
            log.warning("%s links to %s, which is not a file of the repository", page, link[1])
        return f"](path:{link[1]})"

    source[0] = OUTWARDS.sub(rewritten, source[0])


def _toctree(option: str, *entries: str) -> str:
    return "\n".join(["", "", "```{toctree}", ":hidden:", option, "", *map(_entry, entries), "```", ""])


def _entry(page: str) -> str:
    return f"{TITLES[page]} </{page}>" if page in TITLES else f"/{page}"


def _add_mermaid(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load Mermaid on the pages that have a diagram, and only there: it is five megabytes."""
    if doctree is not None and 'class="mermaid"' in context.get("body", ""):
        app.add_js_file("mermaid.min.js", loading_method="defer")
        app.add_js_file("diagrams.js", loading_method="defer")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", _link_files)
    app.connect("source-read", _add_navigation)
    app.connect("html-page-context", _add_mermaid)
