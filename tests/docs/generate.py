"""Writes the generated parts of the documentation: `python tests/docs/generate.py`.

To add a page, put the two marker lines into it and name its function in `PAGES`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from cloudllm import Provider, hookspecs
from cloudllm.keys import bundled
from cloudllm.plugins import Plugins
from cloudllm.repl.commands import COMMANDS
from cloudllm.repl.commands.base import SlashCommand
from cloudllm.repl.commands.plugin import collect
from cloudllm.settings.fields import ProviderTable
from cloudllm.settings.layers import variable
from cloudllm.settings.model import Settings, expects, in_toml, leaf_fields
from cloudllm.settings.text import Key, dotted, toml_value

DOCS = Path(__file__).parents[2] / "docs"
BEGIN = "<!-- generated: python tests/docs/generate.py -->\n"
END = "<!-- end of the generated part -->\n"


def configuration() -> str:
    """The table of all settings."""
    lines = [
        "| key | variable | expects | default | meaning |",
        "|---|---|---|---|---|",
        *(_row(key, field, toml_value(in_toml(field, field.default))) for key, field in _all()),
    ]
    return "".join(f"{line}\n" for line in lines)


def commands() -> str:
    """The table of all slash commands, those of the bundled plugins included."""
    bundled_plugins = Plugins(enabled=False)
    bundled_plugins.load_sessions()
    table = {**COMMANDS, **collect(bundled_plugins, COMMANDS)}
    lines = [
        "| command | short | does | for example |",
        "|---|---|---|---|",
        *(_command(table[name]) for name in sorted(table)),
    ]
    return "".join(f"{line}\n" for line in lines)


def hooks() -> str:
    """A section for each hook: its signature, then what its docstring says."""
    return "\n".join(_hook(name, function) for name, function in specified().items())


def specified() -> dict[str, Callable[..., object]]:
    """Every hook by name, in the order in which they are written."""
    marked = f"{hookspecs.PROJECT}_spec"  # pluggy's marker
    return {name: each for name, each in vars(hookspecs).items() if hasattr(each, marked)}


def providers() -> str:
    """The bundled providers, their own settings, and what they do not meet."""
    found = bundled(Plugins())
    rows = [f"| `{each.name}` | {' | '.join(_declared(each))} |" for each in found]
    own = [row for each in found for row in _own_settings(each)]
    gaps = [
        f"| `{each.name}` | {gap.item} | {gap.reason} | {gap.since} |"
        for each in found
        for gap in each.known_gaps
    ]
    head = ["| provider | item | why | since |", "|---|---|---|---|"]
    return "\n".join(
        [
            "| provider | variables for the key | get a key | default model | variables for the address |",
            "|---|---|---|---|---|",
            *rows,
            "\n### Settings of their own\n",
            "| key | variables | default |",
            "|---|---|---|",
            *own,
            "\n### Known gaps\n",
            *(head + gaps if gaps else ["None."]),
            "",
        ]
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "configuration.md": configuration,
    "plugins.md": hooks,
    "providers.md": providers,
}


def rendered(name: str) -> str:
    """The page as it should be."""
    before, begin, rest = (DOCS / name).read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{name}: the marker lines are missing")
    return f"{before}{begin}\n{PAGES[name]()}\n{end}{after}"


def _command(command: SlashCommand) -> str:
    example = f"`{command.example}`" if command.example else ""
    short = _code(command.aliases, ", ")
    usage = command.usage.replace("|", "\\|")  # GitHub ends a cell there, also within code
    return f"| `{usage}` | {short} | {command.summary} | {example} |"


def _declared(provider: Provider) -> Iterator[str]:
    optional = " (optional)" if provider.key_env and provider.key_optional else ""
    without = "none is needed" if provider.offline else "see below"
    yield _code(provider.key_env, ", ") + optional or without
    yield f"[here]({provider.key_url})" if provider.key_url else ""
    asked = "the first that the server lists" if provider.model_list else ""
    yield f"`{provider.default_model}`" if provider.default_model else asked
    yield _code(provider.base_env, ", ")


def _own_settings(provider: Provider) -> Iterator[str]:
    fields = provider.settings_model.model_fields if provider.settings_model else {}
    for name, field in fields.items():
        key = ("providers", provider.name, name)
        names = _code((variable(key), *provider.settings_env.get(name, ())), ", ")
        default = field.get_default(call_default_factory=True)
        yield f"| `{dotted(key)}` | {names} | {f'`{toml_value(default)}`' if default else ''} |"


def _code(words: Iterable[str], between: str) -> str:
    return between.join(f"`{word}`" for word in words)


def _hook(name: str, function: Callable[..., object]) -> str:
    parameters = inspect.signature(function).parameters
    text = inspect.getdoc(function) or ""
    text = re.sub(rf"^({'|'.join(parameters) or name}): ", r"- `\1`: ", text, flags=re.MULTILINE)
    labels = r"^(When:|Result:|Who wins:|An exception\b)"
    text = re.sub(labels, r"**\1**", text, flags=re.MULTILINE)
    signature = f"{name}{inspect.signature(function)}".replace("'", "")
    return f"### `{name}`\n\n```text\n{signature}\n```\n\n{text}\n"


def _all() -> Iterator[tuple[Key, FieldInfo]]:
    yield from leaf_fields().items()
    yield ("aliases", "NAME"), Settings.model_fields["aliases"]
    for name, field in ProviderTable.model_fields.items():
        yield ("providers", "NAME", name), field


def _row(key: Key, field: FieldInfo, default: str) -> str:
    meaning = field.description or ""
    shown = "" if key[0] in ("aliases", "providers") else f"`{default}`"
    cells = f"`{dotted(key)}`", f"`{variable(key)}`", expects(field).text, shown, meaning
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for page in PAGES:
        (DOCS / page).write_text(rendered(page), encoding="utf-8")
