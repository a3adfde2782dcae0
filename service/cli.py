"""The command line, put together (service/commands/).

Exit codes: 0 done, 1 the run failed (why, on stderr), 2 wrong usage.
"""

from __future__ import annotations

import os
import sys

import typer

from service.commands import access, histories, running, sources, tenants, upkeep
from service.commands.common import UsageError
from service.errors import BrigadewatchError, UnknownTenant

app = typer.Typer(
    name="brigadewatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
    help=(
        "Tells coordinated complaining from honest outrage, and counts how many people complained"
        " independently.\n\nStart with `brigadewatch demo`. In production: `up` (everything on one machine) or `api`,"
        " `worker` and `clock` (one process each). Settings come from the environment (README, Configuration); --data"
        " is the same folder for every command."
    ),
)
for commands in (running.commands, histories.commands, upkeep.commands):
    app.add_typer(commands)
for name, group in (
    ("tenants", tenants.tenants),
    ("keys", access.keys),
    ("users", access.users),
    ("sources", sources.sources),
    ("policy", tenants.policy),
    ("dead-letters", upkeep.dead_letters),
    ("secrets", access.secret_keys),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command line of this process and exit."""
    try:
        app(args=histories.spread_outcomes(sys.argv[1:]))
    except (UnknownTenant, UsageError) as error:
        _fail(str(error), 2)
    except BrigadewatchError as error:
        _fail(str(error), 1)
    except Exception as error:
        if os.environ.get("BRIGADEWATCH_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        _fail(f"{type(error).__name__}: {error} (BRIGADEWATCH_LOG_LEVEL=DEBUG shows where)", 1)


def _fail(text: str, code: int) -> None:
    print(f"brigadewatch: {text}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
