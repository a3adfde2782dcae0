"""The plugin's strings: all of them are in the template and in German, and a site that speaks German shows them."""

from __future__ import annotations

import gettext
import io
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wordpress.people import report
from wordpress.site import PLUGIN, Site

sys.path.insert(0, str(PLUGIN.parents[2] / "deploy"))

from plugin_translations import TEMPLATE, compiled, parse, template, translations

GERMAN = "languages/brigadewatch-de_DE.po"
NAME = f"{PLUGIN.name}/{PLUGIN.name}.php"
# As other plugins do: one asks for cron's intervals, and one changes a comment's status, earlier than init.
SPEAKS_GERMAN = r"""<?php
add_filter( 'locale', function () { return 'de_DE'; } );
add_action( 'plugins_loaded', function () {
    wp_get_schedules();
    if ( function_exists( 'Brigadewatch\\is_configured' ) ) {
        Brigadewatch\is_configured();
    }
}, 0 );
"""


def placeholders(text: str) -> Counter[str]:
    return Counter(re.findall(r"%(?:\d+\$)?[sd]", text))


def test_the_template_is_what_the_plugin_says() -> None:
    assert shutil.which("xgettext"), "make gettext installs what is missing here"
    assert template(PLUGIN) == (PLUGIN / TEMPLATE).read_text("utf-8"), "make wordpress-strings writes it anew"


def test_translators_are_told_what_each_placeholder_stands_for() -> None:
    blocks = (PLUGIN / TEMPLATE).read_text("utf-8").split("\n\n")
    unexplained = [block for block in blocks[1:] if placeholders(block) and "#. translators: " not in block]
    assert unexplained == []


def test_every_string_is_in_german_with_the_same_placeholders() -> None:
    _, *strings = parse((PLUGIN / TEMPLATE).read_text("utf-8"))
    _, *german = parse((PLUGIN / GERMAN).read_text("utf-8"))
    assert [one.originals for one in german] == [one.originals for one in strings] and len(german) > 100
    for one in german:
        assert all(one.translations) and not one.fuzzy, one
        assert len(one.translations) == len(one.originals), one
        for original, translation in zip(one.originals, one.translations, strict=True):
            assert placeholders(original) == placeholders(translation), one


def test_what_is_compiled_is_what_gettext_reads() -> None:
    catalogue = gettext.GNUTranslations(io.BytesIO(translations(PLUGIN)["languages/brigadewatch-de_DE.mo"]))
    _, *german = parse((PLUGIN / GERMAN).read_text("utf-8"))
    for one in german:
        if len(one.originals) == 1:
            assert catalogue.gettext(*one.originals) == one.translations[0]
        else:
            assert tuple(catalogue.ngettext(*one.originals, number) for number in (1, 2)) == one.translations
    escaped = compiled(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgctxt "verb"\nmsgid "say \\"a\\"\\n"\n"b"\nmsgstr "sag „ä“"\n\n'
        'msgid "open"\nmsgstr ""\n\n#, fuzzy\nmsgid "close"\nmsgstr "zu"\n'
    )
    catalogue = gettext.GNUTranslations(io.BytesIO(escaped))
    assert catalogue.pgettext("verb", 'say "a"\nb') == "sag „ä“"
    assert [catalogue.gettext(word) for word in ("open", "close")] == ["open", "close"]
    with pytest.raises(ValueError, match="not one of a .po file: nonsense"):
        compiled('msgid "a"\nnonsense')


@contextmanager
def in_german(site: Site, plugin: Path) -> Iterator[None]:
    """The site speaks German, with the plugin's translations as a release has them."""
    other = site.root / "wp-content" / "mu-plugins" / "a-german-site.php"
    for name, content in translations(PLUGIN).items():
        (plugin / name).write_bytes(content)
    other.write_text(SPEAKS_GERMAN)
    try:
        yield
    finally:
        other.unlink()
        for name in translations(PLUGIN):
            (plugin / name).unlink()


def look_for_german(site: Site) -> None:
    """Visit what readers and administrators see."""
    post = site.post()
    (comment,) = site.comments(post)
    page = site.browser().get(f"/?p={post}").text
    assert ">Melden</a>" in page and r"Schlie\u00dfen" in page
    form = site.browser().get("/", params={"brigadewatch-report": str(comment)}).text
    assert "Warum sollte sich die Moderation diesen Kommentar ansehen?" in form and "Nicht zum Thema" in form
    assert '<html lang="de-DE"' in form
    assert "Danke. Deine Meldung ist eingegangen." in report(site, comment).text
    editor = site.signed_in()
    settings = editor.get("/wp-admin/options-general.php?page=brigadewatch").text
    assert "Unter jedem Kommentar erscheint ein Melde-Button." in settings and ">Schwelle</label>" in settings
    site.settings()
    settings = editor.get("/wp-admin/options-general.php?page=brigadewatch").text
    assert "Melde-Buttons gibt es erst, wenn unten alles eingestellt ist:" in settings


def test_a_german_site_speaks_german(site: Site) -> None:
    with in_german(site, site.root / "wp-content" / "plugins" / PLUGIN.name):
        look_for_german(site)
        listed = site.signed_in().get(f"/wp-admin/{'network/' if site.multisite else ''}plugins.php").text
        assert "Ein Melde-Button unter jedem Kommentar." in listed


def test_a_german_site_speaks_german_with_a_must_use_plugin(site: Site) -> None:
    folder = site.root / "wp-content" / "mu-plugins"
    site.php("tests_deactivate( $name );", name=NAME)
    shutil.copytree(PLUGIN, folder / "brigadewatch")
    (folder / "brigadewatch.php").write_text("<?php require_once __DIR__ . '/brigadewatch/brigadewatch.php';\n")
    try:
        with in_german(site, folder / "brigadewatch"):
            look_for_german(site)
    finally:
        shutil.rmtree(folder / "brigadewatch")
        (folder / "brigadewatch.php").unlink()
        site.php("tests_activate( $name );", name=NAME)


def test_why_there_is_no_answer_is_said_in_the_language_of_who_looks(site: Site) -> None:
    site.settings(url="http://127.0.0.1:9", key="k", when_unreachable="closed", threshold=1, timeout=0.3)
    for comment in site.comments(site.post(), 2):  # the first one's request fails, and the second waits for a while
        report(site, comment)
    listed = site.signed_in().get("/wp-admin/edit-comments.php?brigadewatch=waiting").text
    assert listed.count("brigadewatch did not answer a moment ago") == 1
    with in_german(site, site.root / "wp-content" / "plugins" / PLUGIN.name):
        listed = site.signed_in().get("/wp-admin/edit-comments.php?brigadewatch=waiting").text
        assert listed.count("brigadewatch hat gerade eben nicht geantwortet") == 1
