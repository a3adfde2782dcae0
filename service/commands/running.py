"""Start the service: everything on this machine, or one process at a time."""

from __future__ import annotations

import shlex
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.common import (
    Data,
    Parent,
    address_of_redis,
    end_with,
    log_to_stderr,
    make_tenant_if_missing,
    prepared,
    say,
    settings_from,
    stores,
)

if TYPE_CHECKING:
    from service.settings import Settings

commands = typer.Typer()


class QueueName(StrEnum):
    """The queue that a worker serves; only one each, since RQ loses jobs of a worker on two queues."""

    INGEST = "ingest"
    DETECT = "detect"
    SWEEP = "sweep"
    DELIVER = "deliver"
    CHORES = "chores"


Host = Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all IPv4 interfaces.")]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        help="Port of the API; 0 for any free port. Default: 8000, or a free port if 8000 is in use.",
        show_default=False,
    ),
]
OpsPort = Annotated[
    int | None,
    typer.Option(
        "--ops-port",
        min=0,
        max=65535,
        help="Port of metrics and readiness, on loopback. Default: 8001, or a free port if 8001 is in use.",
        show_default=False,
    ),
]


@commands.command()
def demo(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Data folder to keep. Default: a temporary one.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the generated world; the same seed gives the same world.")
    ] = 7,
    complaints: Annotated[
        int,
        typer.Option(
            "--complaints",
            min=9_000,
            max=500_000,
            help="Approximate number of complaints in the world; in smaller worlds the campaigns would dominate.",
        ),
    ] = 25_000,
    ends: Annotated[
        bool, typer.Option("--exit", help="Stop after printing the results, instead of running until Ctrl-C.")
    ] = False,
) -> None:
    """Start everything on this machine, replay a generated world of 28 days, and print what was found.

    Takes about a minute. Example: `brigadewatch demo --seed 3 --exit`
    """
    from service.demo.show import run_demo

    raise typer.Exit(run_demo(data, seed=seed, complaints=complaints, stay=not ends))


@commands.command()
def up(host: Host = "127.0.0.1", port: Port = None, ops_port: OpsPort = None, data: Data = None) -> None:
    """Run everything on this machine until Ctrl-C: API, workers, clock and, without REDIS_URL, an embedded Valkey.

    Uses SQLite unless DATABASE_URL is set. Restarts processes that die. Creates the tenant `default`, but no API key
    and no console account.
    """
    from service.store_start import once_the_database_answers
    from service.supervisor import one_interrupt, running

    settings = settings_from(data)
    try:
        with one_interrupt():
            once_the_database_answers(lambda: _prepare_with_tenant(settings), say)
            with running(settings, host=host, port=port, ops_port=ops_port, say=say) as supervisor:
                data_option = "" if data is None else f" --data {shlex.quote(str(settings.data))}"
                say(f"API      {supervisor.addresses.api}  (documentation: {supervisor.addresses.api}/docs)")
                say(f"metrics  {supervisor.addresses.ops}/metrics")
                say(f"data     {settings.data}")
                say(f"console  {supervisor.addresses.api}/console")
                say("Create an API key:")
                say(f"  brigadewatch keys create --tenant default --scope ingest --scope read{data_option}")
                say("Create a console account:")
                say(f"  brigadewatch users create --tenant default --role admin NAME{data_option}")
                say("Press Ctrl-C to stop.")
                threading.Event().wait()
    except KeyboardInterrupt:
        say("stopped")


@commands.command()
def api(
    host: Host = "127.0.0.1",
    port: Port = None,
    ops_port: OpsPort = None,
    data: Data = None,
    parent: Parent = None,
    ops_host: Annotated[
        str,
        typer.Option(
            "--ops-host", help="Address of metrics and readiness; anything but loopback exposes them to the network."
        ),
    ] = "127.0.0.1",
    descriptor: Annotated[int | None, typer.Option("--socket", hidden=True)] = None,
    ops_descriptor: Annotated[int | None, typer.Option("--ops-socket", hidden=True)] = None,
) -> None:
    """Run only the API, for containers. Needs REDIS_URL."""
    import socket
    from contextlib import ExitStack
    from dataclasses import replace

    from service.liveness import forget_predecessor
    from service.serving import serve
    from service.store_start import agree_before_start
    from service.supervisor import API_LISTENER, OPS_LISTENER, Listener, listening

    settings = settings_from(data)
    log_to_stderr(settings, "api")
    end_with(parent)
    forget_predecessor(settings.alive_file)
    engine = prepared(settings, make_secret=False, answer_seconds=settings.database_timeout_seconds)
    settings = replace(settings, redis_url=address_of_redis(settings))
    agree_before_start(settings, engine, say)
    with ExitStack() as stack:

        def bound(number: int | None, on: str, given: int | None, listener: Listener) -> socket.socket:
            return stack.enter_context(
                socket.socket(fileno=number) if number is not None else listening(on, given, listener, say)
            )

        api_socket = bound(descriptor, host, port, API_LISTENER)
        ops_socket = bound(ops_descriptor, ops_host, ops_port, OPS_LISTENER)
        if descriptor is None:
            say(f"API on port {api_socket.getsockname()[1]}, metrics on port {ops_socket.getsockname()[1]}")
        serve(settings, engine, api_socket, ops_socket)


@commands.command()
def worker(
    queue: Annotated[QueueName, typer.Argument(help="The queue that this process serves.")],
    data: Data = None,
    parent: Parent = None,
) -> None:
    """Run one worker process, for containers. Needs REDIS_URL."""
    from workers.jobs import run_worker

    run_worker(queue.value, stores(data, parent, process=f"worker-{queue.value}", make_secret=False))


@commands.command()
def clock(data: Data = None, parent: Parent = None) -> None:
    """Run the clock, which schedules the workers' jobs, for containers. Needs REDIS_URL."""
    from workers.clock import run_clock

    resources = stores(data, parent, process="clock", make_secret=False)
    run_clock(resources, _ending_signals())


def _ending_signals() -> threading.Event:
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.set())
    return ending


def _prepare_with_tenant(settings: Settings) -> None:
    engine = prepared(settings)
    try:
        make_tenant_if_missing(engine, "default")
    finally:
        engine.dispose()
