"""Tries out a plugin's context strategies: long and short conversations, and models of every kind."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

from cloudllm.calibration import Calibration, Calibrations
from cloudllm.context import Conversation, Plan, outline
from cloudllm.errors import CloudLLMError, ConfigurationError, NetworkError
from cloudllm.messages import Message, Role, ToolCall
from cloudllm.plugins import Plugins
from cloudllm.strategies import BUILT_IN, Strategies
from cloudllm.strategies.offers import HOOK
from cloudllm.strategy import Summary
from cloudllm.testing.conformance.model import Failed
from cloudllm.threads import in_thread
from cloudllm.tokens import profile_text

_SLOW = 0.5  # seconds of its own that a turn would wait
_MOST_QUESTIONS = 20  # for one request
_LIMITS = {600: "", 2_000: "You are concise.", 8_000: "", 30_000: "You are concise. " * 5}
"""In tokens, each with a system prompt."""

_ANSWERS: tuple[str | CloudLLMError, ...] = (
    "They spoke of the harbour.",
    "",
    "word " * 5_000,
    "\x00\x1b[2J日本👩\u200d👧\ud83d ## Summary",
    NetworkError("the kit's model does not answer"),
)


@dataclass(slots=True)
class _Model:
    """Answers a strategy's questions, and measures them."""

    answer: str | CloudLLMError
    limit: int
    calibration: Calibration
    questions: int = 0
    too_long: str = field(default="")

    def __call__(self, prompt: str, *, max_output_tokens: int) -> str:
        """See `ContextView.ask`."""
        self.questions += 1
        tokens = self.calibration.tokens(profile_text(prompt)) + max_output_tokens
        if tokens > self.limit:
            self.too_long = f"asks with {tokens:,} tokens, answer included, of {self.limit:,}"
        if isinstance(self.answer, CloudLLMError):
            raise self.answer
        return self.answer


async def tried(plugins: Plugins, notices: list[str]) -> str:
    """Have each strategy of the one plugin choose; gives their names.

    Raises:
        Failed: an offer is no strategy, or one chose what can't go out, was slow, or gave up.
    """
    strategies = Strategies(plugins)
    before = len(notices)
    try:
        names = [name for name in await in_thread(strategies.names) if name not in BUILT_IN]
    except ConfigurationError as error:
        raise Failed(error.message) from None
    if notices[before:]:
        raise Failed(notices[before])
    for name in names:
        await _tried_one(strategies, name)
    if not names:
        raise Failed(f"{HOOK}() gave no strategy")
    return ", ".join(names)


async def _tried_one(strategies: Strategies, name: str) -> None:
    """Conversations that outgrow the limit, and go on; the last summary is handed back."""
    for limit, prompt in _LIMITS.items():
        conversation = Conversation(_said(limit))
        conversation.pin(2)
        start = len(conversation)
        for answer in _ANSWERS:
            previous = None
            for _ in range(3):
                model = _Model(answer, limit, Calibrations().of("kit/kit"))
                plan = await _chosen(
                    partial(strategies.plan, name), conversation, prompt, previous, model
                )
                previous = plan.summary or previous
                for message in _said(limit // 8):
                    conversation.append(message)
            conversation.replace_from(start, ())


async def _chosen(
    plan_by: Callable[..., Awaitable[Plan]],
    conversation: Conversation,
    prompt: str,
    previous: Summary | None,
    model: _Model,
) -> Plan:
    what = outline(
        prompt,
        conversation,
        keep=len(conversation),
        newest=(Message(Role.USER, "And now?"),),
        limit=model.limit,
        reserve=None,
        calibration=model.calibration,
    )
    start = time.perf_counter()
    try:
        plan = await plan_by(what, model="kit/kit", previous=previous, ask=model)
    except CloudLLMError as error:
        raise Failed(f"{error.message}; where the limit is {model.limit:,} tokens") from None
    seconds = time.perf_counter() - start
    if model.too_long:
        raise Failed(f"a context strategy {model.too_long}")
    if model.questions > _MOST_QUESTIONS:
        raise Failed(f"a context strategy asks {model.questions} times for one request")
    if seconds > _SLOW:
        raise Failed(f"a context strategy took {seconds:.1f} s of its own for one request")
    return plan


def _said(tokens: int) -> Iterator[Message]:
    """Turns of about so many tokens: short and long, with tool calls."""
    kinds = cycle(("", "look", "", "", ""))
    sizes = cycle((1, 20, 5, 60, 3, 0, 12))
    for number, kind in zip(range(max(6, tokens // 120)), kinds, strict=False):
        yield Message(Role.USER, f"ask {number} " * next(sizes))
        if kind:
            call = ToolCall(f"call-{number}", kind, '{"at": "harbour"}')
            yield Message(Role.ASSISTANT, "", tool_calls=(call,))
            yield Message(Role.TOOL, "a ship\n" * next(sizes), tool_call_id=call.id)
        yield Message(Role.ASSISTANT, f"answer {number} 日本 \ud83d " * next(sizes))
