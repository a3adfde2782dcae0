"""The command line: the commands of service/commands/ under one program.

Exit codes: 0 success, 1 the command failed (stderr says why), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from service.commands import (
    access,
    audits,
    daily_files,
    histories,
    mail,
    redis,
    running,
    single_sign_on,
    sources,
    tenants,
    trusted_flaggers,
    upkeep,
)
from service.commands.common import UsageError
from service.errors import BrigadewatchError, UnknownTenant

app = typer.Typer(
    name="brigadewatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
    help=(
        "Finds accounts that complain about content in a coordinated way, and counts how many people complained"
        " independently.\n\nStart with `brigadewatch demo`. To run the service, use `up` (everything on one machine)"
        " or `api`, `worker` and `clock` (one process each). Settings come from environment variables"
        " (docs/configuration.md). Give every command the same --data folder."
    ),
)
for commands in (running.commands, histories.commands, audits.commands, upkeep.commands):
    app.add_typer(commands)
for name, group in (
    ("tenants", tenants.tenants),
    ("keys", access.keys),
    ("users", access.users),
    ("sso", single_sign_on.sso),
    ("sources", sources.sources),
    ("mail", mail.mail),
    ("daily-files", daily_files.daily_files),
    ("policy", tenants.policy),
    ("trusted-flaggers", trusted_flaggers.trusted_flaggers),
    ("dead-letters", upkeep.dead_letters),
    ("redis", redis.redis),
    ("secrets", access.secret_keys),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command in sys.argv and exit."""
    os.umask(0o077)  # databases, exports, reports and logs hold people's ids: they are for who runs this
    try:
        app(args=histories.spread_outcomes(sys.argv[1:]))
    except (UnknownTenant, UsageError) as error:
        _fail(str(error), 2)
    except BrigadewatchError as error:
        _fail(str(error), 1)
    except Exception as error:
        if os.environ.get("BRIGADEWATCH_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        _fail(f"{type(error).__name__}: {error} (set BRIGADEWATCH_LOG_LEVEL=DEBUG to see the traceback)", 1)


def _fail(text: str, code: int) -> None:
    print(f"brigadewatch: {text}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
