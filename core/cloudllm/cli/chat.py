"""Starts a chat on whatever the standard streams are: a terminal, a dumb one, or pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from cloudllm import early
from cloudllm.cli.compose import Options
from cloudllm.errors import CloudLLMError


def chat(options: Options) -> int:
    """Hold a chat; gives the exit code, raises `CloudLLMError` for what ended it."""
    if options.plain or not early.can_paint():
        return _plain(options)
    terminal = options.terminal or early.EarlyTerminal.painted()
    try:
        return _on_terminal(options, terminal)
    finally:
        terminal.restore()


def _on_terminal(options: Options, terminal: early.EarlyTerminal) -> int:
    from cloudllm.repl import early_settings, loop  # noqa: PLC0415 - after the first paint

    settings = early_settings.read(_as_variables(options.flags))
    code, failure = loop.run(
        options.compose, options.flags, settings, terminal, opening=options.opening
    )
    if failure is not None:
        raise failure
    return code


def _plain(options: Options) -> int:
    from cloudllm.repl import plain  # noqa: PLC0415 - only here
    from cloudllm.repl.chat import Chat  # noqa: PLC0415 - only here

    if sys.stdin is None:
        raise CloudLLMError("standard input is closed", advice='Try: cloudllm ask "…"')
    asks = sys.stdin.isatty()
    opening = options.opening if asks else options.opening.named()
    return plain.converse(
        lambda screen: Chat(options.compose, options.flags, screen, opening=opening),
        sys.stdin.buffer,
        name="standard input",
        interactive=asks,
    )


def _as_variables(flags: Mapping[str, object]) -> dict[str, str]:
    """The environment, with what options say of `repl.*` on top, as variables."""
    given = {key: str(value) for key, value in flags.items() if key.startswith("repl.")}
    named = {f"CLOUDLLM_{key.replace('.', '__').upper()}": value for key, value in given.items()}
    return {**os.environ, **named}
