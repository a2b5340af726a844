"""What plugins and libraries print while a chat runs, by whatever way, stays away from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[..., str]


def run(program: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program that has our streams; what it says by `streams.out()` is its reply."""
    imports = "import json, os, sys, time\nfrom cloudllm import streams\n"
    return subprocess.run(
        [sys.executable, "-c", imports + textwrap.dedent(program)],
        text=True,
        timeout=60,
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(site or "")},
    )


PRINTING = {
    "print": "print('noise')",
    "stderr": "import sys; sys.stderr.write('noise\\n')",
    "buffer": "import sys; sys.stdout.buffer.write(b'noise\\n')",
    "original": "import sys; sys.__stdout__.write('noise\\n')",
    "logging": "import logging; logging.error('noise')",
    "warnings": "import warnings; warnings.warn('noise')",
    "write": "import os; os.write(1, b'noise\\n')",
    "write to 2": "import os; os.write(2, b'noise\\n')",
    "subprocess": "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(\"noise\")'])",
    "C": "import ctypes; ctypes.CDLL(None).puts(b'noise')",
    "thread": "import threading; t = threading.Thread(target=print, args=('noise',)); t.start(); t.join()",
    "dying thread": "import threading\ndef f(): raise ValueError('noise')\n"
                    "t = threading.Thread(target=f); t.start(); t.join()",
    "much": "import sys; sys.stdout.write('noise' * 1_000_000)",
    "much by descriptor": "import os; [os.write(1, b'noise' * 1000) for _ in range(1000)]",
    "odd bytes": "import os; os.write(1, b'\\xff\\x1b[2J\\0noise')",
}  # fmt: skip
PROVIDER = """
from cloudllm import Provider, hookimpl

@hookimpl
def cloudllm_providers():
    return [Provider(name="NAME", label="Test", litellm_route="openai")]
"""


def test_G8_what_a_plugin_prints_is_told_in_one_line_and_kept(
    install: Install, tmp_path: Path
) -> None:
    """At import and at registration, by every way there is, in one process."""
    names = {f"p{number}": way for number, way in enumerate(PRINTING)}
    for name, way in names.items():
        provider = PROVIDER.replace("NAME", name)
        body = textwrap.indent(PRINTING[way], "    ")
        install(f"{name}", f"{PRINTING[way]}\n{provider}".replace("():\n    return", f"():\n{body}\n    return"))  # fmt: skip
    done = run(
        f"""
        from pathlib import Path
        from cloudllm.plugins import Plugins
        plugins = Plugins(state_file=Path({str(tmp_path / "plugins.json")!r}))
        said = []
        with streams.contained():
            for name in {list(names)!r}:
                plugins.listen(said.append)
                plugins.provider(name)
            plugins.close()
            streams.out().write(json.dumps(said))
        print(json.dumps([plugins.story(plugins.plugin_of(n)).output for n in {list(names)!r}]))
        """,
        tmp_path / "site",
    )
    assert done.stderr == ""
    decoder = json.JSONDecoder()
    said, end = decoder.raw_decode(done.stdout)
    stories = json.loads(done.stdout[end:])
    for (name, way), story in zip(names.items(), stories, strict=True):
        lines = [line for line in said if line.startswith(f"plugin {name} (cloudllm-{name} 1.2): ")]
        told = [line.partition("): ")[2].partition(" printed ")[0] for line in lines]
        assert told == ["loading", "cloudllm_providers"], (way, lines)
        assert all(f"plugins show {name}" in line and line.isprintable() for line in lines)
        assert "noise" in story, way
        assert len(story) <= 4000
    assert len(said) == 2 * len(names)


BACKGROUND = """
import os, threading
def later():
    threading.Event().wait(0.05)
    {how}
threading.Thread(target=later).start()
"""


@pytest.mark.parametrize("how", ["print('noise')", "os.write(1, b'noise\\n')", "raise KeyError"])
def test_G8_what_a_thread_of_a_plugin_prints_later_is_told_too(
    how: str, install: Install, tmp_path: Path
) -> None:
    """The line comes by itself, however quiet the chat is."""
    source = BACKGROUND.format(how=how) + PROVIDER.replace("NAME", "acme")
    install("acme", source)
    install("other", PROVIDER.replace("NAME", "other"))
    done = run(
        """
        from cloudllm.plugins import Plugins
        plugins = Plugins(allow=["acme"])
        said = []
        plugins.listen(said.append)
        with streams.contained():
            plugins.provider("acme"), plugins.provider("openai")
            while not said:
                time.sleep(0.01)
        print(json.dumps(said))
        """,
        tmp_path / "site",
    )
    (line,) = json.loads(done.stdout)
    assert line.startswith("plugin acme (cloudllm-acme 1.2): a thread or process of it printed ")


def test_what_any_of_several_plugins_wrote_is_blamed_on_none(
    install: Install, tmp_path: Path
) -> None:
    """By file descriptor, and without a secret."""
    for name in ("noisy", "silent"):
        install(name, "", group="cloudllm.plugins")
    done = run(
        f"""
        import threading
        from pathlib import Path
        from cloudllm.plugins import Plugins
        os.environ["MY_API_KEY"] = "sk-very-secret"
        plugins = Plugins(state_file=Path({str(tmp_path / "plugins.json")!r}))
        noisy, silent = (p for p in plugins.installed if p.name in ("noisy", "silent"))
        said, entered, wrote = [], threading.Event(), threading.Event()
        plugins.listen(said.append)
        with streams.contained():
            def wait():
                entered.set()
                wrote.wait()
            other = threading.Thread(target=lambda: plugins.guard(silent, "waiting", wait))
            other.start()
            entered.wait()
            plugins.guard(noisy, "writing", lambda: os.write(1, b"noise sk-very-secret"))
            wrote.set()
            other.join()
            plugins.guard(noisy, "printing", lambda: print("sk-very", "secret", sep="-"))
        plugins.close()
        print(json.dumps([said, [(s.printed, s.output, s.notes) for s in map(plugins.story, (noisy, silent))]]))
        """,
        tmp_path / "site",
    )
    (line, printed), (noisy, silent) = json.loads(done.stdout)
    names = "noisy (cloudllm-noisy 1.2), silent (cloudllm-silent 1.2)"
    told = f"one of the plugins {names} printed 20 characters, kept out of the chat"
    assert line == f"{told}; cloudllm plugins show noisy shows them"
    assert printed.startswith("plugin noisy (cloudllm-noisy 1.2): printing printed 15 characters")
    note = f"{told}, beginning with 'noise ***'"
    assert silent == [0, "", [note]]
    assert noisy == [15, "***\n", [note]]


def test_a_program_writes_past_the_sink_and_gets_its_streams_back() -> None:
    done = run(
        """
        before = sys.stdin, sys.stdout, sys.stderr
        with streams.contained():
            print("noise"); os.write(1, b"noise"); os.write(2, b"noise")
            streams.out().write("reply "); streams.err().write("notice "); streams.out().flush()
            with streams.contained():
                print("noise")
            assert sys.stdin.read() == "" and streams.stdin() is before[0]
            assert not sys.stdout.isatty() and sys.stdout.fileno() == 1
            sys.__stdout__.write("noise")
            try:
                input("noise")
            except EOFError:
                pass
        assert (sys.stdin, sys.stdout, sys.stderr) == before
        print("after"); os.write(2, b"after")
        """
    )
    assert (done.stdout, done.stderr, done.returncode) == ("reply after\n", "notice after", 0)


def test_the_streams_come_back_whatever_happens() -> None:
    done = run(
        """
        try:
            with streams.contained():
                sys.stdout = None
                raise SystemExit(3)
        finally:
            print("after")
        """
    )
    assert (done.stdout, done.returncode) == ("after\n", 3)


def test_a_logger_made_meanwhile_works_afterwards() -> None:
    """The command of a plugin is imported in the dark, and then runs with the streams its own."""
    done = run(
        """
        import logging
        with streams.contained():
            logging.basicConfig(level="INFO", format="%(message)s")
            logging.info("noise")
            kept = sys.stdout
        logging.info("said")
        print("printed", file=kept, flush=True)
        """
    )
    assert (done.stdout, done.stderr) == ("printed\n", "said\n")


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_stream_is_not_somebody_elses_file(closed: str, tmp_path: Path) -> None:
    program = (
        "import os, sys; from cloudllm import streams\n"
        "with streams.contained():\n"
        " os.write(2, b'noise'); os.write(1, b'noise'); print('noise')\n"
        " assert streams.err() is None or '2>' not in sys.argv[1]\n"
        " streams.out().write('reply')\n"
        "print(' after')"
    )
    command = f'"$0" -c "$1" "$2" {closed} >reply'
    subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, program, closed], cwd=tmp_path, check=True
    )
    assert (tmp_path / "reply").read_text() == "reply after\n"


def test_the_sink_stays_small_however_much_comes() -> None:
    done = run(
        """
        with streams.contained():
            sink = streams.sink()
            for _ in range(50):
                os.write(1, b"x" * 500_000)
                text, length = sink.take()
                assert len(text) <= 65536 and length == 500_000
            size = os.fstat(1).st_size
        print(size)
        """
    )
    assert int(done.stdout) < 2_000_000


def test_where_standard_output_is_captured_nothing_changes() -> None:
    done = run(
        """
        import io
        sys.stdout = captured = io.StringIO()
        with streams.contained():
            print("mine")
            assert streams.sink() is None and streams.out() is captured
        sys.stdout = sys.__stdout__
        print(captured.getvalue())
        """
    )
    assert done.stdout == "mine\n\n"
