"""The options that every command takes, before its name or after it, and those of a chat."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cloudllm.cli.compose import Options
from cloudllm.repl.opening import Opening

_SHARED = {
    "model": click.option(
        "-m", "--model", metavar="ID", help="PROVIDER/MODEL, an alias, or a provider."
    ),
    "system": click.option("-s", "--system", metavar="TEXT", help="The system prompt."),
    "settings": click.option(
        "-o", "settings", metavar="KEY=VALUE", multiple=True, help="Any setting."
    ),
    "plain": click.option(
        "--plain", is_flag=True, help="Text that only grows: no cursor movement."
    ),
    "no_plugins": click.option("--no-plugins", is_flag=True, help="Load no third-party plugin."),
    "env_file": click.option(
        "--env-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read variables from this file; none is read by itself.",
    ),
}
_OPENING = {
    "go_on": click.option(
        "-c",
        "--continue",
        "go_on",
        is_flag=True,
        help="Go on with this folder's last conversation.",
    ),
    "resume": click.option(
        "-r",
        "--resume",
        metavar="[NAME]",
        is_flag=False,
        flag_value="",
        help="Go on with a conversation: its ID or its title. A chat lets you choose.",
    ),
    "private": click.option("--private", is_flag=True, help="Keep nothing of it on the disk."),
}
_Options = dict[str, Callable[..., Any]]


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options; it is called with `Options` as its first argument."""
    return _taking(command, _SHARED)


def chat_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that holds a chat, with the options for how the chat begins."""
    return _taking(command, {**_SHARED, **_OPENING})


def _taking(command: Callable[..., Any], options: _Options) -> Callable[..., Any]:
    @wraps(command)
    @click.pass_context
    def wrapper(
        ctx: click.Context,
        /,
        **given: Any,  # noqa: ANN401 - whatever the command declares
    ) -> Any:  # noqa: ANN401 - whatever the command gives
        shared = {name: given.pop(name) for name in options}
        ctx.obj = with_options(ctx.find_object(Options), **shared)
        return command(ctx.obj, **given)

    for option in reversed(options.values()):
        wrapper = option(wrapper)
    return wrapper


def with_options(
    before: Options | None,
    *,
    model: str | None = None,
    system: str | None = None,
    settings: tuple[str, ...] = (),
    plain: bool = False,
    no_plugins: bool = False,
    env_file: Path | None = None,
    go_on: bool = False,
    resume: str | None = None,
    private: bool = False,
) -> Options:
    """`before`, changed by what these options say; takes the variables of `env_file`, too."""
    before = before or Options()
    if env_file is not None:
        _export(env_file)
    return Options(
        flags={**before.flags, **_flags(model, system, settings)},
        plain=plain or before.plain,
        plugins=not no_plugins and before.plugins,
        terminal=before.terminal,
        opening=_opening(before.opening, go_on=go_on, resume=resume, private=private),
    )


def _export(path: Path) -> None:
    """Take the file's variables as if they were exported; those that are stand above them."""
    from cloudllm.settings import read_env_file  # noqa: PLC0415 - rarely needed

    for name, value in read_env_file(path).items():
        os.environ.setdefault(name, value)


def _flags(model: str | None, system: str | None, settings: tuple[str, ...]) -> dict[str, object]:
    given: dict[str, object] = {"model": model, "system_prompt": system}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise click.UsageError(f"-o {setting}: expected KEY=VALUE, as in -o temperature=0.2")
        given[key.strip()] = value
    return {key: value for key, value in given.items() if value is not None}


def _opening(before: Opening, *, go_on: bool, resume: str | None, private: bool) -> Opening:
    opening = Opening(
        private=private or before.private,
        go_on=go_on or before.go_on,
        resume=before.resume if resume is None else resume,
    )
    wanted = (("--continue", opening.go_on), ("--resume", opening.resume is not None))
    given = [name for name, is_given in wanted if is_given]
    if len(given) > 1:
        raise click.UsageError("--continue and --resume name two conversations; give one of them")
    if given and opening.private:
        raise click.UsageError(
            f"{given[0]} and --private exclude each other: a private chat takes nothing up from the"
            " disk either"
        )
    return opening
