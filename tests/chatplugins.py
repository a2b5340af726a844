"""Plugins of the chat for tests: distributions on disk, found by their metadata as pip's are."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from uuid import uuid4

_IMPORTS = """
import asyncio, os, sys, threading, time
from dataclasses import replace
import cloudllm
from cloudllm import *

def log(path, line):
    with open(path, "a") as file:
        file.write(f"{line}\\n")
"""


def write_plugin(site: Path, name: str, source: str, *, distribution: str = "") -> None:
    """Put a distribution with one plugin of the chat into `site`, a folder on `sys.path`.

    `source` may use the names of cloudllm and a few modules without importing them.
    """
    distribution = distribution or f"cloudllm-{name}"
    module = f"chatplugin_{name.replace('-', '_')}_{uuid4().hex}"  # modules are cached by name
    folder = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (folder / "entry_points.txt").write_text(f"[cloudllm.plugins]\n{name} = {module}\n")
    (site / f"{module}.py").write_text(_IMPORTS + dedent(source))
