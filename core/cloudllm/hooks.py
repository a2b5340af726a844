"""The plugins' hooks at run time: asked before each request, told of each turn, held harmless."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeVar

from cloudllm import errors
from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.events import Event, TurnInfo
from cloudllm.listeners import EVENT, REPLY, Hook, Listener
from cloudllm.messages import Message, Role, ToolCall
from cloudllm.plugins import Plugin, Plugins
from cloudllm.provider import Request
from cloudllm.threads import in_thread
from cloudllm.words import kind_of, one_line

REQUEST = "cloudllm_request"

_LONGEST = 1_000  # characters of a plugin's own words

Check = Callable[[Request], None]
Result = TypeVar("Result")


class PluginHooks:
    """The hooks of `plugins`, as `LLMSession(hooks=…)` takes them; sessions may share them.

    The plugins are loaded before the first request, unless they are already. What goes wrong in
    `cloudllm_event` and `cloudllm_reply` is told to nobody but `plugins.listen`. `listening` is
    true while a plugin wants to be told of events.
    """

    def __init__(self, plugins: Plugins) -> None:
        self.listening = False
        self._plugins = plugins
        self._lock = threading.Lock()
        self._ready = False
        self._asked: list[tuple[Plugin, Hook]] = []
        self._listeners: list[Listener] = []

    async def request(self, request: Request, turn: TurnInfo, check: Check, /) -> Request:
        """Ask every plugin in turn, off the event loop; gives the request as the last one left it.

        Raises:
            PluginError: a plugin failed, hung, or gave what is no request; nothing may be sent.
            CloudLLMError: a plugin's veto, or what `check` says of its change; it names the plugin.
        """
        if not self._ready:
            await in_thread(self._load)
        for plugin, hook in self._asked:
            ask = partial(_answer, plugin, hook, request, turn)
            answer = await in_thread(partial(ask_plugin, self._plugins, plugin, REQUEST, ask))
            if answer is not request:
                try:
                    check(answer)
                except CloudLLMError as error:
                    raise named(plugin, error) from None
                request = answer
        return request

    def event(self, event: Event, turn: TurnInfo, /) -> None:
        """Pass an event on to the plugins that listen."""
        for listener in self._listeners:
            listener.event(event, turn)

    def reply(self, reply: Message, turn: TurnInfo, /) -> None:
        """Pass a committed reply on to the plugins that want it."""
        for listener in self._listeners:
            listener.reply(reply, turn)

    def settle(self, plugin: Plugin, seconds: float) -> None:
        """Wait until this plugin has dealt with all it was told so far; it blocks."""
        for listener in self._listeners:
            if listener.plugin == plugin:
                listener.settle(seconds)

    def finish(self, seconds: float = 2.0) -> None:
        """Wait until the plugins have dealt with every reply, `seconds` in all at the most.

        For the end of a program whose plugins write replies down. It blocks; a plugin that is not
        done by then is named. Where only events are left, the wait is a quarter of a second.
        """
        end = time.monotonic() + seconds
        for listener in self._listeners:
            listener.finish(max(0.0, end - time.monotonic()))

    def _load(self) -> None:
        self._plugins.load_sessions()
        with self._lock:
            if self._ready:
                return
            self._asked = list(self._plugins.implementations(REQUEST))
            told: dict[Plugin, dict[str, Hook]] = {}
            for name in (EVENT, REPLY):
                for plugin, hook in self._plugins.implementations(name):
                    told.setdefault(plugin, {})[name] = hook
            self._listeners = [
                Listener(self._plugins, plugin, hooks, self._count_listeners)
                for plugin, hooks in told.items()
            ]
            self._count_listeners()
            self._ready = True

    def _count_listeners(self) -> None:
        self.listening = any(listener.wants_events for listener in self._listeners)


def ask_plugin(
    plugins: Plugins,
    plugin: Plugin,
    what: str,
    call: Callable[[], Result],
    *,
    deadline: float | Literal["settings"] | None = "settings",
) -> Result:
    """Call a plugin inside its guard; its own words for the user pass, under its name.

    Raises:
        PluginError: it failed or did not end in time.
        CloudLLMError: it raised one, which is made anew as the class of ours that it is.
    """

    def ask() -> Result:
        try:
            return call()
        except CloudLLMError as error:
            raise named(plugin, error) from None

    return plugins.guard(plugin, what, ask, deadline=deadline, passing=(CloudLLMError,))


def named(plugin: Plugin, error: CloudLLMError) -> CloudLLMError:
    """What a plugin raised, as an error of ours that names the plugin, if its words do not.

    A plugin may raise a class of its own, whose text, advice or exit code may be anything.
    """
    ours = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
    message, advice = (_text(getattr(error, name, "")) for name in ("message", "advice"))
    message = message or ours.__name__
    if not re.search(rf"(?<!\w){re.escape(plugin.label)}(?!\w)", message):
        message = f"plugin {plugin}: {message}"
    made: CloudLLMError = ours(message, advice=advice)
    return made


def _answer(plugin: Plugin, hook: Hook, request: Request, turn: TurnInfo) -> Request:
    """What a plugin makes of a request, if that can be sent at all; called inside its guard."""
    answer = hook(request=request, turn=turn)
    if answer is None:
        return request
    wrong = _what_is_wrong(answer, request)
    if wrong or not isinstance(answer, Request):
        raise PluginError(
            f"plugin {plugin}: {REQUEST} {wrong}, so nothing was sent",
            advice=f"cloudllm plugins show {plugin.label} tells more",
        )
    return answer


def _what_is_wrong(answer: object, before: Request) -> str:
    """What keeps a plugin's request from being one, as far as we can tell; else nothing."""
    if not isinstance(answer, Request):
        return f"gave {kind_of(answer)}, not a Request or None"
    messages = answer.messages
    if not isinstance(messages, tuple) or not messages:
        return "gave a request whose messages are no tuple of at least one Message"
    known = set(map(id, before.messages))
    new = [(number, each) for number, each in enumerate(messages, 1) if id(each) not in known]
    for number, message in new:
        if not _is_sound(message):
            return f"gave a request whose message {number} is not sound"
    if messages[-1].role not in (Role.USER, Role.TOOL, before.messages[-1].role):
        return f"gave a request that ends with a message of the {messages[-1].role}, not the user's"
    if not all(_is_text(message) for _, message in new):
        return "gave a request with half a character (a lone surrogate) in a message"
    wrong = _wrong_parameter(answer, before)
    return f"gave a request whose {wrong}" if wrong else ""


def _wrong_parameter(answer: Request, before: Request) -> str:
    """What is wrong with a parameter that the plugin has changed; else nothing."""
    limit, temperature, params = answer.max_output_tokens, answer.temperature, answer.params
    if limit not in (None, before.max_output_tokens) and not (isinstance(limit, int) and limit > 0):
        return "max_output_tokens is no number above 0"
    if temperature != before.temperature and not isinstance(temperature, int | float | None):
        return "temperature is no number"
    if params is before.params:
        return ""
    if not isinstance(params, Mapping):
        return "params are no mapping"
    try:
        json.dumps(dict(params), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return "params cannot be written as JSON"
    return ""


def _is_text(message: Message) -> bool:
    """Can it be encoded, that is, sent?"""
    try:
        f"{message.content}{message.reasoning}".encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_sound(message: object) -> bool:
    """Does it hold what its type says? Nobody else checks it on its way to the provider."""
    return (
        isinstance(message, Message)
        and isinstance(message.role, Role)
        and isinstance(message.content, str)
        and isinstance(message.reasoning, str)
        and isinstance(message.tool_calls, tuple)
        and all(isinstance(call, ToolCall) for call in message.tool_calls)
        and isinstance(message.tool_call_id, str | None)
        and _is_hashable(message)
    )


def _is_hashable(message: Message) -> bool:
    """Are all its fields? Tokens are counted once for each message."""
    try:
        hash(message)
    except TypeError:
        return False
    return True


def _text(value: object) -> str:
    return one_line(value, _LONGEST) if isinstance(value, str) else ""
