"""Items for session plugins: their hooks and commands, called as a chat calls them, and harder."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from importlib.metadata import EntryPoint
from types import MappingProxyType, ModuleType
from typing import Any, Self

from cloudllm.command import Command
from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.events import (
    Event,
    ReasoningDelta,
    RequestSent,
    TextDelta,
    Trimmed,
    TurnFinished,
    TurnInfo,
)
from cloudllm.hookspecs import API_VERSION
from cloudllm.messages import Message, Role, Status, Usage
from cloudllm.plugins import SESSIONS, Plugin, Plugins
from cloudllm.provider import KnownGap, Request
from cloudllm.testing.conformance.engine import Check, check
from cloudllm.testing.conformance.imports import Imported, imports
from cloudllm.testing.conformance.model import Failed, NotApplicable, Verdict
from cloudllm.testing.conformance.watch import Output, Watch
from cloudllm.testing.target import HOOKS
from cloudllm.threads import in_thread

_DEADLINE = 5.0
_SLOW_REQUEST = 0.5  # seconds that every turn would wait
_SLOW_TOOLBAR, _TOOLBAR_CALLS = 0.2, 3  # seconds after each turn until the row is true
_MOST_TEXTS, _LONGEST_TEXT = 3, 30
_SLOW_EVENT = 0.02  # seconds; there are a hundred events in a second
_ENOUGH = 20  # calls of which the average tells something
_COMMAND = re.compile(r"/[a-z][a-z0-9_-]{0,30}")
_TURNS = tuple(TurnInfo(session=s, number=n, model="echo/echo") for n in (1, 2) for s in "ab")

_REPLIES = (
    Message(
        Role.ASSISTANT, "Whole.", finish_reason="stop", usage=Usage(input_tokens=1), model="a/b"
    ),
    Message(Role.ASSISTANT, "", finish_reason="stop"),
    Message(Role.ASSISTANT, "cut", status=Status.PARTIAL, error="the stream was cut", model="a/b"),
    Message(Role.ASSISTANT, "", reasoning="hm", status=Status.CANCELLED, error="cancelled"),
    Message(Role.ASSISTANT, "\x00\x1b[2J日本\ud83d " * 50, usage=Usage(estimated=True)),
)
_EVENTS: tuple[Event, ...] = (
    Trimmed(3, 1200),
    RequestSent("echo/echo"),
    ReasoningDelta("hm"),
    TextDelta(""),
    TextDelta("a"),
    TextDelta("\x00\x1b[2J日本👩\u200d👧\ud83d"),
    TextDelta("x" * 100_000),
    *(TextDelta(f"word{number} ") for number in range(50)),
    *map(TurnFinished, _REPLIES),
)
_SYSTEM = Message(Role.SYSTEM, "Be brief.")
_REQUESTS = (
    Request(messages=(Message(Role.USER, "Hello"),)),
    Request(messages=(_SYSTEM, Message(Role.USER, "\x00日本👩\u200d👧")), temperature=0.0),
    Request(
        messages=(
            _SYSTEM,
            *(
                Message((Role.USER, Role.ASSISTANT)[number % 2], f"message {number} " * 100)
                for number in range(100)
            ),
            Message(Role.USER, "And now?"),
        ),
        params={"kit": [1]},
    ),
)


class _Given(Plugins):
    """One session plugin, installed or not, and no other."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(deadline=_DEADLINE)
        self._plugin = plugin

    @cached_property
    def installed(self) -> list[Plugin]:
        """Nothing else runs beside it."""
        return [self._plugin]


class Stand:
    """A session plugin under test; a context manager."""

    def __init__(self, plugin: Plugin, imported: Imported | str | None = None) -> None:
        self._plugin = plugin
        self.name = f"plugin {self._plugin.label}"
        self.verdicts: dict[str, Verdict] = {}
        self.gaps: Mapping[str, KnownGap] = MappingProxyType({})
        self.imported = imported
        self.plugins = _Given(self._plugin)
        self.notices: list[str] = []
        self.watch = Watch()
        self.output = Output()

    def __enter__(self) -> Self:
        self.output.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.output.__exit__(*_)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While an item runs: watched, and what it prints kept."""
        with self.watch.on(), self.output.captured():
            yield

    def clean(self, text: str) -> str:
        """It is given no secret."""
        return text

    async def load(self) -> None:
        """Import and register it, as a chat does."""
        if not self.plugins.sessions_loaded:
            self.plugins.listen(self.notices.append)
            await in_thread(self.plugins.load_sessions)

    async def implementation(self, hook: str) -> Callable[..., object]:
        """The plugin's own version of a hook; raises `NotApplicable`."""
        await self.load()
        for _, implementation in self.plugins.implementations(hook):
            return implementation
        raise NotApplicable(f"it has no {hook}")

    async def guarded(self, hook: str, call: Callable[[], object]) -> object:
        """Make the call inside the plugin's guard; what it gave."""
        try:
            return await in_thread(partial(self.plugins.guard, self._plugin, hook, call))
        except PluginError as error:
            raise Failed(error.message) from None

    @property
    def module(self) -> ModuleType | None:
        """The plugin's module, once it is loaded."""
        return sys.modules.get(self._plugin.module)


def found(name: str, plugins: Plugins) -> Plugin:
    """The session plugin of that name.

    Raises:
        PluginError: none is installed.
    """
    if name not in plugins.sessions:
        known = ", ".join(plugins.sessions) or "none"
        raise PluginError(f"no plugin {name!r} for the chat is installed", advice=f"Known: {known}")
    return plugins.sessions[name][0]


def given(module: ModuleType) -> Plugin:
    """A plugin made of a module that need not be installed."""
    name = module.__name__.rpartition(".")[2]
    sys.modules.setdefault(module.__name__, module)
    return Plugin(name, SESSIONS, EntryPoint(name, module.__name__, SESSIONS), "given")


@check("api-version", f"cloudllm_api, if it is there, is {API_VERSION}")
async def api_version(stand: Stand) -> None:
    """A plugin for other hooks than these is not loaded."""
    await stand.load()
    version = getattr(stand.module, "cloudllm_api", API_VERSION)
    if version != API_VERSION or isinstance(version, bool):
        raise Failed(f"cloudllm_api is {version!r}; this cloudllm offers {API_VERSION}")


@check("hooks-known", "every hook bears the name and the arguments of one, and the decorator")
async def hooks_known(stand: Stand) -> None:
    """What is misspelt is never called."""
    await stand.load()
    if stand.verdicts.get("api-version", _OK).result == "failed":
        raise NotApplicable("see api-version")
    if stand.notices:
        raise Failed(stand.notices[0])
    if not any(stand.plugins.implementations(hook) for hook in HOOKS):
        raise Failed("it implements no hook of a chat")


_OK = Verdict(item="", result="ok")


@check("commands", "commands are well named, say what they do, and complete quickly")
async def commands(stand: Stand) -> None:
    """They are not run: who knows what they do."""
    hook = "cloudllm_commands"
    offered = await stand.guarded(hook, await stand.implementation(hook))
    listed: list[Any] = list(offered) if isinstance(offered, list | tuple) else [offered]
    for command in listed:
        _look_at(command)
    names = [command.name for command in listed]
    if len(set(names)) < len(names):
        raise Failed("two commands bear one name")


def _look_at(command: object) -> None:
    if not isinstance(command, Command):
        raise Failed(f"cloudllm_commands() gave {type(command).__name__}, no Command")
    if not _COMMAND.fullmatch(command.name):
        raise Failed(f"the command's name {command.name!r} must be / and lower-case letters")
    if not command.summary.isprintable() or not command.summary.strip():
        raise Failed(f"the summary of {command.name} must be one line")
    if command.summary.endswith("."):
        raise Failed(f"the summary of {command.name} ends with a full stop")
    if not callable(command.run):
        raise Failed(f"run of {command.name} cannot be called")
    if command.complete is not None:
        _complete(command)


def _complete(command: Command) -> None:
    assert command.complete is not None  # noqa: S101 - the caller asked
    start = time.perf_counter()
    try:
        values = list(command.complete())
    except Exception as error:  # noqa: BLE001 - of the plugin
        raise Failed(f"complete of {command.name} raised {type(error).__name__}: {error}") from None
    if not all(isinstance(value, str) for value in values):
        raise Failed(f"complete of {command.name} gave something that is no text")
    if time.perf_counter() - start > _SLOW_EVENT * 5:
        raise Failed(f"complete of {command.name} is slow; it is called at each key")


@check("toolbar", "cloudllm_toolbar gives up to three short texts; quickly")
async def toolbar(stand: Stand) -> None:
    """Before there was any turn; a chat asks so, too."""
    hook = "cloudllm_toolbar"
    ask = await stand.implementation(hook)
    start = time.perf_counter()
    for _ in range(_TOOLBAR_CALLS):
        texts = await stand.guarded(hook, ask)
        if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
            raise Failed(f"it gave {texts!r:.80}, no list of texts")
        if len(texts) > _MOST_TEXTS:
            raise Failed(f"it gave {len(texts)} texts; {_MOST_TEXTS} are shown")
        for text in texts:
            if len(text) > _LONGEST_TEXT or not text.isprintable():
                raise Failed(f"{text!r:.80} is no line of up to {_LONGEST_TEXT} characters")
    each = (time.perf_counter() - start) / _TOOLBAR_CALLS
    if each > _SLOW_TOOLBAR:
        raise Failed(f"it takes {each * 1000:.0f} ms, after each turn")


@check("context-strategies", "context strategies choose what can go out, whatever a model answers")
async def context_strategies(stand: Stand) -> str:
    """With conversations of every length, and models that answer well, badly, or not at all."""
    from cloudllm.testing.conformance.choices import tried  # noqa: PLC0415 - it is seldom needed

    await stand.implementation("cloudllm_context_strategies")
    return await tried(stand.plugins, stand.notices)


@check("request-hook", "cloudllm_request gives None, a sound request, or a veto; quickly")
async def request_hook(stand: Stand) -> str:
    """With short and long conversations, and with text of every kind."""
    from cloudllm.hooks import PluginHooks  # noqa: PLC0415 - what a chat asks with

    await stand.implementation("cloudllm_request")
    hooks = PluginHooks(stand.plugins)
    changes = False
    for request in _REQUESTS:
        for turn in _TURNS[:2]:
            start = time.perf_counter()
            try:
                given = await hooks.request(request, turn, lambda _: None)
            except PluginError as error:
                raise Failed(error.message) from None
            except CloudLLMError:  # a veto is its right
                continue
            seconds = time.perf_counter() - start
            if seconds > _SLOW_REQUEST:
                raise Failed(f"it took {seconds:.1f} s, which every turn would wait")
            changes |= given.messages[-1] != request.messages[-1]
    return "it changes the newest message" if changes else ""


@check("exporters", "exporters write any conversation: none, long, odd, one by one; quickly")
async def exporters(stand: Stand) -> str:
    """What they give must be text in pieces."""
    from cloudllm.testing.conformance.exports import tried  # noqa: PLC0415 - it is seldom needed

    await stand.implementation("cloudllm_exporters")
    return await in_thread(partial(tried, stand.plugins, stand.notices))


@check("event-hook", "cloudllm_event takes every event of every turn, quickly")
async def event_hook(stand: Stand) -> None:
    """Of four turns, in which nothing comes in order."""
    events = [{"event": event, "turn": turn} for turn in _TURNS for event in _EVENTS]
    await _told(stand, "cloudllm_event", [*events, *reversed(events)])


@check("reply-hook", "cloudllm_reply takes every reply: whole, empty, partial, cancelled; quickly")
async def reply_hook(stand: Stand) -> None:
    """Usage, model and finish reason may be unknown."""
    replies = [{"reply": reply, "turn": turn} for turn in _TURNS for reply in _REPLIES]
    await _told(stand, "cloudllm_reply", replies)


async def _told(stand: Stand, hook: str, calls: Sequence[Mapping[str, object]]) -> None:
    """Make all of these calls inside the plugin's guard, as long as they are quick."""
    ask = await stand.implementation(hook)

    def tell() -> str:
        start = time.perf_counter()
        for count, arguments in enumerate(calls, 1):
            try:
                ask(**arguments)
            except BaseException as error:  # noqa: BLE001 - SystemExit and all
                shown = next(iter(arguments.values()))
                return f"{hook} raised {type(error).__name__}: {error}; for {shown!r:.80}"
            each = (time.perf_counter() - start) / count
            if each > _SLOW_EVENT and count >= _ENOUGH:
                took = f"{each * 1000:.0f} ms"
                return f"{hook} takes {took} a call; what is slow belongs in a thread"
        return ""

    if problem := await stand.guarded(hook, tell):
        raise Failed(str(problem))


@check("quiet", "nothing is printed, and nothing beyond this machine is asked")
async def quiet(stand: Stand) -> None:
    """Looks back on the whole run."""
    await stand.load()
    if stand.output.text.strip():
        raise Failed(f"it printed {stand.output.text.strip().splitlines()[0]!r:.80}")
    if stand.watch.beyond:
        raise Failed(f"it tried to reach {stand.watch.beyond[0]}")


CHECKS: tuple[Check[Stand], ...] = (
    imports,
    api_version,
    hooks_known,
    commands,
    toolbar,
    context_strategies,
    request_hook,
    exporters,
    event_hook,
    reply_hook,
    quiet,
)
