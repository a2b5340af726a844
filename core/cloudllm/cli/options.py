"""The options that every command takes, before its name or after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cloudllm.cli.compose import Options

_OPTIONS = (
    click.option("-m", "--model", metavar="ID", help="PROVIDER/MODEL, an alias, or a provider."),
    click.option("-s", "--system", metavar="TEXT", help="The system prompt."),
    click.option("-o", "settings", metavar="KEY=VALUE", multiple=True, help="Any setting."),
    click.option("--plain", is_flag=True, help="Text that only grows: no cursor movement."),
    click.option("--no-plugins", is_flag=True, help="Load no third-party plugin."),
    click.option(
        "--env-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read variables from this file; none is read by itself.",
    ),
)

_SHARED = ("model", "system", "settings", "plain", "no_plugins", "env_file")


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options; it is called with `Options` as its first argument."""

    @wraps(command)
    @click.pass_context
    def wrapper(
        ctx: click.Context,
        /,
        **given: Any,  # noqa: ANN401 - whatever the command declares
    ) -> Any:  # noqa: ANN401 - whatever the command gives
        shared = {name: given.pop(name) for name in _SHARED}
        ctx.obj = with_options(ctx.find_object(Options), **shared)
        return command(ctx.obj, **given)

    for option in reversed(_OPTIONS):
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
