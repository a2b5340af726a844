"""Where the key goes, where it is shown, where connections lead, and what is printed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import traceback
from collections.abc import Iterator
from pathlib import Path

from cloudllm.testing.conformance.bench import QUESTION, Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.given import CANARY
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import Outcome
from cloudllm.testing.conformance.watch import logged
from cloudllm.testing.script import Received, Reply

_LONGEST_FILE = 32_000_000  # bytes, of which the last are looked at


@check("redirects-refused", "a redirect to another host is an error, and is not followed")
async def redirects(bench: Bench) -> None:
    """Whoever can redirect a request could else collect keys and conversations."""
    client = await bench.wired()
    path = (await bench.first()).requests[-1].path
    elsewhere = bench.stranger.origin.replace("127.0.0.1", "localhost") + path
    bench.watch.allowed.add(("localhost", bench.stranger.address[1]))
    for status in (302, 307):
        outcome = await bench.turn(Reply.redirect(elsewhere, status), client=client)
        followed = bench.stranger.connections > 0
        bench.stranger.forget()
        if followed:
            raise Failed(f"it followed a redirect ({status}) to another host")
        if outcome.error is None:
            raise Failed(f"the service redirected ({status}), came {outcome.story}; should fail")


@check(
    "key-only-to-its-host", "with a key it talks to its own host only, and carries no other's key"
)
async def key_only(bench: Bench) -> None:
    """Every request of this run so far is looked through."""
    await bench.wired()
    await bench.turn(Reply())
    bench.forget()
    for request in bench.received:
        _no_canary(request)
    for request in (*bench.stranger.requests, *bench.stranger.listings):
        carried = " with the key" if bench.key in _everything(request) else ""
        raise Failed(f"a request{carried} went to an address that a foreign variable names")
    if bench.provider.key_env:
        _no_stranger(bench)


def _no_stranger(bench: Bench, *, local: bool = False) -> None:
    """Raise `Failed` for connections to others; `local` if it runs a server on this machine."""
    bench.unless_failed("honours-api-base", "client-offline")
    if bench.watch.beyond:
        hosts = ", ".join(dict.fromkeys(bench.watch.beyond))
        raise Failed(f"it tried to reach {hosts}, which is not the host of api_base")
    if bench.watch.strange and not local:
        raise Failed(f"it connected to {', '.join(dict.fromkeys(bench.watch.strange))}")


def _no_canary(request: Received) -> None:
    sent = _everything(request)
    if CANARY in sent:
        name = sent[sent.index(CANARY) + len(CANARY) :].split('"')[0].split("'")[0]
        raise Failed(f"a request carried the value of {name.split()[0].upper()}")


def _everything(request: Received) -> str:
    return f"{request.path}?{request.query} {dict(request.headers)} {request.body}"


@check("key-never-shown", "the key is in no error, no representation, no address and no text")
async def key_hidden(bench: Bench) -> None:
    """Also where the service repeats it."""
    client = await bench.wired()
    if not bench.provider.key_env or client.own_credentials:
        raise NotApplicable("it takes no key")
    for name, thing in (("provider", bench.provider), ("client", client)):
        if bench.key in repr(thing):
            raise Failed(f"repr() of the {name} holds the key; keep it in a SecretStr")
    echoes = (
        Reply.error(401, "wrong key {key}"),
        Reply.error(400, "no use for {key}"),
        Reply.error(429, "{key} is too fast"),
        Reply.error(500, "{key}"),
        Reply(body="<html>{key}</html>", content_type="text/html"),
        Reply(body="{key}", status=502),
    )
    for reply in echoes:
        outcome = await bench.turn(reply, client=client)
        for place, text in _texts(outcome):
            if bench.key in text:
                raise Failed(f"the service repeated the key, and {place} shows it")
        _no_key_beside_the_headers(bench.key, outcome)
    if bench.key in bench.output.text:
        raise Failed("it printed the key")
    with logged(bench.packages) as texts:
        await bench.turn(Reply(), client=await bench.client())
    if bench.key in "\n".join(texts):
        raise Failed("it logged the key; whoever turns on debugging sends that to others")


def _no_key_beside_the_headers(key: str, outcome: Outcome) -> None:
    for request in outcome.requests:
        if key in f"{request.path}?{request.query}":
            raise Failed("the key stands in the address, which is logged on the way; use a header")
        if key in str(request.body):
            raise Failed("the key stands in the body, which services keep; use a header")


def _texts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    if (error := outcome.error) is not None:
        yield "the error", f"{error} {error!r} {getattr(error, 'advice', '')}"
        yield "the traceback of the error", "".join(traceback.format_exception(error))
    if outcome.reply is not None:
        yield "the error of the reply", str(outcome.reply.error)


@check("no-traces", "neither the key nor the conversation is left in a file")
async def no_traces(bench: Bench) -> None:
    """Where conversations are kept is for the person to say. Looks at all files it wrote to."""
    client = await bench.answers()
    mark = f"mark-{secrets.token_hex(8)}"
    await bench.turn(Reply(), client=client, text=f"{QUESTION} {mark}")
    for path in sorted(bench.watch.written):
        text = await asyncio.to_thread(_read, Path(path))
        for what, sought in (("the key", bench.key), ("what was said", mark)):
            if sought.encode() in text:
                raise Failed(f"it wrote {what} to {Path(path).name}")


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _LONGEST_FILE))
                return file.read()
    return b""


@check("no-surprise-network", "it connects to the hosts it declares and to nothing else")
async def no_surprise(bench: Bench) -> None:
    """Looks back on the whole run."""
    client = await bench.answers()
    bench.unless_failed("honours-api-base", "client-offline", "key-only-to-its-host")
    local = "127.0.0.1" in client.hosts and not (await bench.first()).requests
    _no_stranger(bench, local=local)


@check("no-output", "nothing is printed: not by print, logging, warnings or file descriptor")
async def no_output(bench: Bench) -> None:
    """The screen is the chat's. Looks back on the whole run."""
    if bench.output.text.strip():
        shown = bench.clean(bench.output.text.strip().splitlines()[0])
        raise Failed(f"it printed {len(bench.output.text):,} characters: {shown:.80}")


CHECKS = (redirects, key_only, key_hidden, no_traces)
LAST = (no_surprise, no_output)
