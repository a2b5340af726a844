"""Addresses where no request arrives: nobody there, nobody listening, no TLS, the wrong TLS."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cloudllm.testing.faults.model import Place

_SUBJECT = "/CN=wrong.invalid"
_UNRESOLVED = "cloudllm-no-such-host.invalid"  # RFC 6761: no name below .invalid is ever found
_FIRST = 64  # bytes of a request


class Places:
    """The addresses of a fault server beside its own; `url` of each is an `api_base`.

    refused     nobody listens there
    unresolved  a name that does not exist
    full        connections are never accepted, since too many wait already (Linux)
    deaf        accepts connections and never reads
    hasty       hangs up while the request is still being sent
    plain       https to a port that speaks http
    no-cipher   TLS with nothing to agree on
    stranger    TLS with the certificate of somebody else
    afar        http to a host that is not this machine; nobody is there
    proxy       a host beyond a proxy that refuses; see `environment`
    """

    def __init__(self, stack: ExitStack, port: int) -> None:
        self._stack = stack
        self._urls: dict[str, str] = {
            "here": f"http://127.0.0.1:{port}/v1",
            "plain": f"https://127.0.0.1:{port}/v1",
            "unresolved": f"https://{_UNRESOLVED}/v1",
            "afar": "http://192.0.2.1/v1",  # RFC 5737: for documentation, so nobody is there
            "proxy": f"https://{_UNRESOLVED}/v1",
        }

    def url(self, place: Place) -> str:
        """Its address; raises `LookupError` where this machine can't have such a place."""
        if place not in self._urls:
            self._urls[place] = self._stack.enter_context(_MAKERS[place]())
        return self._urls[place]

    def environment(self, place: Place) -> dict[str, str]:
        """The variables that a program needs to get there."""
        if place != "proxy":
            return {}
        return {"HTTPS_PROXY": self.url("refused").removesuffix("/v1")}


def _at(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}/v1"


@contextmanager
def _refused() -> Iterator[str]:
    with socket.socket() as bound:  # so that nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        yield _at(bound.getsockname()[1])


@contextmanager
def _full() -> Iterator[str]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - socket's own
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield _at(listener.getsockname()[1])


@contextmanager
def _deaf() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield _at(listener.getsockname()[1])


@contextmanager
def _hasty() -> Iterator[str]:
    with _served(_hang_up) as port:
        yield _at(port)


@contextmanager
def _no_cipher() -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate
    with _served(lambda caller: _shake(context, caller)) as port:
        yield _at(port, "https")


@contextmanager
def _stranger() -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _certify(context)
    with _served(lambda caller: _shake(context, caller)) as port:
        yield _at(port, "https")


_MAKERS = {
    "refused": _refused,
    "full": _full,
    "deaf": _deaf,
    "hasty": _hasty,
    "no-cipher": _no_cipher,
    "stranger": _stranger,
}


@contextmanager
def _served(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose callers are handled one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                caller, _ = listener.accept()
                with caller, contextlib.suppress(OSError):  # an SSLError is one
                    if stopping.is_set():
                        return
                    caller.settimeout(5.0)
                    handle(caller)

        stopping = threading.Event()
        thread = threading.Thread(target=serve, name="fault-place", daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            stopping.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def _hang_up(caller: socket.socket) -> None:
    caller.recv(_FIRST)
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _shake(context: ssl.SSLContext, caller: socket.socket) -> None:
    with context.wrap_socket(caller, server_side=True) as secure:
        secure.recv(_FIRST)


def _certify(context: ssl.SSLContext) -> None:
    """Give it a certificate of its own making; the `ssl` module can't make one."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise LookupError("the program openssl, which makes the certificate, is not installed")
    with tempfile.TemporaryDirectory(prefix="cloudllm-certificate-") as folder:
        key, certificate = Path(folder, "key"), Path(folder, "certificate")
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        command += ["-subj", _SUBJECT, "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)  # noqa: S603 - ours
        context.load_cert_chain(certificate, key)
