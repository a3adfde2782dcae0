"""The servers below a WordPress of the tests: MariaDB, and PHP behind its own server or behind nginx."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from listening import answers, free_port
from up import end_with_the_tests
from wordpress.programs import php_fpm

WORKERS = 6  # requests at the same time
_SECONDS = 60.0

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log; worker_processes 1;
{user}
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types; access_log off;
    client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/fastcgi; proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    set_real_ip_from 127.0.0.1; real_ip_header X-Test-IP;
    server {{
        listen 127.0.0.1:{port}; root {site}; index index.php;
        {multisite}
        location / {{ try_files $uri $uri/ /index.php?$args; }}
        location ~ \\.php$ {{
            fastcgi_pass unix:{folder}/fpm.sock; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            include /etc/nginx/fastcgi_params; fastcgi_param HTTP_HOST $http_host;
        }}
    }}
}}
"""
_MULTISITE = """
        if (!-e $request_filename) {
            rewrite ^(/[^/]+)?(/wp-.*) $2 last;
            rewrite ^(/[^/]+)?(/.*\\.php) $2 last;
        }
"""
_FPM = """
[global]
error_log = {folder}/fpm-error.log
daemonize = no
[www]
{user}
listen = {folder}/fpm.sock
pm = static
pm.max_children = {workers}
php_admin_value[sendmail_path] = {mail}
catch_workers_output = yes
"""


def until(holds: Callable[[], bool], of: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it holds; fails with the log when the process ends or the time does."""
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert of.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2_000:]
        time.sleep(0.05)


class Process:
    """One server in a process group of its own."""

    def __init__(self, log: Path, *words: str, **variables: str) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                words,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env=dict(os.environ) | variables,
                start_new_session=True,
                preexec_fn=end_with_the_tests,
            )

    def end(self) -> None:
        """Stop it, and what it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Database(Process):
    """A MariaDB on a socket."""

    def __init__(self, folder: Path) -> None:
        data, log, temporary = folder / "data", folder / "mariadb.log", folder / "temporary"
        temporary.mkdir()  # a server that starts removes every other's temporary tables where they share a folder
        self.socket = Path(f"/tmp/bw-wp-{os.getpid()}-{os.urandom(3).hex()}.sock")  # a socket's path has 107 bytes
        user = getpass.getuser()
        with log.open("wb") as file:
            installed = subprocess.run(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--user={user}",
                    f"--datadir={data}",
                    f"--tmpdir={temporary}",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ],
                stdout=file,
                stderr=file,
            )
        assert installed.returncode == 0, log.read_text()
        super().__init__(
            log,
            shutil.which("mariadbd") or "mariadbd",
            "--no-defaults",
            f"--user={user}",
            f"--datadir={data}",
            f"--tmpdir={temporary}",
            f"--socket={self.socket}",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=0",  # the data is of no worth after the tests
            "--innodb-buffer-pool-size=64M",
        )
        until(self._answers, self.process, log)
        self.run("CREATE USER wp@localhost IDENTIFIED BY 'wp'; GRANT ALL ON *.* TO wp@localhost")

    def _answers(self) -> bool:
        asked = ["mariadb-admin", "--no-defaults", "-S", str(self.socket), "-u", "root", "ping"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def run(self, sql: str, database: str = "") -> str:
        """What statements give, tabs between the columns."""
        words = [
            "mariadb",
            "--no-defaults",
            "-S",
            str(self.socket),
            "-u",
            "root",
            "-N",
            "-B",
            *([database] * bool(database)),
        ]
        done = subprocess.run(words, input=sql, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


class BuiltIn(Process):
    """PHP's own server: a request is answered when the whole script has ended."""

    def __init__(self, site: Path, folder: Path, *, multisite: bool) -> None:
        self.port = free_port()
        super().__init__(
            folder / "server.log",
            "php",
            *php_options(folder),
            *("-S", f"127.0.0.1:{self.port}", "-t", str(site), str(Path(__file__).with_name("router.php"))),
            PHP_CLI_SERVER_WORKERS=str(WORKERS),
            WORDPRESS_TESTS_MULTISITE="1" if multisite else "",
        )
        until(lambda: answers(self.port), self.process, self.log)


class Nginx(Process):
    """nginx before PHP-FPM, as newspapers have it: a script may go on after its answer."""

    def __init__(self, site: Path, folder: Path, *, multisite: bool) -> None:
        self.port = free_port()
        root, user = os.geteuid() == 0, getpass.getuser()
        values = {"folder": folder, "site": site, "port": self.port, "workers": WORKERS, "mail": mail_to(folder)}
        (folder / "fpm.conf").write_text(
            _FPM.format(**values, user=f"user = {user}\nlisten.owner = {user}" if root else "")
        )
        (folder / "nginx.conf").write_text(
            _NGINX.format(**values, user=f"user {user};" if root else "", multisite=_MULTISITE if multisite else "")
        )
        program = php_fpm()
        assert program
        self._fpm = Process(
            folder / "fpm.log", program, "-F", *(["-R"] if root else []), "-y", str(folder / "fpm.conf")
        )
        until((folder / "fpm.sock").exists, self._fpm.process, self._fpm.log)
        super().__init__(folder / "server.log", "nginx", "-c", str(folder / "nginx.conf"))
        until(lambda: answers(self.port), self.process, self.log)

    def end(self) -> None:
        """Stop both."""
        super().end()
        self._fpm.end()


def php_options(folder: Path) -> list[str]:
    """For the program php: mail is kept, and compiled scripts are shared: WordPress has a thousand files."""
    compiled = folder.parent / "compiled"
    compiled.mkdir(exist_ok=True)
    values = {
        "sendmail_path": mail_to(folder),
        "opcache.enable_cli": "1",
        "opcache.revalidate_freq": "0",
        "opcache.file_cache": str(compiled),
    }
    return [word for name, value in values.items() for word in ("-d", f"{name}={value}")]


def mail_to(folder: Path) -> str:
    """A program for PHP's mail(), which keeps each letter as a file in `folder`/mail."""
    (folder / "mail").mkdir(exist_ok=True)
    program = folder / "keep-mail"
    program.write_text(f'#!/bin/sh\ncat > "$(mktemp {folder}/mail/XXXXXXXX)"\n')
    program.chmod(0o755)
    return str(program)
