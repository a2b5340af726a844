"""The clients a provider makes: as asked for, of what they are given, and of nothing else."""

from __future__ import annotations

import asyncio
import copy
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from cloudllm.errors import CloudLLMError, MissingKey, PluginError
from cloudllm.provider import Client, ProviderSettings
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.given import CANARY
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import asked
from cloudllm.testing.conformance.places import environ
from cloudllm.testing.script import Reply

_ODD_MODEL = "Kit-Vendor/Odd.Model_1:free"
_LOOKING_UP = {"os", "_collections_abc", "collections.abc"}  # the modules through which one asks
_GATEWAY = "/kit-gateway"
_DOUBLED = re.compile(r"/(v\d\w*)/\1/")
_OTHER_KEY = "sk-kit-another-key"


@check(
    "client-made", "client() makes a Client of its own name, or says in one line what is missing"
)
async def made(bench: Bench) -> None:
    """Everything else depends on it."""
    bench.unless_failed("declares-settings")
    for module, package in bench.provider.requires.items():
        if not _installed(module):
            raise NotApplicable(f"it needs {module}: pip install '{package}'")
    try:
        client = await bench.client()
    except PluginError as error:  # whose advice is for people who have installed it
        raise Failed(f"client() gave no client: {error.message}") from None
    except CloudLLMError as error:
        raise Failed(f"client() gave no client: {type(error).__name__}: {error}") from None
    if client.provider != bench.provider.name:
        raise Failed(f"Client.provider is {client.provider!r}, not {bench.provider.name!r}")
    if not client.label.strip():
        raise Failed("Client.label is blank")
    if client.backend is None and client.route is None:
        raise Failed("the client has neither a route for litellm nor a backend")
    if client.backend is not None and not callable(getattr(client.backend, "stream", None)):
        raise Failed("the backend has no method stream()")
    _look_at_info(client)
    with suppress(CloudLLMError):  # it knows its models, and this is none
        _look_at_info(await bench.client(_ODD_MODEL))


def _look_at_info(client: Client) -> None:
    if client.info is not None and client.info.name != client.model:
        raise Failed(f"Client.info of {client.model} is what is known of {client.info.name}")


@check("client-offline", "client() opens no connection")
async def offline(bench: Bench) -> None:
    """It is called when a model is chosen, long before anything is said."""
    await _client(bench)
    bench.forget()
    beyond = len(bench.watch.beyond)
    await _direct(bench, bench.settings())
    if len(bench.watch.beyond) > beyond:
        raise Failed(f"client() tried to reach {bench.watch.beyond[-1]}")
    if bench.server.connections:
        raise Failed("client() connected to api_base; only stream() may")


@check("client-repeatable", "client() depends on its arguments alone: no cache, nothing changed")
async def repeatable(bench: Bench) -> None:
    """Clients are made anew when the model or the settings change."""
    await _client(bench)
    before = copy.copy(vars(bench.provider)), repr(bench.provider)
    settings = bench.settings()
    one, same = [await _direct(bench, settings) for _ in range(2)]
    if _facts(one) != _facts(same):
        raise Failed(f"two equal calls of client() gave different {_differing(one, same)}")
    if (vars(bench.provider), repr(bench.provider)) != before:
        raise Failed("client() changed the provider itself")
    if other := sorted(dict(os.environ).items() ^ bench.surroundings.items()):
        raise Failed(f"client() changed the variable {other[0][0]}, which is the whole program's")
    if settings != bench.settings():
        raise Failed("client() changed the settings that it was given")
    if settings.api_key is not None and one.api_key == settings.api_key:
        changed = replace(settings, api_key=type(settings.api_key)(_OTHER_KEY))
        if (await _direct(bench, changed)).api_key != changed.api_key:
            raise Failed("client() with another key gave the client of the first one")


@check("client-environment", "client() reads no environment variable by itself")
async def environment(bench: Bench) -> None:
    """Keys, addresses and settings are found by cloudllm, in an order that it can explain."""
    await _client(bench)
    bench.unless_failed("client-repeatable")
    settings = bench.settings(api_key=None)
    with _lookups(bench.packages) as names:
        plain = await _tried(bench, settings)
    if not isinstance(plain, Client):
        return
    if CANARY in _secret(plain):
        raise Failed(
            f"without a key, client() took one from {_secret(plain)[len(CANARY) :].upper()}"
        )
    fakes = {name: f"{CANARY}{name.lower()}" for name in names if name not in os.environ}
    with environ(fakes):
        other = await _tried(bench, settings)
    if not isinstance(other, Client) or _facts(plain) != _facts(other):
        what = _differing(plain, other) if isinstance(other, Client) else "nothing"
        read = ", ".join(sorted(fakes)) or "a variable"
        raise Failed(f"client() gave another {what} when {read} was set; use ProviderSettings")


@check("missing-key", "without a key there is one line that names the variable, never a traceback")
async def missing_key(bench: Bench) -> None:
    """The commonest error of all."""
    await _client(bench)
    provider = bench.provider
    if provider.key_env and not provider.key_optional:
        for value in (None, "  "):
            environ = dict(bench.variables.needed)
            if value is not None:
                environ[provider.key_env[0]] = value
            await _refused(bench, environ)
    made = await _tried(bench, bench.settings(api_key=None))
    if isinstance(made, Exception) and not isinstance(made, CloudLLMError):
        raise Failed(
            f"client() without a key, as for a server on this machine, raised "
            f"{type(made).__name__}: {made}"
        )


async def _refused(bench: Bench, environ: Mapping[str, str]) -> None:
    registry = bench.registry(environ)
    variable = bench.provider.key_env[0]
    try:
        await asyncio.to_thread(registry.client, f"{bench.provider.name}/{bench.model}")
    except MissingKey as error:
        if variable not in str(error) or "\n" in str(error):
            raise Failed(f"the error does not name {variable} in one line: {error}") from None
    except CloudLLMError as error:
        raise Failed(f"expected MissingKey, came {type(error).__name__}: {error}") from None
    else:
        raise Failed(f"a client was made although {variable} holds no key")


@check("honours-api-base", "requests go to the api_base of the settings")
async def api_base(bench: Bench) -> None:
    """The user may point it at a gateway, and the kit does."""
    client = await _client(bench)
    if client.backend is None and bench.api_base is not None and not bench.provider.offline:
        given, used = _place(bench.api_base), _place(client.api_base or "")
        if given[:2] != used[:2] or not used[2].startswith(given[2]):
            raise Failed(f"client() was given api_base {bench.api_base} and made {client.api_base}")
    beyond = len(bench.watch.beyond)
    bench.unless_failed("stream-events", "does-not-block")
    outcome = await bench.first()
    if outcome.requests:
        if bench.api_base is not None and not bench.failed("client-repeatable"):
            await _below_its_path(bench, bench.api_base, outcome.requests[-1].path)
        return
    if client.own_credentials:
        raise NotApplicable("it looks for credentials of its own, and finds none here")
    if outcome.reply is not None and client.backend is None and bench.api_base is not None:
        raise Failed(f"a reply came, and no request reached {bench.api_base}")
    if outcome.reply is None and len(bench.watch.beyond) > beyond:
        raise Failed(f"it asked {bench.watch.beyond[-1]} instead of {bench.api_base}")
    raise NotApplicable("it asks no server")


async def _below_its_path(bench: Bench, base: str, path: str) -> None:
    """Gateways stand at other paths than the service, and /v1 is in the address already."""
    if _DOUBLED.search(path):
        raise Failed(f"with api_base {base} it asked {path}; the address holds the version already")
    if not path.startswith(given := urlsplit(base).path.rstrip("/")):
        return
    moved = f"{bench.server.origin}{_GATEWAY}{given}"
    outcome = await bench.turn(Reply(), client=await bench.client(api_base=moved))
    came = outcome.requests[-1].path if outcome.requests else outcome.story
    if not came.startswith(_GATEWAY + given):
        raise Failed(f"with api_base {moved} it asked {came}; keep the path of the address")


@check("honours-key", "requests carry the key of the settings, and no other")
async def key(bench: Bench) -> None:
    """By whichever header the service wants."""
    client = await bench.wired()
    if client.own_credentials or not bench.provider.key_env:
        raise NotApplicable("it takes no key")
    sent = (await bench.first()).requests[-1].key
    if sent != bench.key:
        came = "no key" if not sent else "another key than the one it was given"
        if sent and sent.startswith(CANARY):
            came = f"the value of {sent[len(CANARY) :].upper()} instead of the key it was given"
        raise Failed(f"the request carried {came}")
    if bench.failed("client-repeatable"):
        return
    other = await bench.client(key=_OTHER_KEY)
    for which, expected in ((other, _OTHER_KEY), (client, bench.key)):
        outcome = await bench.turn(Reply(), client=which)
        if outcome.requests and outcome.requests[-1].key != expected:
            raise Failed("of two clients with a key each, one sent the key of the other")


@check("honours-model", "the model is asked for by the name the user gave")
async def model(bench: Bench) -> None:
    """Also one that the provider does not know: services have new ones every week."""
    client = await bench.wired()
    sent = asked(await bench.first()).model
    if sent != client.model:
        raise Failed(f"the request asked for {sent!r}, the client is for {client.model!r}")
    if client.model != bench.provider.aliases.get(bench.model, bench.model):
        raise Failed(f"client() was asked for {bench.model!r} and made {client.model!r}")
    try:
        odd = await bench.client(_ODD_MODEL)
    except CloudLLMError:
        return
    if odd.model != _ODD_MODEL:
        raise Failed(f"client() was asked for {_ODD_MODEL!r} and made {odd.model!r}")
    if odd.backend is not None:
        sent = asked(await bench.turn(Reply(), client=odd)).model
        if sent != _ODD_MODEL:
            raise Failed(f"the request asked for {sent!r} instead of {_ODD_MODEL!r}")
        sent = asked(await bench.turn(Reply(), client=client)).model
        if sent != client.model:
            raise Failed(
                f"once a client for {_ODD_MODEL} was made, that for {client.model} asked"
                f" for {sent!r}; a client keeps its model"
            )


@check(
    "hosts-declared", "the client names the host of its address, and only hosts that are declared"
)
async def hosts(bench: Bench) -> None:
    """What is not named there, the gateway lets no request go to."""
    client = await _client(bench)
    own = urlsplit(client.api_base or "").hostname
    if client.route is not None and client.backend is None:
        if not client.hosts:
            raise Failed("Client.hosts is empty, so nothing keeps the key from other hosts")
        if own and own not in client.hosts:
            raise Failed(f"{own}, the host of api_base, is missing in Client.hosts")
    extra = sorted(client.hosts - {own, *bench.provider.hosts, "127.0.0.1"})
    if extra:
        raise Failed(
            f"Client.hosts holds {', '.join(extra)}, which Provider.hosts does not declare"
        )


async def _client(bench: Bench) -> Client:
    """A client, unless none could be made."""
    bench.made()
    return await bench.client()


async def _direct(bench: Bench, settings: ProviderSettings) -> Client:
    """Call `client()` of the provider itself."""
    return await asyncio.to_thread(bench.provider.client, bench.model, settings)


async def _tried(bench: Bench, settings: ProviderSettings) -> Client | Exception:
    try:
        return await _direct(bench, settings)
    except Exception as error:  # noqa: BLE001 - the caller says whether it may be
        return error


def _facts(client: Client) -> Client:
    """What two clients are compared by; backends are objects of their own."""
    return replace(client, backend=None)


def _differing(one: Client, other: Client) -> str:
    names = [name for name in Client.__dataclass_fields__ if name != "backend"]
    return ", ".join(name for name in names if getattr(one, name) != getattr(other, name))


def _secret(client: Client) -> str:
    return client.api_key.get_secret_value() if client.api_key else ""


def _place(url: str) -> tuple[str, int | None, str]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port, parts.path.rstrip("/")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@contextmanager
def _lookups(packages: Collection[str]) -> Iterator[set[str]]:
    """The names of the variables that code of these packages looks up meanwhile."""
    kind: Any = type(os.environ)
    original = kind.__getitem__
    names: set[str] = set()

    def looked_up(self: Any, key: str) -> str:  # noqa: ANN401 - os's own class
        frame = sys._getframe(1)  # noqa: SLF001 - as logging does it
        while frame.f_back is not None and frame.f_globals.get("__name__") in _LOOKING_UP:
            frame = frame.f_back
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in packages:
            names.add(key)
        found: str = original(self, key)
        return found

    kind.__getitem__ = looked_up
    try:
        yield names
    finally:
        kind.__getitem__ = original


CHECKS = (made, offline, repeatable, environment, missing_key, hosts)
ADDRESS = (api_base,)
SENT = (key, model)
