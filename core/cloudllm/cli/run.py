"""The command `run`: the REPL's own grammar from a file or pipe."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cloudllm.cli.compose import Options
from cloudllm.cli.options import chat_options
from cloudllm.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@chat_options
def run(options: Options, file: Path) -> None:
    r"""Run a conversation from FILE, or from standard input if it is -.

    Messages end with \end on a line of its own; a message's first line may be a /command.
    """
    from cloudllm.repl import plain  # noqa: PLC0415 - after the arguments are known
    from cloudllm.repl.chat import Chat  # noqa: PLC0415 - after the arguments are known
    from cloudllm.repl.plainscreen import PlainScreen  # noqa: PLC0415 - see above

    opening = options.opening.named()

    def chat(screen: PlainScreen) -> Chat:
        return Chat(options.compose, options.flags, screen, opening=opening)

    if str(file) == "-":
        if sys.stdin is None:
            raise UsageError("standard input is closed", advice="Name a file")
        name, lines = "standard input", sys.stdin.buffer
        click.get_current_context().exit(plain.converse(chat, lines, name=name, interactive=False))
    try:
        with file.open("rb") as lines:
            click.get_current_context().exit(
                plain.converse(chat, lines, name=str(file), interactive=False)
            )
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
