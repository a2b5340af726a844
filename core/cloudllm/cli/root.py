"""The root command: shared options, and subcommands that are imported only when they run."""

from __future__ import annotations

from importlib import import_module

import click

from cloudllm import __version__
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.early import EarlyTerminal
from cloudllm.errors import PluginError, UsageError

_OWN = {
    "ask": "Ask one question; standard input is appended to it.",
    "config": "Show, check or change the configuration.",
    "run": "Run a conversation from a file or pipe.",
}


class LazyGroup(click.Group):
    """Knows its subcommands by name; plugins add theirs through the group `cloudllm.cli`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, from our own table and from the metadata of what is installed."""
        return sorted({*_OWN, *_installed()})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name in _OWN:
            command: click.Command = getattr(import_module(f"cloudllm.cli.{name}"), name)
            return command
        from cloudllm.plugins import Plugins  # noqa: PLC0415 - only for a plugin's command

        plugins = Plugins(enabled=not ctx.params.get("no_plugins"))
        if name not in plugins.commands:
            return None
        loaded = plugins.command(name)
        if isinstance(loaded, click.Command):
            return loaded
        raise PluginError(f"the command {name} of an installed plugin is no click command")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        rows = [(name, _OWN.get(name) or _installed()[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say what may have been meant."""
        from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
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
@shared_options
def root(options: Options) -> None:
    r"""Chat with any language model.

    Without a command it starts a chat: Enter is a new line, \end on a line of its own sends.
    """
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        from cloudllm.cli.chat import chat  # noqa: PLC0415 - not for the other commands

        ctx.exit(chat(options))


def _installed() -> dict[str, str]:
    from cloudllm.plugins import Plugins  # noqa: PLC0415 - only for listing

    return {
        name: f"From {found[0].distribution} {found[0].version}."
        for name, found in Plugins().commands.items()
    }


def run(arguments: list[str], terminal: EarlyTerminal | None = None) -> int:
    """Run the command line; gives the exit code and raises `CloudLLMError`.

    `terminal` is the one already painted on, if a chat was to be expected.
    """
    try:
        result = root.main(
            arguments, prog_name="cloudllm", standalone_mode=False, obj=Options(terminal=terminal)
        )
    except click.ClickException as error:
        message = error.format_message().rstrip(".")
        raise UsageError(message, advice="Try: cloudllm --help") from None
    except click.exceptions.Abort:
        return 130
    return result if isinstance(result, int) else 0
