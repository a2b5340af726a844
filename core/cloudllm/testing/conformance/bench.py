"""Where a provider is tried: its clients, a server that answers them, and what came of each turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Self

from cloudllm import gateway
from cloudllm.errors import CloudLLMError, ConfigurationError, PluginError
from cloudllm.events import TurnFinished
from cloudllm.messages import Message, Role
from cloudllm.plugins import Plugins
from cloudllm.provider import Client, Deadlines, KnownGap, Provider, ProviderSettings, Request
from cloudllm.registry import Registry
from cloudllm.retry import RetryPolicy
from cloudllm.session import LLMSession
from cloudllm.testing.conformance.given import GivenPlugins, environment
from cloudllm.testing.conformance.imports import Imported
from cloudllm.testing.conformance.model import NotApplicable, Verdict
from cloudllm.testing.conformance.outcome import Delta, Outcome, Raw
from cloudllm.testing.conformance.places import environ
from cloudllm.testing.conformance.watch import Output, Watch
from cloudllm.testing.script import Received, Reply, Script
from cloudllm.testing.server import WireServer
from cloudllm.testing.wires import Wire, wire_of

PATIENCE = 4.0
"""Seconds after which a turn that does not end is given up."""

_THINKING = 15.0  # the same for a model in this process, which has to think
_SHORT_ANSWER = 24  # tokens, for such a model
_OURS = {"cloudllm.provider"}
_HURRY = 1.0  # the same, once a turn has been given up
QUESTION = "Say something."
ONCE = RetryPolicy(attempts=1)
"""A session that does not try again: what is tried here is what one request brings."""


class Bench:
    """A provider under test; a context manager, of which one may be open at a time."""

    def __init__(
        self,
        provider: Provider,
        plugins: Plugins | None = None,
        *,
        imported: Imported | str | None = None,
        watch: Watch | None = None,
        output: Output | None = None,
    ) -> None:
        self.provider = provider
        self.imported = imported
        self.name = f"provider {provider.name}"
        self.verdicts: dict[str, Verdict] = {}
        self.gaps: Mapping[str, KnownGap] = {gap.item: gap for gap in provider.known_gaps}
        self.key = f"sk-kit-{secrets.token_hex(12)}"
        self.watch = watch or Watch()
        self.output = output or Output()
        self.server = WireServer()
        self.stranger = WireServer()
        self.received: list[Received] = []
        self.variables = environment(provider)
        self._given = plugins or GivenPlugins(provider)
        # Without an address it may be a model in this process; the first turn tells.
        self._thinks = provider.api_base is None
        self._patience = _THINKING if self._thinks else PATIENCE
        self._backends: set[str] = set()
        self._memory: dict[str, asyncio.Future[Any]] = {}
        self._stack = contextlib.ExitStack()
        self.surroundings: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        for manager in (self.server, self.stranger, self.output):
            self._stack.enter_context(manager)
        foreign = self.variables.canaries(self.stranger.url)
        self._stack.enter_context(environ(foreign))
        self.surroundings = dict(os.environ)
        self.watch.allowed |= {self.server.address, self.stranger.address}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While an item runs: watched, and what it prints kept."""
        with self.watch.on(), self.output.captured():
            yield

    def clean(self, text: str) -> str:
        """The text without the key of this run."""
        return text.replace(self.key, "***")

    # Clients

    @property
    def api_base(self) -> str | None:
        """This run's stand-in for the provider's address."""
        declared = self.provider.api_base
        if declared is not None:
            return self.server.at(declared)
        return None if self.provider.offline else self.server.origin

    @property
    def model(self) -> str:
        """A model to ask for."""
        known = (info.name for info in self.provider.models)
        return self.provider.default_model or next(known, "kit-model-1")

    async def client(
        self, model: str | None = None, *, api_base: str | None = None, key: str | None = ""
    ) -> Client:
        """A fresh client, by the way that every client is made."""
        return await asyncio.to_thread(self.make_client, model, api_base=api_base, key=key)

    def make_client(
        self, model: str | None = None, *, api_base: str | None = None, key: str | None = ""
    ) -> Client:
        """The same, blocking; `key` "" is this run's, `None` is none."""
        registry = self.registry()
        if key == "":
            key = self.key if self.provider.key_env else None
        base = api_base or self.api_base
        model_id = f"{self.provider.name}/{model or self.model}"
        try:
            return self._noted(registry.client(model_id, api_key=key, api_base=base))
        except ConfigurationError as error:
            if self.provider.api_base or api_base or isinstance(error, PluginError):
                raise
            with contextlib.suppress(CloudLLMError):  # it takes no address
                return self._noted(registry.client(model_id, api_key=key))
            raise

    def _noted(self, client: Client) -> Client:
        if client.backend is not None:
            self._backends.add(type(client.backend).__module__)
        return client

    def registry(self, environ: Mapping[str, str] | None = None) -> Registry:
        """A registry with this provider and nothing configured but what it cannot do without."""
        chosen = self.variables.needed if environ is None else environ
        return Registry(plugins=self._given, environ=chosen)

    def settings(self, **changes: object) -> ProviderSettings:
        """What `client()` of the provider is called with."""
        from pydantic import SecretStr  # noqa: PLC0415 - loaded with litellm in any case

        model = self.provider.settings_model
        options = model.model_validate(self.variables.options) if model else None
        key = SecretStr(self.key) if self.provider.key_env else None
        made = ProviderSettings(api_key=key, api_base=self.api_base, options=options)
        return replace(made, **changes)  # type: ignore[arg-type] # fields by name

    @property
    def packages(self) -> frozenset[str]:
        """The packages, or the modules of none, whose code is the provider's."""
        own = {type(self.provider).__module__, *self._backends}
        return frozenset(each.partition(".")[0] for each in own) - {"cloudllm"} | own - _OURS

    # Turns

    async def turn(
        self,
        script: Script,
        *,
        text: str = QUESTION,
        client: Client | None = None,
        deadlines: Deadlines | None = None,
        prepare: Callable[[LLMSession], None] | None = None,
    ) -> Outcome:
        """Say `text` in a session of its own; every request that is made gets `script`."""
        client = client or await self.client()
        self.forget()
        self.server.default = script
        outcome = await self.said(client, text, deadlines=deadlines, prepare=prepare)
        outcome.requests = self.server.requests
        return outcome

    async def said(
        self,
        client: Client,
        text: str = QUESTION,
        *,
        deadlines: Deadlines | None = None,
        prepare: Callable[[LLMSession], None] | None = None,
        patience: float | None = None,
    ) -> Outcome:
        """Say `text` in a session of its own, whatever the server is told to answer."""
        await gateway.ready()  # so that no deadline is spent on loading litellm
        session = LLMSession(client, deadlines=deadlines or Deadlines(connect=2.0), retry=ONCE)
        if self._thinks:
            session.max_output_tokens = _SHORT_ANSWER
        if prepare is not None:
            prepare(session)
        outcome = Outcome()

        async def listen() -> None:
            async with aclosing(session.stream_message(Role.USER, text)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        outcome.deltas.append(event)
                    elif isinstance(event, TurnFinished):
                        outcome.reply = event.reply

        outcome.waited = patience or self._patience
        outcome.gave_up, error = await self.patiently(listen(), patience)
        if isinstance(error, Exception):
            outcome.error = error
        return outcome

    async def hears(self, client: Client, deltas: int = 1) -> bool:
        """Say something, and stop listening after so many deltas; whether they came at all."""
        session = LLMSession(
            client,
            deadlines=Deadlines(connect=2.0),
            retry=ONCE,
            max_output_tokens=_SHORT_ANSWER if self._thinks else None,
        )
        heard = 0

        async def listen() -> None:
            nonlocal heard
            async with aclosing(session.stream_message(Role.USER, QUESTION)) as events:
                async for event in events:
                    heard += isinstance(event, Delta)
                    if heard == deltas:
                        return

        await self.patiently(listen())
        return heard == deltas

    async def raw(self, client: Client, script: Script, request: Request | None = None) -> Raw:
        """Call a backend without anything around it."""
        assert client.backend is not None  # noqa: S101 - the callers asked
        self.forget()
        self.server.default = script
        question = (Message(Role.USER, QUESTION),)
        asked = request or Request(messages=question, max_output_tokens=_SHORT_ANSWER)
        raw, start = Raw(), time.perf_counter()
        stream = client.backend.stream(asked)

        async def listen() -> None:
            async for event in stream:
                raw.events.append(event)
                await asyncio.sleep(0)  # for one that yields for ever

        raw.gave_up, raw.error = await self.patiently(listen())
        raw.seconds = time.perf_counter() - start
        return raw

    async def patiently(
        self, work: Coroutine[Any, Any, None], patience: float | None = None
    ) -> tuple[bool, BaseException | None]:
        """Do it, but not for ever: whether it was given up, and what it raised."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=patience or self._patience)
        except asyncio.CancelledError:
            await _stopped(task)
            raise
        if not task.done():
            self._patience = _HURRY
            await _stopped(task)
            return True, None
        return False, None if task.cancelled() else task.exception()

    def forget(self) -> None:
        """Make the server as new; what it received is kept apart."""
        self.received += self.server.requests
        self.server.forget()

    # What is known

    async def once(self, what: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - of anything
        """The result of `make`, which is awaited the first time."""
        if what not in self._memory:
            self._memory[what] = asyncio.ensure_future(make())
        return await self._memory[what]

    def failed(self, item: str) -> bool:
        """Whether that item ran and is not met."""
        verdict = self.verdicts.get(item)
        return verdict is not None and verdict.result in ("failed", "known gap")

    def unless_failed(self, *items: str) -> None:
        """Go on only if none of these items failed; raises `NotApplicable`."""
        for item in items:
            if self.failed(item):
                raise NotApplicable(f"see {item}")

    def made(self) -> None:
        """Go on only if clients can be made; raises `NotApplicable`."""
        verdict = self.verdicts.get("client-made")
        if verdict is not None and verdict.result != "ok":
            raise NotApplicable("see client-made")

    async def first(self) -> Outcome:
        """The first turn of all; it tells what kind of provider this is."""

        async def ask() -> Outcome:
            outcome = await self.turn(Reply())
            if outcome.requests and self._thinks:
                self._thinks, self._patience = False, min(self._patience, PATIENCE)
            return outcome

        outcome: Outcome = await self.once("first", ask)
        return outcome

    @property
    def wire(self) -> Wire | None:
        """The format of the first turn's request."""
        first = self._memory.get("first")
        requests = first.result().requests if first is not None and first.done() else []
        return wire_of(requests[-1].path) if requests else None

    async def answers(self) -> Client:
        """A fresh client of a provider that answers; raises `NotApplicable` if it does not."""
        self.made()
        self.unless_failed("honours-api-base", "stream-events", "does-not-block", "answers")
        outcome = await self.first()
        if outcome.reply is None:
            raise NotApplicable("it does not answer; see answers")
        return await self.client()

    async def wired(self) -> Client:
        """A fresh client of a provider that answers from the server; raises `NotApplicable`."""
        client = await self.answers()
        if not (await self.first()).requests:
            raise NotApplicable("it answers in this process and asks no server")
        return client

    async def backend(self) -> Client:
        """A fresh client with a backend of its own; raises `NotApplicable`."""
        client = await self.answers()
        if client.backend is None:
            raise NotApplicable("it has no backend of its own")
        return client


async def _stopped(task: asyncio.Future[Any]) -> None:
    """Cancel it, and wait a moment for what comes of that."""
    task.cancel()
    await asyncio.wait({task}, timeout=_HURRY)
    if task.done() and not task.cancelled():
        task.exception()  # else it would be told when the task is collected


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until `condition` holds; false if that took longer."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.005)
    return True
