"""Where configuration, data and state live; `CLOUDLLM_HOME` moves all three together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's `config.toml`; it need not exist."""
    return _folder("config", environ) / "config.toml"


def keys_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The file of the keys that `/setup` keeps, beside `config.toml`; it need not exist."""
    return config_file(environ).with_name("keys.toml")


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for what is kept: model weights, later conversations. It need not exist."""
    return _folder("data", environ)


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder for input history and logs. It need not exist."""
    return _folder("state", environ)


def _folder(kind: str, environ: Mapping[str, str]) -> Path:
    home = environ.get("CLOUDLLM_HOME")
    if home:
        return Path(home).expanduser()
    import platformdirs  # noqa: PLC0415 - not needed with CLOUDLLM_HOME

    folders = platformdirs.PlatformDirs("cloudllm", appauthor=False)
    return Path(getattr(folders, f"user_{kind}_path"))
