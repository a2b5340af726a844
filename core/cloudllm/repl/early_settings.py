"""What decides the meaning of a key, read before the first one is handled.

The settings model takes longer to import than a person needs to press a key. This reads the same
values with `os.environ` and `tomllib` alone; a test proves that both agree.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from cloudllm import paths


class EarlySettings(NamedTuple):
    """`repl.submit`, `repl.sentinel` and `repl.editing_mode`."""

    submit: Literal["sentinel", "enter"] = "sentinel"
    sentinel: str = "\\end"
    editing_mode: Literal["emacs", "vi"] = "emacs"


def read(
    environ: Mapping[str, str] = os.environ, config_file: str | os.PathLike[str] | None = None
) -> EarlySettings:
    """What `Settings.load` will say; where something is wrong, the default. Never raises."""
    table = _repl_table(environ, config_file)
    found: dict[str, Any] = {}
    for name, is_valid in _VALID.items():
        text = environ.get(f"CLOUDLLM_REPL__{name.upper()}", "")
        value = text if text.strip() else table.get(name)
        if isinstance(value, str) and is_valid(value):
            found[name] = value
    return EarlySettings(**found)


def _is_sentinel(value: str) -> bool:
    return value.strip() == value != "" and value.isprintable() and not value.startswith("/")


_VALID = {
    "submit": ("sentinel", "enter").__contains__,
    "sentinel": _is_sentinel,
    "editing_mode": ("emacs", "vi").__contains__,
}


def _repl_table(
    environ: Mapping[str, str], config_file: str | os.PathLike[str] | None
) -> Mapping[str, object]:
    try:
        with open(config_file or paths.config_text(environ), encoding="utf-8-sig") as file:  # noqa: PTH123 - pathlib is an import more
            text = file.read()
        import tomllib  # noqa: PLC0415 - only if there is a file

        table = tomllib.loads(text).get("repl")
    # ValueError: not UTF-8, not TOML, or a path that cannot exist. RuntimeError: no home folder, or
    # TOML nested too deeply.
    except (OSError, ValueError, RuntimeError):
        return {}
    return table if isinstance(table, dict) else {}
