"""There is no other way to the terminal than the few that are listed here (guarantee G6)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("core/cloudllm", "providers/cloudllm_providers", "plugins/cloudllm_plugins")

WRITING = {
    *("print", "write", "writelines", "write_raw", "write_text", "write_bytes", "system", "popen"),
    *("echo", "secho", "echo_via_pager", "progressbar", "confirm", "prompt", "pause", "pprint"),
    *("print_exc", "print_exception", "print_stack", "print_formatted_text", "print_text"),
    *("set_title", "ANSI", "HTML", "Console", "displayhook", "excepthook", "basicConfig"),
}
"""What writes, or would make more of a text than text; what writes to files has the same names."""

TERMINAL = {
    "core/cloudllm/__main__.py": "the version, and errors that pass clean()",
    "core/cloudllm/cli/compose.py": "lines of plugins, each of which passes clean()",
    "core/cloudllm/cli/config.py": "settings and notices, which pass clean() on a terminal",
    "core/cloudllm/cli/listing.py": "every listing and note, which pass clean() on a terminal",
    "core/cloudllm/cli/root.py": "click's help for a group, which passes clean()",
    "core/cloudllm/early.py": "the prompt and terminal modes: constants",
    "core/cloudllm/repl/app.py": "the rows of the chat, which pass own_styles_only()",
    "core/cloudllm/repl/loop.py": "two constant rows, by way of app.py",
    "core/cloudllm/repl/output.py": "how rows are erased: constants",
    "core/cloudllm/repl/plainscreen.py": "text that has passed the filter, or goes to a pipe",
    "core/cloudllm/repl/unsent.py": "two constant rows, by way of app.py",
    "core/cloudllm/streams.py": "what others print, once the chat is over",
    "providers/cloudllm_providers/local/command.py": "its own words, numbers and a path",
}
"""The modules that write to a terminal, and why what they write is safe."""

TOOLS = {
    "core/cloudllm/testing/check.py": "a program for developers of plugins: its own verdicts",
    "core/cloudllm/testing/conformance/watch.py": "gives on what a plugin under test prints",
    "core/cloudllm/testing/faults/__main__.py": "a program for developers: constants",
    "core/cloudllm/testing/serve.py": "a program for developers: requests, in ASCII",
}
STORE = (
    *("conversations", "drafts", "journal", "kept", "pending", "purge", "retention", "running"),
)
FILES = {
    "core/cloudllm/accounts/keeping.py": "the store",
    "core/cloudllm/cli/plugins.py": "a new project",
    "core/cloudllm/cli/probe.py": "an answer to its parent process",
    "core/cloudllm/cli/scaffold.py": "a new project",
    "core/cloudllm/cli/sessions_export.py": "calls an exporter; what it gives passes say_pieces()",
    "core/cloudllm/exporting/pulling.py": "calls an exporter, which gives text",
    "core/cloudllm/plugins/story.py": "the stories of plugins",
    "core/cloudllm/repl/exported.py": "calls an exporter; what it gives goes into a file",
    "core/cloudllm/repl/history.py": "the input history",
    "core/cloudllm/repl/privacy.py": "the store",
    "core/cloudllm/repl/saving.py": "what /save writes",
    "core/cloudllm/settings/files.py": "the settings",
    **dict.fromkeys(map("core/cloudllm/store/{}.py".format, STORE), "the store"),
    "core/cloudllm/testing/conformance/exports.py": "calls an exporter; it drops what that gives",
    "core/cloudllm/testing/connection.py": "a socket",
    "core/cloudllm/testing/target.py": "a project under test",
    "plugins/cloudllm_plugins/exporters/__init__.py": "calls an exporter, which gives text",
    "providers/cloudllm_providers/local/engine.py": "a pipe to its own process",
    "providers/cloudllm_providers/local/pull.py": "a list for pip",
    "providers/cloudllm_providers/local/server.py": "a pipe to its parent process",
}
STREAMS = {
    *("core/cloudllm/__main__.py", "core/cloudllm/early.py", "core/cloudllm/streams.py"),
    *("core/cloudllm/cli/listing.py", "core/cloudllm/cli/config.py", "core/cloudllm/cli/usage.py"),
    *("core/cloudllm/testing/check.py", "core/cloudllm/testing/conformance/watch.py"),
    "providers/cloudllm_providers/local/command.py",
}
"""The modules that name `sys.stdout` or `sys.stderr`: to write, to flush, or to ask what they are."""

ESCAPES = {
    "core/cloudllm/early.py": "terminal modes",
    "core/cloudllm/repl/app.py": "frames",
    "core/cloudllm/repl/background.py": "one question to the terminal, and its answer",
    "core/cloudllm/repl/clipboard.py": "OSC 52, when the person says /copy; its content is base64",
    "core/cloudllm/repl/input.py": "what a terminal sends",
    "core/cloudllm/repl/output.py": "how rows are erased",
    "core/cloudllm/repl/style.py": "our styles",
    "core/cloudllm/repl/theme.py": "our styles",
    "plugins/cloudllm_plugins/exporters/visible.py": "what it finds in a text and replaces",
}
"""The modules with an escape sequence in a string."""


@cache
def _nodes() -> list[tuple[str, ast.AST]]:
    """Every part of every module, and the module's name; what is of no interest left out."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call | ast.Constant | ast.Attribute)
    ]


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return getattr(function, "attr", "") or getattr(function, "id", "")


def _names_stream(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in {"stdout", "stderr", "__stdout__", "__stderr__"}
        and ast.unparse(node.value) == "sys"
    )


def _has_escape(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and not {*"\x1b\x07\x08\x9b\x9d"}.isdisjoint(node.value)
    )


def _where(found: Callable[[ast.AST], bool]) -> set[str]:
    return {name for name, node in _nodes() if found(node)}


def test_G6_every_way_to_the_terminal_is_known() -> None:
    assert _where(lambda node: _called(node) in WRITING) == {*TERMINAL, *TOOLS, *FILES}


def test_G6_nobody_else_holds_a_standard_stream() -> None:
    assert _where(_names_stream) == STREAMS


def test_G6_nobody_else_knows_an_escape_sequence() -> None:
    tests = "core/cloudllm/testing/"
    assert {name for name in _where(_has_escape) if not name.startswith(tests)} == {*ESCAPES}


def test_G6_rows_go_out_by_one_function() -> None:
    source = (ROOT / "core/cloudllm/repl/app.py").read_text()
    raw = [node for node in ast.walk(ast.parse(source)) if _called(node) == "write_raw"]
    written = {ast.unparse(node.args[0]) for node in raw if isinstance(node, ast.Call)}
    constants = {"_ERASE_LINE", "self.background.ask()"}
    assert written == {*constants, "self._held_lines()", "sequence"}
