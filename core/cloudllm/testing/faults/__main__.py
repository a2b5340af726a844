"""The fault server, to try a program by hand: `python -m cloudllm.testing.faults`.

It prints where it listens, and serves until Ctrl-C, on the loopback interface only.
"""

from __future__ import annotations

import threading

import click

from cloudllm.testing.faults.server import FaultServer
from cloudllm.testing.faults.table import FAULTS


@click.command()
@click.option("--port", default=8766, show_default=True, help="Where it listens; 0 takes any.")
@click.option("--list", "listing", is_flag=True, help="Print what there is, and leave.")
def serve(port: int, *, listing: bool) -> None:
    """Misbehave as the model's name says: as fault-ID."""
    if listing:
        for fault in FAULTS:
            click.echo(f"{fault.model}\t{fault.outcome}\t{fault.what}")
        return
    server = FaultServer(port=port)
    try:
        server.start()
    except OSError as error:
        raise click.ClickException(f"port {port}: {error.strerror}") from None
    click.echo(f"listening at {server.url}")
    threading.Event().wait()


if __name__ == "__main__":
    serve()
