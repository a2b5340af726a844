"""A stand-in for a provider, to try a plugin by hand: `python -m cloudllm.testing.serve`.

It answers every request in any of the wire formats with the same text, and prints each as a line:
its path, then its body as JSON. It listens on the loopback interface only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import click

from cloudllm.testing.script import Received, Reply
from cloudllm.testing.server import WireServer


@click.command()
@click.option("--port", default=8765, show_default=True, help="Where it listens; 0 takes any.")
@click.option("--text", default="Hello from the wire.", show_default=True, help="What it answers.")
@click.option("--delay", default=0.0, help="Seconds before each word.")
def serve(port: int, text: str, delay: float) -> None:
    """Answer as a provider would, until Ctrl-C."""
    server = WireServer(port=port)
    server.default = _reply(Reply(text=text, delay=delay))
    try:
        server.start()
    except OSError as error:
        raise click.ClickException(f"port {port}: {error.strerror}") from None
    print(f"listening at {server.url}", flush=True)  # noqa: T201 - a program
    threading.Event().wait()


def _reply(reply: Reply) -> Callable[[Received], Reply]:
    def answer(request: Received) -> Reply:
        path = ascii(request.path)[1:-1]  # it may come from anybody
        print(path, json.dumps(dict(request.body)), flush=True)  # noqa: T201 - a program
        return reply

    return answer


if __name__ == "__main__":
    serve()
