"""The command `ask`: one turn."""

from __future__ import annotations

import sys

import click

from cloudllm.cli.compose import Options
from cloudllm.cli.options import chat_options
from cloudllm.errors import UsageError
from cloudllm.words import quoted


@click.command()
@click.argument("text", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one on each line.")
@chat_options
def ask(options: Options, *, text: tuple[str, ...], as_json: bool) -> None:
    """Ask one question; standard input, if it is not a terminal, is appended to it.

    The reply, and nothing else, goes to standard output. The exit code is 5 if it is not whole.
    """
    from cloudllm.repl import plain  # noqa: PLC0415 - after the arguments are known
    from cloudllm.repl.chat import Chat  # noqa: PLC0415 - after the arguments are known

    opening = options.opening.named()
    question = "\n\n".join(filter(str.strip, (" ".join(text), _standard_input())))
    if not question:
        raise _nothing_to_ask(opening.resume)
    click.get_current_context().exit(
        plain.ask(
            lambda screen: Chat(options.compose, options.flags, screen, opening=opening),
            question,
            as_json=as_json,
        )
    )


def _nothing_to_ask(name: str | None) -> UsageError:
    """The error; `name` is what stood behind --resume, which may have been meant as the question."""
    if name is not None:
        return UsageError(
            f"there is nothing to ask: {quoted(name)} is taken as the name behind --resume",
            advice='As in: cloudllm ask --resume NAME "And then?"',
        )
    return UsageError("there is nothing to ask", advice='As in: cloudllm ask "What is a monad?"')


def _standard_input() -> str:
    from cloudllm.repl.plain import decoded  # noqa: PLC0415 - after the arguments are known

    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return decoded(sys.stdin.buffer.read(), "standard input", 1).removesuffix("\n")
