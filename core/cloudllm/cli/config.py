"""`cloudllm config`: show, check and change the settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from cloudllm import paths
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.errors import CloudLLMError, ConfigurationError, UsageError
from cloudllm.repl.render.sanitize import clean

if TYPE_CHECKING:
    from cloudllm.repl.configured import Program
    from cloudllm.settings import Settings


@click.group()
def config() -> None:
    """Show, check and change the settings."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@shared_options
def show(options: Options, *, origin: bool) -> None:
    """Print every setting as a line of TOML; secrets are masked."""
    from cloudllm.settings.text import toml_value  # noqa: PLC0415 - `path` does without

    settings = _load(options)
    for key, value in settings.items():
        line = f"{key} = {toml_value(value)}"
        say(f"{line}  # {settings.origin(key)}" if origin else line)


@config.command()
@click.argument("key")
@shared_options
def get(options: Options, key: str) -> None:
    """Print the value of KEY."""
    from cloudllm.settings.text import (  # noqa: PLC0415 - `path` does without
        did_you_mean,
        one_line,
        toml_value,
    )

    values = dict(_load(options).items())
    if key not in values:
        raise UsageError(f"{one_line(key)}: unknown setting{did_you_mean(key, values)}")
    value = values[key]
    say(value if isinstance(value, str) else toml_value(value))


@config.command()
@shared_options
def path(_options: Options) -> None:
    """Print where the configuration file is; it need not exist."""
    say(str(paths.config_file()))


@config.command("set")
@click.argument("key")
@click.argument("value")
@shared_options
def set_(_options: Options, key: str, value: str) -> None:
    """Write KEY = VALUE into the configuration file."""
    from cloudllm.settings import set_value  # noqa: PLC0415 - `path` does without

    set_value(paths.config_file(), key, value)


@config.command()
@shared_options
def check(options: Options) -> None:
    """Check the settings, and every provider and model in them.

    Prints "ok", or everything that is wrong and where.
    """
    program = options.compose(options.flags)
    problems = list(dict.fromkeys(_problems(program)))
    if problems:
        raise ConfigurationError("\n".join(problems))
    for notice in (*program.settings.notices, *_unknown_plugins(program)):
        click.echo(clean(notice), err=True)
    click.echo("ok")


def _problems(program: Program) -> Iterator[str]:
    """What is wrong with the providers, and with the models and the strategy that are named."""
    from cloudllm.settings.text import dotted  # noqa: PLC0415 - `path` does without
    from cloudllm.strategies import Strategies  # noqa: PLC0415 - only `check`

    settings, registry = program.settings, program.registry
    for name in settings.providers:
        try:
            registry.check(name)
        except CloudLLMError as error:
            yield str(error)
    named = [("model", settings.model), *(("fallback", each) for each in settings.fallback)]
    named += [(dotted(("aliases", alias)), alias) for alias in settings.aliases]
    if settings.history.title_model is not None:
        named.append(("history.title_model", settings.history.title_model))
    for key, model in named:
        try:
            provider, _ = registry.split(model)
            if provider not in settings.providers:  # those have been looked at
                registry.check(provider)
        except CloudLLMError as error:
            yield f"{settings.origin(key)}: {key}: {error}"
    try:
        Strategies(registry.plugins).check(settings.context.strategy)
    except CloudLLMError as error:
        yield f"{settings.origin('context.strategy')}: context.strategy: {error}"


def _unknown_plugins(program: Program) -> Iterator[str]:
    """A line for each name in `plugins.allow` and `plugins.deny` that no plugin bears."""
    from cloudllm.plugins.discovery import canonical  # noqa: PLC0415 - only `check`
    from cloudllm.settings.text import did_you_mean, quoted  # noqa: PLC0415 - see above

    chosen, installed = program.settings.plugins, program.registry.plugins.installed
    known = {name for each in installed for name in (each.name, each.distribution, each.home)}
    for key, names in (("plugins.allow", chosen.allow), ("plugins.deny", chosen.deny)):
        for name in names or ():
            if name not in known and canonical(name) not in known:
                what = f"no plugin is called {quoted(name)}{did_you_mean(name, sorted(known))}"
                yield f"{program.settings.origin(key)}: {key}: {what}"


def say(text: str) -> None:
    """Print a value: exactly for a program, safe to look at for a person."""
    click.echo(clean(text) if sys.stdout.isatty() else text)


def _load(options: Options) -> Settings:
    from cloudllm.settings import Settings  # noqa: PLC0415 - `path` does without

    return Settings.load(flags=options.flags)
