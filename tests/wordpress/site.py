"""A real WordPress, installed over HTTP, with the plugin; its readers and its moderators, who use it over HTTP."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from wordpress.servers import BuiltIn, Database, Nginx, php_options

PLUGIN = Path(__file__).parents[2] / "clients" / "wordpress" / "brigadewatch"
ADMIN, PASSWORD = "editor-in-chief", "a password of the tests"
_SECONDS = 60.0

_CONFIG = """<?php
define( 'DB_NAME', {name} );
define( 'DB_USER', 'wp' );
define( 'DB_PASSWORD', 'wp' );
define( 'DB_HOST', {host} );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $name ) {{
    define( $name . '_KEY', md5( $name ) );
    define( $name . '_SALT', md5( "salt of $name" ) );
}}
$table_prefix = 'wp_';
define( 'WP_ENVIRONMENT_TYPE', 'local' );  // application passwords without TLS
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'WP_DEBUG_LOG', {log} );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1' );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'DISABLE_WP_CRON', true );  // it runs when the tests ask for it
{more}
if ( ! defined( 'ABSPATH' ) ) {{
    define( 'ABSPATH', __DIR__ . '/' );
}}
require_once ABSPATH . 'wp-settings.php';
"""

# Of WordPress itself, on a newer PHP than its makers had.
_OF_CORE = re.compile(r".*PHP Deprecated: .*/wp-(includes|admin)/ms.*\n")


def php_value(value: object) -> str:
    """A value of Python as PHP writes it."""
    return f"json_decode( base64_decode( '{_base64(json.dumps(value))}' ), true )"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class Site:
    """One site. `constants` stand in wp-config.php; `must_use`: the plugin is in mu-plugins before it is installed."""

    folder: Path
    core: Path
    database: Database
    name: str
    server: type[BuiltIn] | type[Nginx] = BuiltIn
    multisite: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    must_use: bool = False

    def __post_init__(self) -> None:
        self.root = self.folder / "site"
        self._browsers: list[httpx.Client] = []
        self.debug_log = self.folder / "debug.log"
        self.folder.chmod(0o755)
        shutil.copytree(self.core, self.root, symlinks=False)
        (self.root / "wp-content" / "mu-plugins").mkdir(exist_ok=True)
        shutil.copy(Path(__file__).with_name("tests.php"), self.root / "wp-content" / "mu-plugins")
        if self.must_use:
            self.put_into_must_use()
        self.database.run(f"CREATE DATABASE {self.name}")
        self._configure("define( 'WP_ALLOW_MULTISITE', true );" if self.multisite else "")
        self.running = self.server(self.root, self.folder, multisite=self.multisite)
        self.url = f"http://127.0.0.1:{self.running.port}"
        self._install()

    def _configure(self, more: str) -> None:
        constants = "".join(f"define( '{name}', {php_value(value)} );\n" for name, value in self.constants.items())
        config = _CONFIG.format(
            name=php_value(self.name),
            host=php_value(f"localhost:{self.database.socket}"),
            log=php_value(str(self.debug_log)),
            more=constants + more,
        )
        (self.root / "wp-config.php").write_text(config)

    def _install(self) -> None:
        answer = httpx.post(
            f"{self.url}/wp-admin/install.php?step=2",
            data={
                "weblog_title": "The News",
                "user_name": ADMIN,
                "admin_password": PASSWORD,
                "admin_password2": PASSWORD,
                "pw_weak": "1",
                "admin_email": "editor@example.org",
                "blog_public": "0",
            },
            timeout=_SECONDS,
        )
        assert answer.status_code == 200 and "wp-login.php" in answer.text, answer.text[-2_000:]
        if self.multisite:
            self.php("return tests_make_network();")
            domain = f"127.0.0.1:{self.running.port}"
            network = {
                "MULTISITE": True,
                "SUBDOMAIN_INSTALL": False,
                "DOMAIN_CURRENT_SITE": domain,
                "PATH_CURRENT_SITE": "/",
                "SITE_ID_CURRENT_SITE": 1,
                "BLOG_ID_CURRENT_SITE": 1,
            }
            self._configure("".join(f"define( '{name}', {php_value(value)} );\n" for name, value in network.items()))
            self.database.run(
                f"UPDATE wp_site SET domain='{domain}'; UPDATE wp_blogs SET domain='{domain}'",
                self.name,
            )
        self.php("flush_rewrite_rules();")
        self.log_of_installing = self.log()
        self.debug_log.unlink(missing_ok=True)  # WordPress complains while it has no tables

    def end(self) -> None:
        """Stop its server."""
        self.running.end()

    def php(self, code: str, **values: Any) -> Any:
        """What PHP code returns, run inside this WordPress, outside of any request."""
        given = "".join(f"${name} = {php_value(value)};" for name, value in values.items())
        script = (
            "error_reporting( E_ALL ); ini_set( 'display_errors', 'stderr' );"
            f"$_SERVER['HTTP_HOST'] = '127.0.0.1:{self.running.port}'; $_SERVER['REQUEST_URI'] = '/';"
            "$_SERVER['REMOTE_ADDR'] = '127.0.0.1';"
            f"require {php_value(str(self.root / 'wp-load.php'))};"
            f'$result = ( function () {{ {given} {code} }} )(); echo "\\n=>" . wp_json_encode( $result );'
        )
        done = subprocess.run(
            ["php", *php_options(self.folder), "-r", script],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0 and "\n=>" in done.stdout, done.stderr + done.stdout
        return json.loads(done.stdout.rpartition("\n=>")[2])

    def put_into_must_use(self) -> None:
        """The plugin as a must-use plugin."""
        folder = self.root / "wp-content" / "mu-plugins"
        shutil.copytree(PLUGIN, folder / PLUGIN.name)
        (folder / f"{PLUGIN.name}.php").write_text(
            f"<?php require_once __DIR__ . '/{PLUGIN.name}/{PLUGIN.name}.php';\n"
        )

    def activate(self, plugin: Path = PLUGIN) -> None:
        """Put the plugin where an administrator's upload would put it, and activate it."""
        shutil.copytree(plugin, self.root / "wp-content" / "plugins" / plugin.name)
        failed = self.php("return tests_activate( $name );", name=f"{plugin.name}/{plugin.name}.php")
        assert failed is None, failed

    def settings(self, **values: Any) -> None:
        """Settings as the page stores them, in place of those before."""
        self.php("update_option( 'brigadewatch', $values );", values=values)

    def start_over(self) -> None:
        """No reports, no queue, no letters, and a service that nobody is at."""
        nobody = {"url": "http://127.0.0.1:9", "key": "bw_nobody", "when_unreachable": "closed", "timeout": 0.3}
        self.php("tests_start_over( $settings );", settings=nobody)
        self.debug_log.unlink(missing_ok=True)
        for letter in (self.folder / "mail").iterdir():
            letter.unlink()

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of one of the plugin's tables: reports, comments or queue."""
        found: list[dict[str, Any]] = self.php("return tests_rows( $name );", name=name)
        return found

    def set_all(self, table: str, column: str, value: object) -> None:
        """A column of one of the plugin's tables, in all its rows."""
        self.php("tests_set( $table, $column, $value );", table=table, column=column, value=value)

    def queued(self, kind: str) -> list[dict[str, Any]]:
        """The documents that wait to be sent: complaints or outcomes."""
        return [json.loads(row["line"]) for row in self.table("queue") if row["kind"] == kind]

    def target(self, comment: int) -> str:
        """The id under which brigadewatch knows the comment."""
        return f"1-{comment}" if self.multisite else str(comment)

    def user(self, name: str, role: str = "subscriber", registered: str = "2025-01-01 10:00:00") -> int:
        """A user with the password of the tests."""
        values = {"name": name, "password": PASSWORD, "role": role, "registered": registered}
        made = self.php("return tests_user( $name, $password, $role, $registered );", **values)
        assert isinstance(made, int), made
        return made

    def post(self, title: str = "An article", author: int = 1) -> int:
        """A published post."""
        return int(self.php("return tests_post( $title, $author );", title=title, author=author))

    def comments(self, post: int, count: int = 1, **values: Any) -> list[int]:
        """So many visible comments under a post, by a guest unless told otherwise."""
        found: list[int] = self.php(
            "return tests_comments( $post, $count, $values );", post=post, count=count, values=values
        )
        return found

    def status(self, comment: int) -> str:
        """'1' visible, '0' held for moderation, 'spam', 'trash'."""
        return self.database.run(
            f"SELECT comment_approved FROM wp_comments WHERE comment_ID = {comment}", self.name
        ).strip()

    def cron(self) -> None:
        """What a system's cron does each minute; every event of the plugin counts as due."""
        self.php("tests_events_are_due();")
        before = self._cron_runs()
        answer = httpx.get(f"{self.url}/wp-cron.php?doing_wp_cron", timeout=_SECONDS)
        assert answer.status_code == 200, answer.text
        deadline = time.monotonic() + _SECONDS
        while self._cron_runs() == before:  # behind nginx it goes on after its answer
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def _cron_runs(self) -> str:
        return self.database.run("SELECT option_value FROM wp_options WHERE option_name = 'tests_cron_runs'", self.name)

    def log(self) -> str:
        """What PHP complained about."""
        return _OF_CORE.sub("", self.debug_log.read_text()) if self.debug_log.exists() else ""

    def letters(self, words: str, count: int = 1) -> list[str]:
        """The mails with these words, once there are so many: behind nginx they are sent after the page."""
        deadline = time.monotonic() + _SECONDS
        while True:
            texts = [path.read_text() for path in (self.folder / "mail").iterdir()]
            found = [text for text in texts if words in text]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, texts
            time.sleep(0.05)

    def browser(self, address: str = "198.51.100.1", agent: str = "Browser/1", **more: Any) -> httpx.Client:
        """A browser at an address, with cookies of its own."""
        made = httpx.Client(
            base_url=self.url,
            headers={"X-Test-IP": address, "User-Agent": agent},
            follow_redirects=True,
            timeout=_SECONDS,
            **more,
        )
        self._browsers.append(made)
        return made

    def close_browsers(self) -> None:
        """Close what browser() made."""
        while self._browsers:
            self._browsers.pop().close()

    def signed_in(self, name: str = ADMIN, **who: Any) -> httpx.Client:
        """A browser in which somebody has signed in."""
        browser = self.browser(**who)
        browser.get("/wp-login.php")
        answer = browser.post(
            "/wp-login.php", data={"log": name, "pwd": PASSWORD, "wp-submit": "Log In", "testcookie": "1"}
        )
        assert any(cookie.startswith("wordpress_logged_in") for cookie in browser.cookies), answer.text[-2_000:]
        return browser


def fields_of(page: str, action: str) -> dict[str, str]:
    """The fields of the form on a page whose text contains `action`, with their values."""
    form = next(found for found in re.findall(r"<form.*?</form>", page, re.DOTALL) if action in found)
    inputs = [
        {name: double or single for name, double, single in re.findall(r"""([\w-]+)=(?:"([^"]*)"|'([^']*)')""", tag)}
        for tag in re.findall(r"<input[^>]*>", form)
    ]
    return {html.unescape(found["name"]): html.unescape(found.get("value", "")) for found in inputs if "name" in found}
