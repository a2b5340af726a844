"""README.md does what it says: its marked blocks are run.

A block is marked by an HTML comment on the line before its fence:

    <!-- test: quick -->
    ```console
    $ cloudllm --version
    cloudllm 0.1.0
    ```

quick       shell commands after `$ ` (a line that ends in a backslash goes on), each followed by
            what it prints on standard output and standard error; `...` stands for anything, alone on
            a line for any lines. Run by bash in an empty folder and a fresh CLOUDLLM_HOME, with
            OPENAI_API_KEY and OPENAI_BASE_URL of a loopback server whose reply to everything is
            "Hello from the wire.".
python      a whole program; run with the same variables, must exit with 0. Every ```python block is
            run, marked or not, unless it is marked `not run`.
config      a whole config.toml; `cloudllm config check` must accept it.
first-chat  the one command that sets everything up and starts a chat on the local model; run in a
            copy of the checkout, then told Hello. What it prints on standard output, with pip quiet,
            is taken for the model's answer.
run-tests   the one command that sets everything up and passes the tests; `.ci/run` runs it in a copy.
not run     shown only.

A command of `first-chat` and `run-tests` may stand with or without `$ ` and over several lines.
`first-chat` and `run-tests` must be there exactly once, `quick` and `python` at least once. Fences
begin at the margin; every shell block has a mark.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudllm.testing import WireServer

_ROOT = Path(__file__).parents[2]
_HOME = os.environ.get("HOME", "")  # where pip's settings and cache are; conftest moves HOME away

_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<name>[a-z -]+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_NAMES = {"quick", "python", "config", "first-chat", "run-tests", "not run"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its mark (empty if none), language, text and line in the file."""

    name: str
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"line-{self.line}"


@dataclass(frozen=True)
class Step:
    """A shell command and what it is said to print."""

    command: str
    output: str


def blocks_of(markdown: str) -> list[Block]:
    """Every fenced block; one of Python code without a mark counts as marked `python`."""
    found = []
    for match in _BLOCK.finditer(markdown):
        language = match["language"]
        name = match["name"] or ("python" if language == "python" else "")
        line = markdown.count("\n", 0, match.start("text"))
        found.append(Block(name, language, match["text"], line))
    return found


def steps_of(text: str) -> list[Step]:
    """The commands of a `quick` block, each with its output."""
    assert text.startswith("$ "), f"the block begins without a command: {text[:60]!r}"
    steps = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next(index for index, line in enumerate(lines) if not line.endswith("\\")) + 1
        steps.append(Step("\n".join(lines[:end]), "\n".join(lines[end:]).strip()))
    return steps


def command_of(block: Block) -> str:
    """The one shell command of a `first-chat` or `run-tests` block."""
    return re.sub(r"^\$ ", "", block.text, flags=re.MULTILINE).strip()


def matches(expected: str, printed: str) -> bool:
    """Is `printed` what `expected` says, with `...` for anything?"""
    pieces = (re.escape(piece) for piece in expected.strip().split("..."))
    return re.fullmatch(".*".join(pieces), printed.strip(), re.DOTALL) is not None


_BLOCKS = blocks_of((_ROOT / "README.md").read_text())


def _named(name: str) -> list[Block]:
    return [block for block in _BLOCKS if block.name == name]


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The reader's environment: our programs first on the path, a server behind `openai`."""
    folder = tmp_path / "reader"
    folder.mkdir()
    with WireServer() as server:
        environ = {name: value for name, value in os.environ.items() if "CLOUDLLM_TEST" not in name}
        yield environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PWD": str(folder),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
        }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout as it stands, with a git index of its own, as after a clone."""
    folder = tmp_path / "cloudllm"
    for name in _git(_ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"):
        if (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, folder / name)
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    return folder


def test_readme_is_marked_as_it_should_be() -> None:
    names = [block.name for block in _BLOCKS]
    assert set(names) <= _NAMES | {""}
    assert names.count("first-chat") == 1
    assert names.count("run-tests") == 1
    assert "quick" in names
    assert "python" in names


def test_shell_block_without_a_mark_would_go_untested() -> None:
    shell = {"console", "sh", "bash", "shell"}
    assert [block.line for block in _BLOCKS if block.language in shell and not block.name] == []


@pytest.mark.parametrize("block", _named("quick"), ids=str)
def test_commands_print_what_the_readme_shows(block: Block, environment: dict[str, str]) -> None:
    for step in steps_of(block.text):
        done = subprocess.run(
            ["bash", "-c", step.command],
            check=False,
            cwd=environment["PWD"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert matches(step.output, done.stdout), (
            f"README.md, line {block.line}: {step.command}\n{done.stdout}\n"
            f"(exit code {done.returncode}) is not\n{step.output}"
        )


@pytest.mark.parametrize("block", _named("python"), ids=str)
def test_python_block_runs(block: Block, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-"],
        check=False,
        cwd=environment["PWD"],
        env=environment,
        input=block.text,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"README.md, line {block.line}:\n{done.stderr}"


@pytest.mark.parametrize("block", _named("config"), ids=str)
def test_configuration_is_accepted(block: Block, home: Path, environment: dict[str, str]) -> None:
    home.mkdir()
    (home / "config.toml").write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-m", "cloudllm", "config", "check"],
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"README.md, line {block.line}:\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", _named("first-chat"), ids=str)
def test_first_chat_answers_on_a_fresh_machine(block: Block, checkout: Path) -> None:
    done = _run_alone(command_of(block), checkout, text="Hello\n\\end\n", PIP_QUIET="1")
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.strip(), done.stderr[-4000:]


def test_the_test_command_is_what_ci_runs() -> None:
    """Here it would run itself: `.ci/run` has this file print the command, and runs it in a copy."""
    assert '"$python" tests/docs/test_readme.py run-tests' in (_ROOT / ".ci/run").read_text()
    done = subprocess.run(
        [sys.executable, __file__, "run-tests"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == command_of(_named("run-tests")[0])
    assert 'pytest -n auto -m "not slow"' in done.stdout


def test_blocks_are_found_with_mark_language_and_line() -> None:
    readme = (
        "# Title\n\n<!-- test: quick -->\n```console\n$ true\n```\n"
        "```toml\nmodel = 1\n```\n```python\npass\n```\n"
    )
    assert blocks_of(readme) == [
        Block("quick", "console", "$ true\n", 4),
        Block("", "toml", "model = 1\n", 7),
        Block("python", "python", "pass\n", 10),
    ]


def test_steps_are_commands_with_their_output() -> None:
    text = "$ one \\\n    two\nits output\n\nmore\n$ silent\n"
    assert steps_of(text) == [Step("one \\\n    two", "its output\n\nmore"), Step("silent", "")]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a b", "a b\n", True),
        ("a ... c", "a b\nb c", True),
        ("first\n...\nlast", "first\n1\n2\nlast", True),
        ("a.c", "abc", False),
        ("a", "a b", False),
        ("", "surprise", False),
    ],
)
def test_dots_stand_for_anything(expected: str, printed: str, *, same: bool) -> None:
    assert matches(expected, printed) is same


def test_one_command_may_stand_with_a_prompt_and_over_lines() -> None:
    assert command_of(Block("run-tests", "sh", "$ a && \\\n  b\n", 1)) == "a && \\\n  b"


def _run_alone(
    command: str, folder: Path, *, text: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `command` as on a machine of its own: no environment of ours, but pip's settings."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "TEST_WEIGHTS_FOLDER", "PYTEST_ADDOPTS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    python = Path(getattr(sys, "_base_executable", sys.executable)).parent
    path = f"{python}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=folder,
        env=kept | {"HOME": _HOME, "PATH": path} | environ,
        input=text,
        capture_output=True,
        text=True,
    )


def _git(folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return [name for name in done.stdout.split("\0") if name]


if __name__ == "__main__":
    print(command_of(_named(sys.argv[1])[0]))
