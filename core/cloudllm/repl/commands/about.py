"""/info: what answers, at what price, and where everything of the chat is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cloudllm import paths
from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, no_argument
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from cloudllm.pricing import Price, Rates
    from cloudllm.repl.shelf import Shelf

Fact = tuple[str, str]


async def _info(chat: Chat, argument: str) -> None:
    no_argument("/info", argument)
    facts = [
        ("model", f"{chat.model}  # {chat.origin('model')}"),
        *await in_thread(lambda: [*_provider(chat)]),
        *await _model(chat),
        *_session(chat),
        *await _conversation(chat),
        *await in_thread(lambda: [*_places(chat)]),
    ]
    width = max(len(name) for name, _ in facts)
    chat.screen.output("\n".join(f"{name:<{width}}  {what}" for name, what in facts))


def _provider(chat: Chat) -> Iterator[Fact]:
    """Who answers, where, and where the key is from; never the key itself."""
    from cloudllm.settings.text import masked  # noqa: PLC0415 - the chat has it by now

    try:
        provider, _ = chat.registry.resolve(chat.model)
        access = chat.registry.access(provider.name)
    except CloudLLMError as error:
        yield "provider", str(error)
        return
    yield "provider", f"{provider.label} ({provider.name})"
    if access.api_base:
        yield "address", str(masked((), access.api_base))
    yield "key", access.key


async def _model(chat: Chat) -> Iterable[Fact]:
    """What fits into its window, and what it costs."""
    from cloudllm import gateway  # noqa: PLC0415 - rarely needed
    from cloudllm.pricing import price_of  # noqa: PLC0415 - rarely needed

    try:
        session = await chat.connect()
        limit = await session.limit()
        info = await gateway.model_info(session.client)
    except CloudLLMError as error:
        return [("window", f"unknown: {error}")]
    own = chat.settings.context.limit is not None
    said = "by context.limit" if own else "the model's own"
    return [
        ("window", f"{limit:,} tokens, {said}" if limit else "unknown"),
        ("price", _priced(price_of(session.client, info))),
    ]


def _priced(price: Price) -> str:
    if price.rates is None:
        return "unknown"
    if price.free:
        return "free"
    longer = f"; more for input over {price.longer[0][0]:,} tokens" if price.longer else ""
    return f"{_rates(price.rates)} for a million tokens{longer}, by {price.source}"


def _rates(rates: Rates) -> str:
    from cloudllm.pricing import dollars  # noqa: PLC0415 - rarely needed

    cached = f", {dollars(rates.cached)} cached" if rates.cached != rates.input else ""
    return f"{dollars(rates.input)} in{cached}, {dollars(rates.output)} out"


def _session(chat: Chat) -> Iterator[Fact]:
    """What was used, whatever conversation it was for."""
    from cloudllm.repl.wording import described, priced  # noqa: PLC0415 - rarely needed

    session = chat.session
    if session is None or not session.usage.total_tokens:
        yield "session", "nothing has been sent yet"
        return
    used = f"{described(session.usage)} · {priced(session.cost)}"
    yield "session", f"{used}, since the program was started"


async def _conversation(chat: Chat) -> Iterable[Fact]:
    """How long the conversation is, and what it is called on disk; another line says where."""
    from cloudllm.repl.transcript import turns  # noqa: PLC0415 - rarely needed

    kept = await _kept(chat.shelf)
    return [("turns", f"{len(turns(chat.history)):,} in this conversation"), ("kept", kept)]


async def _kept(shelf: Shelf | None) -> str:
    if shelf is None:
        return "nothing: this chat is private"
    if shelf.journal.key is None:
        return "nothing yet"
    try:
        entry = await shelf.current()
    except UsageError:
        return "not saved yet"
    except CloudLLMError as error:
        return f"{'not saved yet' if shelf.journal.lacks_message else 'unknown'}: {error}"
    return f"{entry.title}  # {entry.key}"


def _places(chat: Chat) -> Iterator[Fact]:
    from cloudllm.store.database import default_path  # noqa: PLC0415 - rarely needed

    for name, path in (("settings", paths.config_file()), ("store", default_path())):
        yield name, f"{path}" if path.exists() else f"{path} (not there yet)"
    plugins = chat.registry.plugins
    names = sorted(each.name for found in plugins.sessions.values() for each in found)
    yield "plugins", ", ".join(names) or "none"


COMMANDS = (
    SlashCommand(
        "/info",
        "model, key's origin, price, window, files, plugins",
        _info,
        aliases=("/i",),
    ),
)
