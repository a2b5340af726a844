"""The command `cloudllm local`: fetch and list the weights of local models."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Self

import click

from cloudllm import ConfigurationError
from cloudllm_providers.local import pull as pulling
from cloudllm_providers.local import weights as known

_BAR = 24
_SECONDS_BETWEEN_LINES = 5.0


@click.group()
def local() -> None:
    """Fetch and list the weights of local models."""


@local.command()
@click.argument("name", default="smollm2")
def pull(name: str) -> None:
    """Fetch the weights NAME (smollm2: a demo model, 93 MB)."""
    weights = known.named(name)
    for path in weights.copies():
        if _intact(weights, path):
            _say(f"{name} is already here, checksum right: {path}")
            return
        _say(f"{path} has the wrong checksum; fetching {name} again")
    _say(f"fetching {name} ({weights.label}; {weights.license})")
    with _Progress(animated=_animated()) as progress:
        pulling.pull(weights, progress)
    _say(f"{name} is here, checksum right: {weights.path}")
    if sys.stderr.isatty():  # else a chat may have asked for it
        _say(f"to chat: cloudllm --model local/{name}")


@local.command("list")
def list_() -> None:
    """List the weights known by name, where they are and whether they are intact."""
    for weights in known.KNOWN.values():
        copies = list(weights.copies())
        for path in copies:
            verdict = "right" if _intact(weights, path) else "WRONG"
            size = _megabytes(path.stat().st_size)
            click.echo(f"{weights.name}  {size} MB  checksum {verdict}  {path}")
        if not copies:
            click.echo(f"{weights.name}  not on this machine; run: {weights.pull_command}")


class _Progress:
    """A bar on a terminal, elsewhere a line now and then."""

    def __init__(self, *, animated: bool) -> None:
        self._animated = animated
        self._said = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            click.echo(err=True)

    def __call__(self, done: int, total: int) -> None:
        share = min(done / total, 1.0)
        numbers = f"{share:4.0%}  {_megabytes(done)} of {_megabytes(total)} MB"
        if self._animated:
            self._drawn = True
            bar = "#" * round(share * _BAR)
            click.echo(f"\r[{bar:<{_BAR}}] {numbers}", err=True, nl=False)
        elif time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            _say(numbers.strip())


def _animated() -> bool:
    """Whether standard error is a terminal that may be drawn on."""
    plain = click.get_current_context().find_root().params.get("plain", False)
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not plain


def _intact(weights: known.Weights, path: Path) -> bool:
    try:
        return weights.intact(path)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _say(line: str) -> None:
    click.echo(line, err=True)
