"""The text of a reply: all of it, in order, as it came, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloudllm.events import TextDelta
from cloudllm.messages import Status
from cloudllm.provider import Client
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import Outcome, words
from cloudllm.testing.script import Reply

LOST, INVENTED, ORDER = "no-text-lost", "no-text-invented", "streaming-order"
UNICODE, FRAGMENTS, LINES = "unicode", "fragments", "event-stream"

_AT_ONCE = 0.5  # seconds that a person would rather read in
_SHOWN = 24  # characters around a difference
_BLANKS = ("\n\n", "  two before", "\t", " ", "two after  ", "\r\n", "", "\n", " ")
_REPEATED = (*["- "] * 30, "the ", "the ", "the ", "end", "end")
_PARSERS = (
    "data: [DONE]", "\n\n", "event: stop\ndata: {}", '{"done": true}', "```json\n", '{"a": "\\n"}',
    "null", "\\u0041", "<b>&amp;", "[DONE]", " </s>", "%s {0} {key}",
)  # fmt: skip
_UNICODE = (
    "Grüße ", "日本語 ", "👩\u200d👩\u200d👧 ", "🇩🇪 ", "e\u0301 ", "é ", "שלום ", "\u202eevil\u202c ",
    "ﬁ ", "\u00a0", "\U0001d518 ", "\x1b[31m", "\x00", "\x07", "\u2028", "\ufeff", "ẞ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Script:
    """A reply and what a difference in it means, unless plain texts show the same one."""

    reply: Reply
    meaning: str | None = None


_SCRIPTS: Mapping[str, _Script] = {
    "words": _Script(Reply(text=words(40))),
    "blanks": _Script(Reply(text=_BLANKS)),
    "repeated chunks": _Script(Reply(text=_REPEATED)),
    "text that looks like markup": _Script(Reply(text=_PARSERS)),
    "a chunk of 100,000 characters": _Script(Reply(text=["begin ", "0123456789" * 10_000, " end"])),
    "1,000 chunks": _Script(Reply(text=words(1000))),
    "text beside the finish reason": _Script(Reply(text=words(3), joined=True)),
    "lines that end with CRLF": _Script(Reply(text=words(3), crlf=True), LINES),
    "comments between the chunks": _Script(Reply(text=words(3), delay=0.05, heartbeat=0.02), LINES),
    "text in pieces of 7 bytes": _Script(Reply(text=words(6), fragment=7), FRAGMENTS),
    "unicode": _Script(Reply(text=_UNICODE), UNICODE),
    "unicode as \\u escapes": _Script(Reply(text=_UNICODE, escaped=True), UNICODE),
    "unicode in single bytes": _Script(Reply(text=["é日👩"], fragment=1), UNICODE),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with a text, and how it shows."""

    kind: str
    detail: str


async def _differences(bench: Bench) -> dict[str, Difference]:
    """What is wrong, by the item that says so."""
    await bench.wired()
    bench.unless_failed("ends-once")

    async def look() -> dict[str, Difference]:
        found: dict[str, Difference] = {}
        ended: Status | None = None
        for name, script in _SCRIPTS.items():
            if script.meaning and found:  # a plain text differs already
                return found
            outcome = await bench.turn(script.reply, client=await bench.client())
            difference = compare(script.reply.text, outcome)
            status = outcome.reply.status if outcome.reply else None
            ended = ended or status
            if difference is None and status is not ended:
                difference = Difference(LOST, f"all of it came, and then: {_trouble(outcome)}")
            if difference is None:
                continue
            kind = script.meaning or difference.kind
            found.setdefault(kind, Difference(kind, f"of {name}: {difference.detail}"))
        return found

    known: dict[str, Difference] = await bench.once("differences", look)
    return known


def compare(sent: str | Sequence[str], outcome: Outcome) -> Difference | None:
    """What is wrong with the text that came, if anything is."""
    chunks = [sent] if isinstance(sent, str) else [chunk for chunk in sent if chunk]
    whole, came = "".join(chunks), outcome.text
    if came == whole:
        return None
    if outcome.reply is None or outcome.reply.error:
        count = f"{len(came)} of {len(whole)} characters came"
        return Difference(LOST, f"{count}, then: {_trouble(outcome)}")
    detail = _first_difference(whole, came)
    if Counter(came) == Counter(whole):
        return Difference(ORDER, detail)
    if _is_part(came, whole):
        return Difference(LOST, detail)
    return Difference(INVENTED, detail)


def _trouble(outcome: Outcome) -> str:
    return str(outcome.reply.error) if outcome.reply else outcome.story


def _first_difference(whole: str, came: str) -> str:
    same = next((i for i, pair in enumerate(zip(whole, came, strict=False)) if pair[0] != pair[1]),
                min(len(whole), len(came)))  # fmt: skip
    start = max(0, same - _SHOWN // 2)
    shown = [repr(text[start : start + _SHOWN]) for text in (came, whole)]
    return f"at character {same} came {shown[0]}, should be {shown[1]}"


def _is_part(part: str, whole: str) -> bool:
    """Whether `part` is `whole` with some characters left out."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


async def _must_not_differ(bench: Bench, kind: str) -> None:
    found = await _differences(bench)
    if kind in found:
        raise Failed(found[kind].detail)
    if found and kind in (UNICODE, FRAGMENTS, LINES):
        raise NotApplicable(f"see {next(iter(found))}")


@check("streaming-order", "deltas come in the order in which they were sent")
async def order(bench: Bench) -> None:
    """With forty words that are unlike each other, and others."""
    await _must_not_differ(bench, ORDER)


@check(
    "no-text-lost", "all of the text comes: blanks, line ends, what looks like markup, long chunks"
)
async def lost(bench: Bench) -> None:
    """A reply is code as often as prose."""
    await _must_not_differ(bench, LOST)


@check(
    "no-text-invented", "nothing comes that was not sent: no blanks, no second time, no other case"
)
async def invented(bench: Bench) -> None:
    """Nor anything in place of something else."""
    await _must_not_differ(bench, INVENTED)


@check("unicode", "text in any script arrives as it was sent, however its bytes are cut up")
async def unicode(bench: Bench) -> None:
    """Emoji, combining marks, control characters; as UTF-8 and as escapes."""
    await _must_not_differ(bench, UNICODE)


@check("event-stream", "comments are passed over, and lines may end with CRLF")
async def event_stream(bench: Bench) -> None:
    """The standard allows both, and proxies add them."""
    await _must_not_differ(bench, LINES)


@check("fragments", "an event may arrive in pieces, cut anywhere")
async def fragments(bench: Bench) -> None:
    """TCP knows no lines."""
    await _must_not_differ(bench, FRAGMENTS)


@check("streaming", "text is passed on as it comes, not collected")
async def streaming(bench: Bench) -> None:
    """The first chunk must be there while the server still holds back the rest."""
    client = await bench.answers()
    if not (await bench.first()).requests:
        await _not_at_once(bench, client)
        return
    held = Reply(text=words(6), stall_after=1)
    bench.forget()
    bench.server.default = held
    if not await bench.hears(client):
        raise Failed("a chunk was sent, and nothing was passed on before the rest came")
    outcome = await bench.turn(Reply(text=words(6), delay=0.01))
    if len(outcome.deltas) < 2:  # noqa: PLR2004 - more than one
        raise Failed(f"six chunks were sent over 50 ms, {len(outcome.deltas)} came")


async def _not_at_once(bench: Bench, client: Client) -> None:
    """In this process nobody knows how it should be cut up; but a wait must not be for all of it."""
    if client.backend is None:
        raise NotApplicable("it asks no server")
    raw = await bench.raw(client, Reply())
    texts = [event.text for event in raw.events if isinstance(event, TextDelta)]
    if len(texts) == 1 and len(texts[0].split()) > 1 and raw.seconds > _AT_ONCE:
        raise Failed(f"all of it came at once, after {raw.seconds:.1f} s")


CHECKS = (streaming, order, lost, invented, unicode, fragments, event_stream)
