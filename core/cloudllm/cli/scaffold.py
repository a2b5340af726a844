"""Writes the project of a new provider plugin: a small working one, with its name put in.

The templates are the project of a provider called acme; its name, in its three spellings, is all
that is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from cloudllm.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40
_FILES = {
    "pyproject.toml.in": "pyproject.toml",
    "module.py.in": "cloudllm_acme/__init__.py",
    "py.typed.in": "cloudllm_acme/py.typed",
    "tests.py.in": "tests/test_provider.py",
    "README.md.in": "README.md",
    "workflow.yml.in": ".github/workflows/test.yml",
    "gitignore.in": ".gitignore",
}


@dataclass(frozen=True, slots=True)
class Project:
    """A project to be written for the provider `name`."""

    name: str

    @property
    def distribution(self) -> str:
        """What pip installs; the project's folder too."""
        return f"cloudllm-{self.name}"

    @property
    def module(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    def check(self, taken: Collection[str]) -> None:
        """Raise `UsageError` if the name can't be a provider's, or is one of `taken`."""
        if self.name.startswith("cloudllm-"):
            raise UsageError(
                f"{self.name}: the name of the provider is wanted",
                advice=f"Leave out cloudllm-: cloudllm plugins new {self.name[9:]}",
            )
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST:
            raise UsageError(
                f"{self.name!r} can't be a provider's name",
                advice=f"Use a-z, 0-9 and single dashes, a letter first, at most {_LONGEST}",
            )
        if self.name in taken:
            raise UsageError(
                f"there is a plugin named {self.name} already", advice="Choose another name"
            )
        if find_spec(self.module) is not None:
            raise UsageError(
                f"a Python module named {self.module} is installed already",
                advice="Choose another name",
            )

    def write(self, folder: Path) -> None:
        """Write every file into `folder`, which must be empty or not there."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} is there already", advice="Name an empty folder: --path DIR"
            )
        templates = files("cloudllm.cli") / "templates"
        for source, target in _FILES.items():
            file = folder / self._named(target)
            file.parent.mkdir(parents=True, exist_ok=True)
            text = (templates / source).read_text(encoding="utf-8")
            file.write_text(self._named(text), encoding="utf-8")

    def _named(self, text: str) -> str:
        label = " ".join(word.capitalize() for word in self.name.split("-"))
        spellings = {
            "cloudllm_acme": self.module,
            "ACME": self.name.upper().replace("-", "_"),
            "Acme": label,
            "acme": self.name,
        }
        words = re.compile("|".join(spellings))
        return words.sub(lambda found: spellings[found[0]], text)
