"""The command `ask`: one turn."""

from __future__ import annotations

import sys

import click

from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.errors import UsageError


@click.command()
@click.argument("text", nargs=-1)
@shared_options
def ask(options: Options, text: tuple[str, ...]) -> None:
    """Ask one question; standard input, if it is not a terminal, is appended to it.

    The reply, and nothing else, goes to standard output.
    """
    from cloudllm.repl import plain  # noqa: PLC0415 - after the arguments are known
    from cloudllm.repl.chat import Chat  # noqa: PLC0415 - after the arguments are known

    question = "\n\n".join(filter(str.strip, (" ".join(text), _standard_input())))
    if not question:
        raise UsageError("there is nothing to ask", advice='As in: cloudllm ask "What is a monad?"')
    click.get_current_context().exit(
        plain.ask(lambda screen: Chat(options.compose, options.flags, screen), question)
    )


def _standard_input() -> str:
    from cloudllm.repl.plain import decoded  # noqa: PLC0415 - after the arguments are known

    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return decoded(sys.stdin.buffer.read(), "standard input", 1).removesuffix("\n")
