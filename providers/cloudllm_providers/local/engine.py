"""Starts the processes that run the models, one for each model file and its settings, and ends them."""

from __future__ import annotations

import atexit
import json
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cloudllm import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running model: where it answers, with which key, and its context limit in tokens."""

    address: str
    context: int
    key: str = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)


_servers: dict[tuple[Path, int, int], Server] = {}
_processes: set[subprocess.Popen[bytes]] = set()  # those that are still loading, too
_lock = threading.Lock()


def server_for(path: Path, *, context: int, threads: int) -> Server:
    """The server that runs the GGUF file at `path`; it is started if it does not run yet.

    Raises:
        ConfigurationError: the file is not there or is no model that llama.cpp can load.
    """
    check_gguf(path)
    key = (path.resolve(), context, threads)
    with _lock:
        server = _servers.get(key)
        if server is not None and server.process.poll() is None:
            return server
        if server is not None:
            _end(server.process)
        _servers[key] = _start(*key)
        return _servers[key]


def check_gguf(path: Path) -> None:
    """Look at the first bytes, so that what is plainly no model never reaches native code.

    Raises:
        ConfigurationError: in one line, with the path.
    """
    try:
        if path.is_dir():
            raise ConfigurationError(f"{path} is a folder, not a GGUF file")
        if not path.is_file():
            raise ConfigurationError(f"there is no model file {path}")
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    if not magic:
        raise ConfigurationError(f"{path} is empty, not a GGUF file")
    if magic != b"GGUF":
        raise ConfigurationError(f"{path} is not a GGUF file")


def stop_all() -> None:
    """End every model's process, without waiting for one that is still loading."""
    for process in tuple(_processes):
        _end(process)


def _start(path: Path, context: int, threads: int) -> Server:
    key = f"sk-local-{secrets.token_hex(16)}"  # by the pipe: arguments are seen by every user
    order = {"path": str(path), "context": context, "threads": threads, "key": key}
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-P", str(Path(__file__).with_name("server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    _processes.add(process)
    try:
        reply = _ask(process, order)
        if "error" in reply:
            raise ConfigurationError(f"llama.cpp cannot load {path}: {reply['error']}")
    except BaseException:
        _end(process)
        raise
    return Server(
        address=str(reply["address"]), context=int(reply["context"]), key=key, process=process
    )


def _ask(process: subprocess.Popen[bytes], order: dict[str, object]) -> dict[str, str]:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except OSError:  # it is gone already
        answer = b""
    if not answer:
        return {"error": f"it crashed (exit status {process.wait()})"}
    reply: dict[str, str] = json.loads(answer)
    return reply


def _end(process: subprocess.Popen[bytes]) -> None:
    _processes.discard(process)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


atexit.register(stop_all)
