"""Where configuration, data and state live; `CLOUDLLM_HOME` moves all three together."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes a while, and the first key comes before it is needed
    from pathlib import Path


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's `config.toml`; it need not exist."""
    return _path(config_text(environ))


def keys_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The file of the keys that `/setup` keeps, beside `config.toml`; it need not exist."""
    return config_file(environ).with_name("keys.toml")


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for what is kept: model weights, later conversations. It need not exist."""
    return _path(_folder("data", environ))


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for input history and logs. It need not exist."""
    return _path(_folder("state", environ))


def config_text(environ: Mapping[str, str] = os.environ) -> str:
    """The path of `config_file` as text, for what the first key waits for."""
    return os.path.join(_folder("config", environ), "config.toml")  # noqa: PTH118 - see above


def history_text(environ: Mapping[str, str] = os.environ) -> str:
    """The path of the file of the input history, likewise."""
    return os.path.join(_folder("state", environ), "input-history")  # noqa: PTH118 - see above


def _path(text: str) -> Path:
    from pathlib import Path  # noqa: PLC0415 - see above

    return Path(text).expanduser()


_PLAIN = {"config": ".config", "data": ".local/share", "state": ".local/state"}
"""Where the folders of each kind are below the home folder, unless a variable says otherwise."""


def _folder(kind: str, environ: Mapping[str, str]) -> str:
    home = environ.get("CLOUDLLM_HOME")
    if home:
        return os.path.expanduser(home)  # noqa: PTH111 - see above
    # platformdirs takes a while, and on most machines it knows no more than this.
    if sys.platform == "linux" and "ANDROID_DATA" not in os.environ:
        base, home = os.environ.get(f"XDG_{kind.upper()}_HOME", ""), os.environ.get("HOME", "")
        if base.startswith("/"):
            return f"{base}/cloudllm"
        if not base and home.startswith("/"):
            return f"{home.rstrip('/')}/{_PLAIN[kind]}/cloudllm"
    import platformdirs  # noqa: PLC0415 - rarely needed

    folders = platformdirs.PlatformDirs("cloudllm", appauthor=False)
    return str(getattr(folders, f"user_{kind}_dir"))
