"""Addresses where nobody answers, and the environment, for a while."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit


@contextlib.contextmanager
def closed_port() -> Iterator[tuple[str, int]]:
    """An address at which nobody listens, and nobody will meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()


@contextlib.contextmanager
def black_hole(allowed: set[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """An address that neither accepts nor refuses: its queue of connections is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        allowed.add(address)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - a socket's own method
            filler.connect_ex(address)
        yield address


def moved(url: str, address: tuple[str, int]) -> str:
    """The URL at another address."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{address[0]}:{address[1]}").geturl()


@contextlib.contextmanager
def environ(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Other variables for a while; `None` is a variable that is not there."""
    before = dict(os.environ)
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
