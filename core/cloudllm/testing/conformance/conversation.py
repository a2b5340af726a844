"""What reaches the service, and what it reports beside the text: reasoning, usage, finish reason."""

from __future__ import annotations

from cloudllm.errors import CloudLLMError
from cloudllm.messages import Message, Role, Status, Usage
from cloudllm.provider import Client
from cloudllm.session import LLMSession
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import Outcome, asked
from cloudllm.testing.script import Reply

_SYSTEM = "Be brief.\n\n  Never say “no”."
_HISTORY = (
    (Role.USER, "First question: 1 < 2 & {3}?\n"),
    (Role.ASSISTANT, "First answer,\n\twith a tab."),
    (Role.USER, "Second question ¿日本?\r\n e\u0301 &amp; \ufb01"),
    (Role.ASSISTANT, "Second answer 👩\u200d👧"),
)
_LAST = "\n Third question \\end\n\n```\ncode\n```"
_UNKNOWN_MODEL = "kit-model-1"  # litellm drops parameters that models it knows do not take
_ODD = (
    "👩\u200d👧 日本 e\u0301",
    "\x00\x1b[2J\x07",
    "half \ud83d",
    "x " * 600,
    '"}]}\n\ndata: [DONE]',
)
_UNASKED = {"stop", "stop_sequences", "n", "top_p", "top_k", "seed", "logit_bias", "tools"}
_LONG_ANSWER = "Please tell me a story of at least forty words, about a cat, a dog and a bird."
_SOME_WORDS = 8
_TEMPERATURE, _LONGEST = 0.25, 321
_TEXT = ("streaming", "streaming-order", "no-text-lost", "no-text-invented")
_HALF = ("half ", "of ", "this ", "never ", "comes")


@check(
    "whole-conversation", "the system prompt and every message reach the service, in order, exactly"
)
async def conversation(bench: Bench) -> None:
    """Roles and text."""
    client = await bench.wired()

    def prepare(session: LLMSession) -> None:
        session.system_prompt = _SYSTEM
        for role, content in _HISTORY:
            session.inject_message(Message(role, content))

    outcome = await bench.turn(Reply(), client=client, text=_LAST, prepare=prepare)
    came = asked(outcome).messages
    expected = (("system", _SYSTEM), *((str(r), c) for r, c in _HISTORY), ("user", _LAST))
    came = tuple(("system" if role == "developer" else role, text) for role, text in came)
    if came == expected:
        return
    if [role for role, _ in came] != [role for role, _ in expected]:
        roles = ", ".join(role for role, _ in came)
        raise Failed(f"the request held {roles}; there were {', '.join(r for r, _ in expected)}")
    (_, is_), (role, should) = next(p for p in zip(came, expected, strict=True) if p[0] != p[1])
    raise Failed(f"of a message of the {role} came {is_:.80}, should be {should:.80}")


@check("parameters", "temperature and the longest answer are passed on, and not invented")
async def parameters(bench: Bench) -> None:
    """As the user set them; 0 is a temperature."""
    client = await bench.answers()
    if not (await bench.first()).requests:
        await _cut_short(bench, client)
        return
    problem: Failed | None = None
    known = (info.name for info in bench.provider.models)
    for model in dict.fromkeys((_UNKNOWN_MODEL, bench.model, *known)):
        try:
            await _pass_on(bench, model)
        except CloudLLMError:  # it knows its models, and this is none
            continue
        except Failed as failed:
            problem = failed
        else:
            return
    raise problem or NotApplicable("it makes no client for any model")


async def _cut_short(bench: Bench, client: Client) -> None:
    """In this process only the length of an answer can be seen."""
    whole = await bench.turn(Reply(), client=client, text=_LONG_ANSWER)
    if len(whole.text.split()) < _SOME_WORDS:
        raise NotApplicable("its answers are too short to be cut")

    def prepare(session: LLMSession) -> None:
        session.max_output_tokens = 1

    cut = await bench.turn(Reply(), client=client, text=_LONG_ANSWER, prepare=prepare)
    count = len(cut.text.split())
    if cut.reply is None or count >= _SOME_WORDS // 2:
        raise Failed(f"an answer of 1 token was asked for, came {count} words; {cut.story}")
    if cut.reply.finish_reason == "stop":
        raise Failed("an answer of 1 token was asked for, and it ended with stop, not length")


async def _pass_on(bench: Bench, model: str) -> None:
    """Try it with one model; not every one takes a temperature."""
    client = await bench.client(model)  # one, which must not keep them
    for temperature in (_TEMPERATURE, 0.0):
        sent = asked(await _with_parameters(bench, client, temperature))
        if sent.temperature != temperature:
            raise Failed(f"the temperature {temperature} was set, {sent.temperature} was sent")
        if sent.max_output_tokens != _LONGEST:
            raise Failed(
                f"an answer of {_LONGEST} tokens was asked for, {sent.max_output_tokens} was sent"
            )
    outcome = await bench.turn(Reply(), client=client)
    plain = asked(outcome)
    if plain.temperature is not None and "temperature" not in bench.provider.params:
        raise Failed(f"nobody set a temperature, {plain.temperature} was sent")
    limited = bench.wire is not None and bench.wire.always_limited
    limited |= "max_tokens" in bench.provider.params
    if plain.max_output_tokens is not None and not limited:
        raise Failed(f"nobody limited the answer, {plain.max_output_tokens} was sent")
    for name in sorted(_UNASKED & set(outcome.requests[-1].body) - set(bench.provider.params)):
        raise Failed(f"nobody asked for {name}, {outcome.requests[-1].body[name]!r} was sent")


async def _with_parameters(bench: Bench, client: Client, temperature: float) -> Outcome:
    def prepare(session: LLMSession) -> None:
        session.temperature = temperature
        session.max_output_tokens = _LONGEST

    return await bench.turn(Reply(), client=client, prepare=prepare)


@check("reasoning", "reasoning comes apart from the text, and all of it")
async def reasoning(bench: Bench) -> None:
    """Whoever reads the text must not read the model's thoughts as its answer."""
    client = await bench.wired()
    outcome = await bench.turn(Reply(reasoning=["Hm, ", "so.\n"], text=["It ", "is."]))
    if "Hm, " in outcome.text:
        raise Failed("the reasoning came as text")
    if outcome.reasoning == "Hm, so.\n":
        return
    if client.info is not None and client.info.reasoning is False:
        raise NotApplicable(f"{client.model} does not reason")
    if not outcome.reasoning:
        raise Failed("the service sent reasoning, and none came; yield ReasoningDelta")
    raise Failed(f"came the reasoning {outcome.reasoning!r:.80}, should be 'Hm, so.\\n'")


@check("usage", "tokens are what the service reported, and unknown where it reported nothing")
async def usage(bench: Bench) -> None:
    """Costs are reckoned from them; a zero is a number."""
    client = await bench.answers()
    bench.unless_failed("ends-once")
    if not (await bench.first()).requests:
        _plausible(await bench.first())
        return
    reports = (
        Usage(input_tokens=31, output_tokens=17),
        Usage(input_tokens=40, output_tokens=29, cached_tokens=11, reasoning_tokens=5),
    )
    for reported in reports:
        question = f"Say {reported.input_tokens} words."
        came = _usage(await bench.turn(Reply(usage=reported), text=question, client=client))
        if came is None or came.estimated:
            raise Failed(f"the service reported {_counts(reported)}, and no usage came")
        if (came.input_tokens, came.output_tokens) != (
            reported.input_tokens,
            reported.output_tokens,
        ):
            raise Failed(f"the service reported {_counts(reported)}, came {_counts(came)}")
        for field in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
            number = getattr(came, field)
            if not isinstance(number, int | None):
                raise Failed(f"{field} is {number!r}; tokens are whole numbers")
            if number not in (None, getattr(reported, field)):
                raise Failed(f"{field} {getattr(reported, field)} reported, came {number}")
    came = _usage(await bench.turn(Reply(usage=None), client=client))
    if came is not None and not came.estimated:
        raise Failed(f"the service reported no usage, and {_counts(came)} came; leave it None")


def _plausible(outcome: Outcome) -> None:
    """In this process it is the only one who knows; but some things cannot be."""
    came = _usage(outcome)
    if came is None or came.estimated:
        return
    numbers = (came.input_tokens, came.output_tokens, came.cached_tokens, came.reasoning_tokens)
    if any(not isinstance(number, int | None) or (number or 0) < 0 for number in numbers):
        raise Failed(f"came {came}; tokens are whole numbers, not below zero")
    if outcome.text and not came.output_tokens:
        raise Failed("text came, and a usage of 0 tokens; leave unknown usage None")


def _usage(outcome: Outcome) -> Usage | None:
    if outcome.reply is None:
        raise NotApplicable(f"no reply came: {outcome.story}")
    return outcome.reply.usage


def _counts(usage: Usage) -> str:
    return f"{usage.input_tokens} in, {usage.output_tokens} out"


@check(
    "any-input", "any text may be asked: emoji, control characters, half a character, a long one"
)
async def any_input(bench: Bench) -> None:
    """People paste; what cannot be sent is an error that says so."""
    await bench.answers()
    for text in _ODD:
        outcome = await bench.turn(Reply(), text=text)
        if outcome.gave_up or (outcome.reply is None and not _is_ours(outcome.error)):
            raise Failed(f"the question {text!r:.60} gave {outcome.story}")


def _is_ours(error: Exception | None) -> bool:
    """Whether it is an error for a person, and not another one in our words."""
    return isinstance(error, CloudLLMError) and "Error:" not in str(error)


@check("finish-reason", "why the model stopped is passed on: it was done, too long, or filtered")
async def finish_reason(bench: Bench) -> None:
    """In OpenAI's words or the service's own."""
    await bench.answers()
    bench.unless_failed("ends-once")
    if not (await bench.first()).requests:
        raw = await bench.raw(await bench.backend(), Reply())
        if raw.ended and raw.ended[0].finish_reason is None:
            raise Failed("StreamEnded gives no finish reason, so the reply counts as cut")
        return
    for reason in ("stop", "length", "content_filter"):
        outcome = await bench.turn(Reply(finish_reason=reason))
        if outcome.reply is None:
            raise Failed(f"the service ended with {reason}, came {outcome.story}")
        words = {reason, bench.wire.words.get(reason, reason) if bench.wire else reason}
        came = outcome.reply.finish_reason
        if came not in words:
            raise Failed(f"the service ended with {' or '.join(sorted(words))}, came {came}")


@check("cut-stream", "a stream that breaks off leaves a partial reply, never a complete one")
async def cut(bench: Bench) -> None:
    """Ended without a finish reason, closed, or reset."""
    await bench.wired()
    # What always ends with one reason ends so here, too.
    for how in ("close", "reset") if bench.failed("finish-reason") else ("end", "close", "reset"):
        script = Reply(text=_HALF, cut_after=3, cut=how, delay=0.01)
        outcome = await bench.turn(script)
        lenient = how == "reset" or bench.failed("streaming")
        _must_be_partial(outcome, f"the stream was cut ({how})", lenient=lenient)
        came, sent = outcome.text, "".join(_HALF[:3])
        if how == "end" and came != sent and not any(map(bench.failed, _TEXT)):
            raise Failed(f"{sent!r} came before the stream was cut, {came!r} was passed on")


@check("empty-reply", "an empty answer is an empty reply, and nothing at all is an error")
async def empty(bench: Bench) -> None:
    """Neither is a text."""
    await bench.wired()
    bench.unless_failed("ends-once", "no-text-invented")
    outcome = await bench.turn(Reply(text=[]))
    if outcome.reply is None or outcome.text or outcome.reply.status is not Status.COMPLETE:
        raise Failed(f"the service answered nothing and ended with stop, came {outcome.story}")
    if bench.failed("cut-stream") or bench.failed("finish-reason"):
        return  # they say the same of a stream that began
    outcome = await bench.turn(Reply(text=[], cut_after=0))
    if outcome.error is None:
        raise Failed(f"the service sent nothing at all, came {outcome.story}")


@check("error-in-stream", "an error that the service sends after some text leaves a partial reply")
async def failing(bench: Bench) -> None:
    """The status was 200 long ago."""
    await bench.wired()
    outcome = await bench.turn(Reply(text=_HALF, fail_after=3, delay=0.01))
    lenient = bench.failed("streaming")
    _must_be_partial(outcome, "the service sent an error after three chunks", lenient=lenient)


def _must_be_partial(outcome: Outcome, what: str, *, lenient: bool = False) -> None:
    if outcome.gave_up:
        raise Failed(f"{what}, and the reply did not end")
    if outcome.reply is None:
        if lenient:  # a reset overtakes what was not read yet, and what is collected is lost
            return
        raise Failed(f"{what}, and its text is gone: {outcome.story}")
    if outcome.reply.status is Status.COMPLETE:
        raise Failed(
            f"{what}, and the reply counts as complete with {outcome.reply.finish_reason!r};"
            " end with StreamEnded(None), or raise"
        )


CHECKS = (
    conversation,
    any_input,
    parameters,
    reasoning,
    usage,
    finish_reason,
    cut,
    empty,
    failing,
)
