"""`cloudllm plugins`: list what is installed, tell one plugin's story, write and check a new one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudllm.cli import plugin_text as text
from cloudllm.cli.compose import Options
from cloudllm.cli.listing import say, say_json
from cloudllm.cli.options import shared_options
from cloudllm.errors import UsageError

if TYPE_CHECKING:
    from cloudllm.plugins import Plugin, Plugins
    from cloudllm.repl.configured import Program
    from cloudllm.testing.conformance import Verdict

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group()
def plugins() -> None:
    """List, show, write and check plugins."""


@plugins.command("list")
@_as_json
@shared_options
def list_(options: Options, *, as_json: bool) -> None:
    """List every installed plugin, third-party ones first; none is imported."""
    found = _program(options).registry.plugins
    installed = sorted(found.installed, key=lambda plugin: plugin.bundled)
    if as_json:
        say_json([text.facts(plugin, found.state(plugin)) for plugin in installed])
    else:
        say(text.table([(plugin, found.state(plugin)) for plugin in installed]))


@plugins.command()
@click.argument("name")
@_as_json
@shared_options
def show(options: Options, name: str, *, as_json: bool) -> None:
    """Tell the whole story of the plugin NAME, or of each plugin of the distribution NAME.

    What would be loaded in a chat is loaded, in a process of its own.
    """
    program = _program(options)
    stories = [_told(options, program, plugin) for plugin in _named(program.registry.plugins, name)]
    if as_json:
        say_json([each.facts() for each in stories])
    else:
        say(line for each in stories for line in each.lines())


@plugins.command()
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), help="The project's folder.")
@shared_options
def new(options: Options, name: str, path: Path | None) -> None:
    """Write the project of a provider called NAME: module, tests, types, README, CI file."""
    from cloudllm.cli.scaffold import Project  # noqa: PLC0415 - only here

    registry = _program(options).registry
    project = Project(name)
    project.check({*registry.names(), *(each.name for each in registry.plugins.installed)})
    folder = path or Path(project.distribution)
    project.write(folder)
    say(text.written(project, folder))


@plugins.command()
@click.argument("target", metavar="NAME|PATH")
@click.option("--item", "items", metavar="ITEM", multiple=True, help="Only this; may be repeated.")
@_as_json
@shared_options
def check(_options: Options, target: str, items: tuple[str, ...], *, as_json: bool) -> None:
    """Run the conformance kit on an installed plugin or a project's folder, in its own process.

    Ends with 1 if an item failed.
    """
    from cloudllm.testing.runner import run_check  # noqa: PLC0415 - only here

    verdicts: list[Verdict] = []
    for verdict in run_check(target, items=items or None):
        if not as_json and not text.follows(verdict):
            say(text.verdict(verdict, verdicts[-1].subject if verdicts else ""))
        verdicts.append(verdict)
    if as_json:
        say_json([asdict(each) for each in verdicts])
    else:
        say([*text.failures(verdicts), text.summary(verdicts)])
    click.get_current_context().exit(0 if all(each.passed for each in verdicts) else 1)


def _program(options: Options) -> Program:
    return options.compose(options.flags)


def _named(plugins: Plugins, name: str) -> list[Plugin]:
    """Every plugin of that name, or else of that distribution; raises `UsageError`."""
    from cloudllm.settings.text import did_you_mean, one_line  # noqa: PLC0415 - `check` needs none

    found = [each for each in plugins.installed if each.name == name]
    found = found or [each for each in plugins.installed if each.distribution == name]
    if not found:
        known = {label for each in plugins.installed for label in (each.name, each.distribution)}
        raise UsageError(
            f"{one_line(name)}: no such plugin is installed{did_you_mean(name, sorted(known))}",
            advice="cloudllm plugins list shows all",
        )
    return found


def _told(options: Options, program: Program, plugin: Plugin) -> text.Told:
    """Load the plugin, unless it would not be loaded, and put together what is known of it."""
    from cloudllm.cli.probe import Found, Order, probe  # noqa: PLC0415 - `list` imports no plugin

    plugins = program.registry.plugins
    state = plugins.state(plugin)
    if state:
        return text.Told(plugin, state, plugins.story(plugin), Found())
    chosen = program.settings.plugins
    order = Order(
        key=plugin.key,
        allow=chosen.allow,
        deny=chosen.deny,
        enabled=options.plugins,
        deadline=chosen.deadline,
    )
    return text.Told(plugin, state, plugins.story(plugin), probe(plugin, order))
