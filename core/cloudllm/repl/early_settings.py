"""What decides the meaning of a key, and whether it may be kept, read before the settings are.

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


def may_be_private(
    environ: Mapping[str, str] = os.environ, config_file: str | os.PathLike[str] | None = None
) -> bool:
    """May `history.private` be set, as far as can be told where the settings are not read?

    Also in a file that cannot be read otherwise. Never raises.
    """
    if given := environ.get("CLOUDLLM_HISTORY__PRIVATE", "").strip():
        return given.lower() not in _NO
    lines = (_config_text(environ, config_file) or "").split("\n")
    said = ("".join(line.partition("#")[0].split()) for line in lines)
    return any("private=true" in line.replace('"', "") for line in said)


_NO = ("0", "false", "no", "off", "f", "n")


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
    text = _config_text(environ, config_file)
    if text is None:
        return {}
    import tomllib  # noqa: PLC0415 - only if there is a file

    try:
        table = tomllib.loads(text).get("repl")
    except (ValueError, RuntimeError):  # not TOML, or nested too deeply
        return {}
    return table if isinstance(table, dict) else {}


def _config_text(
    environ: Mapping[str, str], config_file: str | os.PathLike[str] | None
) -> str | None:
    try:
        with open(config_file or paths.config_text(environ), encoding="utf-8-sig") as file:  # noqa: PTH123 - pathlib is an import more
            return file.read()
    # ValueError: not UTF-8, or a path that cannot exist. RuntimeError: no home folder.
    except (OSError, ValueError, RuntimeError):
        return None
