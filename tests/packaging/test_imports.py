"""What is imported when: the light commands stay light, the sources import what they declare."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cloudllm

_HEAVY = {"litellm", "openai", "httpx", "aiohttp", "prompt_toolkit"}
_ROOTS = {"core", "providers", "plugins"}
_PLUGINS = {"cloudllm_providers", "cloudllm_plugins"}
_SETTINGS = {"pydantic", "pydantic_settings"}
_LIGHT = [
    (["--version"], _HEAVY | _PLUGINS | _SETTINGS | {"click", "pluggy"}),
    (["--help"], _HEAVY | _PLUGINS | _SETTINGS),
    (["config", "path"], _HEAVY | _PLUGINS | _SETTINGS),
    (["config", "show"], _HEAVY | _PLUGINS),
    (["plugins", "list"], _HEAVY | _PLUGINS),
    (["plugins", "--help"], _HEAVY | _PLUGINS | _SETTINGS),
]


@pytest.mark.parametrize(("arguments", "forbidden"), _LIGHT, ids=[" ".join(a) for a, _ in _LIGHT])
def test_G1_light_command_never_imports(arguments: list[str], forbidden: set[str]) -> None:
    assert _imported("-m", "cloudllm", *arguments) & forbidden == set()


def test_importing_cloudllm_imports_the_standard_library_only() -> None:
    bare = _imported("-c", "pass")
    imported = _imported("-c", "import cloudllm") - bare
    assert imported - sys.stdlib_module_names == {"cloudllm"}


def test_everything_public_can_be_imported() -> None:
    assert len(set(cloudllm.__all__)) == len(cloudllm.__all__)
    for name in cloudllm.__all__:
        assert getattr(cloudllm, name) is not None


def test_all_names_exactly_what_is_loaded_lazily() -> None:
    assert set(cloudllm.__all__) == set(cloudllm._HOME)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING and the table of the lazy ones must not drift apart."""
    tree = ast.parse(Path(cloudllm.__file__).read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cloudllm.")
        for alias in node.names
    }
    assert seen == {name: f"cloudllm.{module}" for name, module in cloudllm._HOME.items()}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing_like_it'"):
        _ = cloudllm.nothing_like_it


def test_every_module_can_be_imported_on_its_own(source_files: list[Path]) -> None:
    for file in source_files:
        if file.parts[0] in _ROOTS and file.suffix == ".py":
            import_module(".".join(file.with_suffix("").parts[1:]).removesuffix(".__init__"))


def test_sources_import_declared_dependencies_only(
    root: Path, source_files: list[Path], project: dict[str, Any]
) -> None:
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in (*project["dependencies"], *project["optional-dependencies"]["local"])
    }
    distributions = packages_distributions()
    undeclared = {
        f"{file}: {module}"
        for file in source_files
        if file.parts[0] in _ROOTS and file.suffix == ".py"
        for module in _imports(root / file)
        if module not in sys.stdlib_module_names
        and not (module == "pytest" and file.name.startswith("pytest_"))  # which pytest loads
        and not module.startswith("cloudllm")
        and not declared & {canonicalize_name(name) for name in distributions.get(module, [])}
    }
    assert undeclared == set()


def test_what_is_imported_by_name_keeps_the_same_borders(
    root: Path, source_files: list[Path]
) -> None:
    """The import contracts see no `import_module("litellm")`; this does."""
    homes = {"litellm": "core/cloudllm/gateway/", "prompt_toolkit": "core/cloudllm/repl/"}
    strays = [
        f"{file}: {module}"
        for file in source_files
        if file.parts[0] in _ROOTS and file.suffix == ".py"
        for module in _imports(root / file) & homes.keys()
        if not str(file).startswith(homes[module])
    ]
    assert strays == []


def _imported(*arguments: str) -> set[str]:
    """The top-level modules that `python ARGUMENTS` imports, as it reports them itself."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONWARNINGS": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines[1:]}


def _imports(file: Path) -> set[str]:
    """The top-level modules that `file` imports by statement, or by a name it spells out."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
            named |= {text.split(".")[0] for text in texts if isinstance(text, str)}
    return named
