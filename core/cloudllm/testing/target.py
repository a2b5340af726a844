"""What a check is asked to look at: something installed, a project's folder, or a file."""

from __future__ import annotations

import sys
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cloudllm.errors import UsageError
from cloudllm.plugins import PROVIDERS, SESSIONS, Plugins
from cloudllm.plugins.discovery import canonical

_PATIENCE = 3.0  # seconds for a hook that gives a list
HOOKS = (
    "cloudllm_commands",
    "cloudllm_toolbar",
    "cloudllm_context_strategies",
    "cloudllm_request",
    "cloudllm_exporters",
    "cloudllm_event",
    "cloudllm_reply",
)
"""The hooks of a chat."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry point to check."""

    name: str
    group: str
    module: str

    @property
    def subject(self) -> str:
        """As in `Verdict.subject`."""
        return f"{'provider' if self.group == PROVIDERS else 'plugin'} {self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be checked.

    `file` is the module of a file, which only importing tells what it offers. `home` is the
    distribution that was made up for what is not installed.
    """

    found: tuple[Found, ...]
    file: str | None = None
    home: str | None = None

    def plugins(self, found: Found) -> Plugins:
        """All plugins, but for installed ones that bear the name of one that is to be checked."""
        if self.home is None:
            return Plugins()
        same = (p for p in Plugins().installed if (p.name, p.group) == (found.name, found.group))
        return Plugins(deny={p.home for p in same if p.home != self.home and not p.bundled})


def find(target: str, metadata: Path) -> Target:
    """Find out what there is, and make it look installed; `metadata` is a folder for that.

    Raises:
        UsageError: there is no plugin of that name, or at that path.
    """
    path = Path(target)
    if path.suffix == ".py" and path.is_file():
        folder, module = _module(path.resolve())
        sys.path.insert(0, str(folder))
        return Target((), file=module)
    if path.is_dir() and ("/" in target or "\\" in target or target in (".", "..")):
        return _project(path.resolve(), metadata)
    found = _installed(target)
    if not found and path.is_dir():
        return _project(path.resolve(), metadata)
    if not found:
        names = {plugin.name for plugin in Plugins().installed}
        close = get_close_matches(target, names, n=1, cutoff=0.75)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"{target}: no such plugin is installed, and there is no such folder or .py file",
            advice=f"{hint}cloudllm plugins list shows what is installed",
        )
    return Target(found)


def offered_by_file(module: str, metadata: Path) -> Target:
    """What an imported file offers, made to look installed.

    Raises:
        UsageError: it implements no hook.
    """
    loaded: Any = sys.modules[module]
    found = []
    if callable(offer := getattr(loaded, "cloudllm_providers", None)):
        found += [Found(name, PROVIDERS, module) for name in _names(offer, module)]
    if any(hasattr(loaded, hook) for hook in HOOKS):
        found.append(Found(module.rpartition(".")[2].replace("_", "-"), SESSIONS, module))
    if not found:
        raise UsageError(
            f"{module} implements no hook of cloudllm",
            advice="A provider needs cloudllm_providers(), decorated with @hookimpl",
        )
    home = _pretend(f"{module.partition('.')[0]}.py", "", found, metadata)
    return Target(tuple(found), home=home)


def _names(offer: Callable[[], Any], module: str) -> list[str]:
    """The names of the providers that a hook offers, or else a name that will turn out wrong."""
    names: list[str] = []

    def ask() -> None:
        with suppress(BaseException):  # SystemExit and all; it is told when it is loaded
            names.extend(str(each.name) for each in offer())

    thread = threading.Thread(target=ask, name="kit-offer", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return names or [module.rpartition(".")[2].replace("_", "-")]


def _module(file: Path) -> tuple[Path, str]:
    """The folder from which a file is imported, and the name under which."""
    names = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def _installed(name: str) -> tuple[Found, ...]:
    every = [each for each in Plugins().installed if each.group in (PROVIDERS, SESSIONS)]
    named = [each for each in every if each.name == name]
    named = named or [each for each in every if each.home == canonical(name)]
    return tuple(Found(each.name, each.group, each.module) for each in named)


def _project(folder: Path, metadata: Path) -> Target:
    """The entry points of a project that need not be installed."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        raise UsageError(
            f"{folder} has no pyproject.toml", advice="Name the folder of a plugin's project"
        )
    try:
        declared: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from None
    project = declared.get("project", {})
    groups: Mapping[str, Mapping[str, str]] = project.get("entry-points", {})
    found = [
        Found(name, group, value.partition(":")[0].strip())
        for group in (PROVIDERS, SESSIONS)
        for name, value in groups.get(group, {}).items()
    ]
    if not found:
        raise UsageError(
            f"{file} declares no plugin",
            advice=f'Add a table [project.entry-points."{PROVIDERS}"]',
        )
    sys.path[:0] = [str(place) for place in _places(folder, declared) if place.is_dir()]
    name = str(project.get("name", folder.name))
    home = _pretend(name, str(project.get("version", "0")), found, metadata)
    return Target(tuple(found), home=home)


def _places(folder: Path, declared: Mapping[str, Any]) -> Iterator[Path]:
    """Where a project's modules may be, for the build tools that are common."""
    tools = declared.get("tool", {})
    wheel = tools.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    for package in wheel.get("packages", ()):
        yield (folder / package).parent
    where = tools.get("setuptools", {}).get("packages", {})
    if isinstance(where, dict):
        for place in where.get("find", {}).get("where", ()):
            yield folder / place
    yield folder / "src"
    yield folder


def _pretend(name: str, version: str, found: Iterable[Found], metadata: Path) -> str:
    """Write the metadata of a distribution that brings these entry points, and come first."""
    home = metadata / f"{canonical(name).replace('-', '_')}-{version or '0'}.dist-info"
    home.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {name}\n" + (f"Version: {version}\n" if version else "")
    (home / "METADATA").write_text(head, encoding="utf-8")
    lines = []
    for each in found:
        lines += [f"[{each.group}]", f"{each.name} = {each.module}"]
    (home / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    sys.path.insert(0, str(metadata))
    return canonical(name)
