"""`--env-file`: variables from a file the user names; no other `.env` file is ever read."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from cloudllm.errors import ConfigurationError
from cloudllm.settings.files import read_text


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file of `KEY=VALUE` lines; quotes, comments and `export` are understood.

    `${NAME}` stays as it is, and the process's own environment is neither read nor changed.

    Raises:
        ConfigurationError: The file is missing or unreadable, or a line is no `KEY=VALUE`.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415 - needed with --env-file only

    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    found: dict[str, str] = {}
    problems: list[str] = []
    for binding in parse_stream(StringIO(text)):
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
        elif binding.error or binding.key is not None:
            blank = len(binding.original.string) - len(binding.original.string.lstrip())
            line = binding.original.line + binding.original.string.count("\n", 0, blank)
            problems.append(f"{path}:{line}: expected KEY=VALUE")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found
