"""The console script: paints first, then imports."""

from __future__ import annotations

import gc
import os
import sys

from cloudllm import __version__, early

_WITH_VALUE = {"-m", "--model", "-s", "--system", "-o", "--env-file"}
_ALONE = {"--no-plugins", "-c", "--continue", "--private"}
_PERHAPS_WITH_VALUE = {"-r", "--resume"}
_JOINED = ("--model=", "--system=", "--resume=")


def main() -> None:
    """Run the program and leave at once: an interpreter with litellm takes most of a second to."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        print(f"cloudllm {__version__}")  # noqa: T201 - the fastest way there is
        return
    code = _guarded(arguments)
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):  # it is closed, full, or there never was one
        code = code or 1
    from contextlib import suppress  # noqa: PLC0415 - after the first paint

    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def _guarded(arguments: list[str]) -> int:
    """Run; whatever goes wrong becomes one line and an exit code."""
    if sys.stdout is None:
        return _fail("standard output is closed; nothing can be shown", 1)
    terminal = early.EarlyTerminal() if _starts_chat(arguments) and early.can_paint() else None
    try:
        return _run(arguments, terminal)
    except KeyboardInterrupt:
        return 130
    except SystemExit as leave:
        if leave.code is None or isinstance(leave.code, int):
            return leave.code or 0
        return _show(str(leave.code), 1)
    finally:
        if terminal is not None:
            terminal.restore()


def _run(arguments: list[str], terminal: early.EarlyTerminal | None) -> int:
    gc.disable()  # collections during the imports cost a fifth of the start
    try:
        if terminal is not None:
            terminal.paint()
        if not arguments:
            from cloudllm.cli.chat import chat  # noqa: PLC0415 - after the first paint
            from cloudllm.cli.compose import Options  # noqa: PLC0415 - after the first paint

            return chat(Options(terminal=terminal))
        from cloudllm.cli.root import run  # noqa: PLC0415 - after the first paint

        return run(arguments, terminal)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a person gets one line, whatever went wrong
        from cloudllm.repl.lines import one_line  # noqa: PLC0415 - only for an error

        if terminal is not None:
            terminal.unpaint()
        shown = one_line(error)
        return _fail(str(shown), shown.exit_code)


def _starts_chat(arguments: list[str]) -> bool:
    """Do these arguments start a chat, as far as can be told without parsing them?"""
    value = perhaps = False
    for argument in arguments:
        is_option = len(argument) > 1 and argument.startswith("-")
        if value or (perhaps and not is_option):
            value = perhaps = False
            continue
        value, perhaps = argument in _WITH_VALUE, argument in _PERHAPS_WITH_VALUE
        if not (value or perhaps or argument in _ALONE or argument.startswith(_JOINED)):
            return False
    return True


def _fail(message: str, code: int) -> int:
    return _show("\n".join(f"cloudllm: {line}" for line in message.splitlines()), code)


def _show(text: str, code: int) -> int:
    """Write to standard error, past what a plugin that is still at work prints into; gives `code`."""
    from contextlib import suppress  # noqa: PLC0415 - only for an error

    from cloudllm import streams  # noqa: PLC0415 - only for an error
    from cloudllm.repl.render.sanitize import clean  # noqa: PLC0415 - only for an error

    with suppress(OSError, ValueError):
        print(clean(text), file=streams.err(), flush=True)
    return code


if __name__ == "__main__":
    main()
