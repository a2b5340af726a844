"""`keys.toml`: the keys that `/setup` keeps, a line `PROVIDER = "KEY"` each, for its owner alone."""

from __future__ import annotations

import os
import stat
import tomllib
from contextlib import suppress
from pathlib import Path

from cloudllm.errors import ConfigurationError
from cloudllm.settings.files import read_text, replace_text
from cloudllm.settings.layers import PROVIDERS, Entry, Layer, malformed_at
from cloudllm.settings.positions import line_numbers

_POSIX = os.name == "posix"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LONGEST_NAME = 31
"""A name that is longer may be a key in the wrong place, and names are shown."""

_HEADER = '# Kept by /setup of cloudllm. A line is PROVIDER = "KEY"; nobody else should read it.\n'


def key_layer(path: Path) -> Layer:
    """The keys of the file; one that is not there says nothing.

    A file that others may read or write is mended. No problem repeats what the file holds.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        return Layer()
    except ConfigurationError as error:
        return Layer(problems=[error.message])
    layer = _layer(text, path)
    _close_to_others(layer, path)
    return layer


def store_key(path: Path, provider: str, key: str) -> None:
    """Keep a provider's key, and all other lines as they are.

    Raises:
        ConfigurationError: The file is wrong or cannot be written, or the name is too long.
    """
    import tomlkit  # noqa: PLC0415 - needed to write only

    if len(provider) > _LONGEST_NAME:
        raise ConfigurationError(f"{path}: {provider} is too long a name for this file")
    try:
        before = read_text(path)
    except FileNotFoundError:
        before = _HEADER
    if problems := _layer(before, path).problems:
        raise ConfigurationError("\n".join(problems))
    document = tomlkit.parse(before)
    document[provider] = key
    _make_private(path.parent)
    replace_text(path, tomlkit.dumps(document))


def _layer(text: str, path: Path) -> Layer:
    try:
        data = tomllib.loads(text)
    # ValueError: a number too long to be converted is not a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        return Layer(problems=[malformed_at(error, text, path)])
    layer, lines = Layer(), line_numbers(text)
    for name, value in data.items():
        where = f"{path}:{lines[name,]}"
        if not isinstance(value, str) or len(name) > _LONGEST_NAME:
            layer.problems.append(f'{where}: expected PROVIDER = "KEY"')
        else:
            layer.entries.append(Entry((PROVIDERS, name, "api_key"), value, where, in_file=True))
    return layer


def _close_to_others(layer: Layer, path: Path) -> None:
    """Take from others what they may do with the file, and say so."""
    if not _POSIX or not path.stat().st_mode & _OTHERS:
        return
    with suppress(OSError):
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    if path.stat().st_mode & _OTHERS:  # some file systems take a mode and do not keep it
        layer.problems.append(f"{path}: others can read it; run: chmod 600 {path}")
    else:
        layer.notices.append(f"{path}: others could read it; now only you can (mode 600)")


def _make_private(folder: Path) -> None:
    """Close a folder of ours to others; not one that belongs to somebody else, or to everybody."""
    with suppress(OSError):  # it is not there yet, and will be made so
        state = folder.stat()
        if _POSIX and state.st_uid == os.getuid() and not state.st_mode & stat.S_ISVTX:
            folder.chmod(stat.S_IMODE(state.st_mode) & ~_OTHERS)
