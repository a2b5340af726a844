"""Writes the generated parts of the documentation: `python tests/docs/generate.py`.

To add a page, put the two marker lines into it and name its function in `PAGES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from cloudllm.repl.commands import COMMANDS
from cloudllm.settings.fields import ProviderTable, Unused
from cloudllm.settings.layers import variable
from cloudllm.settings.model import expects, in_toml, leaf_fields
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
    """The table of all slash commands."""
    lines = [
        "| command | does |",
        "|---|---|",
        *(f"| `{command.usage}` | {command.summary} |" for command in COMMANDS.values()),
    ]
    return "".join(f"{line}\n" for line in lines)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "configuration.md": configuration,
}


def rendered(name: str) -> str:
    """The page as it should be."""
    before, begin, rest = (DOCS / name).read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{name}: the marker lines are missing")
    return f"{before}{begin}\n{PAGES[name]()}\n{end}{after}"


def _all() -> Iterator[tuple[Key, FieldInfo]]:
    yield from leaf_fields().items()
    for name, field in ProviderTable.model_fields.items():
        yield ("providers", "NAME", name), field


def _row(key: Key, field: FieldInfo, default: str) -> str:
    meaning = field.description or ""
    if any(isinstance(each, Unused) for each in field.metadata):
        meaning += " (Not in effect yet.)"
    shown = "" if key[0] == "providers" else f"`{default}`"
    cells = f"`{dotted(key)}`", f"`{variable(key)}`", expects(field).text, shown, meaning
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for page in PAGES:
        (DOCS / page).write_text(rendered(page), encoding="utf-8")
