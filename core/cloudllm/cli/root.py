"""The root command: shared options, and subcommands that are imported only when they run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from cloudllm import __version__, paths
from cloudllm.cli.compose import OWN_COMMANDS, STORIES, Options, load_plugins
from cloudllm.cli.options import chat_options, with_options
from cloudllm.early import EarlyTerminal
from cloudllm.errors import CloudLLMError, PluginError, UsageError
from cloudllm.repl.opening import Opening
from cloudllm.repl.render.sanitize import clean

if TYPE_CHECKING:
    from cloudllm.plugins import Plugins


_PLUGINS = "cloudllm.plugins"
"""Where click's context keeps the plugins."""

_PASSING = (click.exceptions.Exit, click.Abort, click.ClickException, CloudLLMError)
"""What a plugin's command may raise to say something, or to end."""

_CHATS = ("ask", "run")
"""The commands that hold a conversation, as the program itself does without one."""

_HELP: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What click raises for a group without a command, since 8.2; before, it prints the help."""


class LazyGroup(click.Group):
    """Knows its subcommands by name; plugins add theirs through the group `cloudllm.cli`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, from our own table and from the metadata of what is installed."""
        return sorted({*OWN_COMMANDS, *_offered(ctx)})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name in OWN_COMMANDS:
            command: click.Command = getattr(import_module(f"cloudllm.cli.{name}"), name)
            return command
        plugins = _plugins(ctx)
        if name in plugins.commands:
            return _loaded(plugins, name)
        from cloudllm.plugins import COMMANDS  # noqa: PLC0415 - only for a plugin's command

        switched_off = plugins.switched_off(name, COMMANDS)
        if switched_off is not None:
            raise switched_off
        return None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run a command; what breaks inside a plugin's is the plugin's fault, and it is named."""
        try:
            return super().invoke(ctx)
        except (*_PASSING, EOFError, BrokenPipeError):  # click has its own ways with the last two
            raise
        except Exception as error:
            found = ctx.meta[_PLUGINS].commands if _PLUGINS in ctx.meta else {}
            if ctx.invoked_subcommand not in found:
                raise
            (plugin,) = found[ctx.invoked_subcommand]
            raise ctx.meta[_PLUGINS].broken(plugin, "its command", error) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        rows = {**_offered(ctx), **OWN_COMMANDS}
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (clean(name, one_line=True, limit=40), clean(rows[name], one_line=True))
                    for name in sorted(rows)
                ]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say what may have been meant."""
        from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

        name = args[0]
        command = self.get_command(ctx, name)
        if command is not None:
            return name, command, args[1:]
        if not name.startswith("-"):
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            hint = (
                f'Did you mean {close[0]}? Or, to ask: cloudllm ask "…"'
                if close
                else ('To ask a question: cloudllm ask "…"')
            )
            raise click.UsageError(f"unknown command {name!r}. {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="cloudllm")
@chat_options
def root(options: Options) -> None:
    r"""Chat with any language model.

    Without a command it starts a chat: Enter is a new line, \end on a line of its own sends.
    """
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        from cloudllm.cli.chat import chat  # noqa: PLC0415 - not for the other commands

        ctx.exit(chat(options))
    if options.opening != Opening() and ctx.invoked_subcommand not in _CHATS:
        raise click.UsageError("--continue, --resume and --private are for a chat, ask and run")


def _plugins(ctx: click.Context) -> Plugins:
    """The plugins; the settings are read only if there are commands that they may switch off.

    Raises:
        ConfigurationError: the settings are wrong, so nobody knows what may be loaded.
    """
    if _PLUGINS not in ctx.meta:
        ctx.meta[_PLUGINS] = _found(ctx)
    plugins: Plugins = ctx.meta[_PLUGINS]
    return plugins


def _found(ctx: click.Context) -> Plugins:
    from cloudllm.plugins import Plugins  # noqa: PLC0415 - only for a plugin's command

    plugins = Plugins(state_file=paths.state_dir() / STORIES)
    if all(each.bundled for found in plugins.commands.values() for each in found):
        return plugins
    from cloudllm.settings import Settings  # noqa: PLC0415 - see above

    options = with_options(ctx.obj, **ctx.params)
    return load_plugins(Settings.load(flags=options.flags), enabled=options.plugins)


def _offered(ctx: click.Context) -> dict[str, str]:
    """The commands of plugins, and where each is from; only bundled ones if settings are wrong."""
    try:
        plugins = _plugins(ctx)
    except CloudLLMError:
        from cloudllm.plugins import Plugins  # noqa: PLC0415 - see above

        plugins = Plugins(enabled=False)
    return {
        name: f"From {' and '.join(f'{each.distribution} {each.version}' for each in found)}."
        for name, found in plugins.commands.items()
    }


def _loaded(plugins: Plugins, name: str) -> click.Command:
    """Import a plugin's command; the streams are its own when it runs, not before."""
    loaded = plugins.command(name)
    if isinstance(loaded, click.Command):
        return loaded
    raise PluginError(f"plugin {plugins.commands[name][0]}: it is no click command")


def run(arguments: list[str], terminal: EarlyTerminal | None = None) -> int:
    """Run the command line; gives the exit code and raises `CloudLLMError`.

    `terminal` is the one already painted on, if a chat was to be expected.
    """
    try:
        result = root.main(
            arguments, prog_name="cloudllm", standalone_mode=False, obj=Options(terminal=terminal)
        )
    except click.ClickException as error:
        if isinstance(error, _HELP):
            click.echo(clean(error.format_message()))
            return 0
        raise _as_ours(error) from None
    except click.exceptions.Abort:
        return 130
    return result if isinstance(result, int) else 0


def _as_ours(error: click.ClickException) -> CloudLLMError:
    """An error of click's as one of ours; it points to the help of the command that it is about."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    command = ctx.command_path if ctx is not None else "cloudllm"
    return UsageError(error.format_message(), advice=f"Try: {command} --help")
