"""Commands that tell or end: /context, /quit, /tokens, /usage, /why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from cloudllm.messages import Attempt
from cloudllm.provider import Client
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value, no_argument
from cloudllm.threads import in_thread
from cloudllm.words import one_line, redact_all, secrets_in


async def _context(chat: Chat, argument: str) -> None:
    from cloudllm.repl.telling import plan_text  # noqa: PLC0415 - rarely needed

    session = await chat.connect()
    plan = await session.plan(argument)
    strategy = chat.settings.context.strategy
    chat.screen.output(plan_text(plan, strategy=strategy, newest=bool(argument)))


async def _tokens(chat: Chat, argument: str) -> None:
    from cloudllm.repl.telling import tokens_text  # noqa: PLC0415 - rarely needed

    no_argument("/tokens", argument)
    session = chat.session
    if session is None or not (session.last_reply or session.usage.total_tokens):
        chat.screen.output("No tokens used yet.")
        return
    limit = await session.limit()
    chat.screen.output(
        tokens_text(
            session.last_reply,
            session.usage,
            session.cost,
            limit=limit,
            calibration=session.calibration,
        )
    )


async def _usage(chat: Chat, argument: str) -> None:
    from cloudllm.repl import engine, usage  # noqa: PLC0415 - rarely needed
    from cloudllm.store.database import default_path  # noqa: PLC0415 - rarely needed

    report = partial(
        usage.usage_report,
        argument,
        path=default_path(),
        budgets=engine.budgets(chat.settings),
        session=chat.session.id if chat.session is not None else None,
        columns=chat.screen.columns or usage.COLUMNS,
    )
    chat.screen.output(await in_thread(report))


async def _kinds(_chat: Chat, _typed: str) -> Iterable[Value]:
    return ("day", "model", "provider")


async def _why(chat: Chat, argument: str) -> None:
    from cloudllm.repl.telling import attempts_text  # noqa: PLC0415 - rarely needed

    no_argument("/why", argument)
    session = chat.session
    if session is None or not session.attempts:
        chat.screen.output("No model has been asked yet.")
        return
    chat.screen.output(attempts_text(_without_secrets(session.attempts, session.client)))


def _without_secrets(attempts: Sequence[Attempt], client: Client) -> list[Attempt]:
    """The attempts as they may be shown: a server may put a key into whatever it answers."""
    keys = secrets_in()
    if client.api_key is not None:
        keys.add(client.api_key.get_secret_value())

    def shown(text: str | None) -> str | None:
        return text and one_line(redact_all(text, keys))

    return [
        replace(each, error=shown(each.error), request_id=shown(each.request_id))
        for each in attempts
    ]


async def _quit(chat: Chat, argument: str) -> None:
    no_argument("/quit", argument)
    chat.leaving = chat.may_leave()


COMMANDS = (
    SlashCommand(
        "/context",
        "what would go out with a text, and what not",
        _context,
        argument="[TEXT]",
        example="/context And in Rust?",
    ),
    SlashCommand("/tokens", "tokens and cost of the last reply and of the session", _tokens),
    SlashCommand(
        "/usage",
        "use and cost, by day, model or provider",
        _usage,
        argument="[BY] [SINCE]",
        complete=_kinds,
        aliases=("/cost",),
        example="/usage model 7d",
    ),
    SlashCommand("/why", "what was tried for the last reply, and what came of it", _why),
    SlashCommand("/quit", "leave", _quit, aliases=("/q", "/exit")),
)
