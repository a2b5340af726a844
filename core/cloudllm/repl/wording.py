"""What every front end says in the same words."""

from __future__ import annotations

from cloudllm.errors import CloudLLMError
from cloudllm.events import Trimmed
from cloudllm.messages import Message, Status, Usage


def described(usage: Usage | None) -> str:
    """Tokens in one line; `~` marks an estimate, since the provider reported nothing."""
    if usage is None:
        return "tokens unknown"
    about = "~" if usage.estimated else ""
    parts = [f"{about}{usage.input_tokens:,} in", f"{about}{usage.output_tokens:,} out"]
    if usage.cached_tokens:
        parts.insert(1, f"{usage.cached_tokens:,} cached")
    if usage.reasoning_tokens:
        parts.append(f"{usage.reasoning_tokens:,} reasoning")
    return " · ".join([*parts, f"{about}{usage.total_tokens:,} tokens"])


def ending_notices(reply: Message) -> list[str]:
    """What is to be said of how a reply ended, unless it simply ended."""
    if reply.status is Status.PARTIAL:
        why = f": {reply.error}" if reply.error else ""
        return [f"The reply was cut{why.rstrip('.')}."]
    if reply.finish_reason in ("length", "max_tokens"):
        return ["The reply stopped at the limit of its length (max_output_tokens)."]
    if reply.finish_reason == "content_filter":
        return ["The provider's content filter stopped the reply."]
    return []


def trimmed_notice(event: Trimmed) -> str:
    """That older messages were left out."""
    noun = "message" if event.messages == 1 else "messages"
    return (
        f"{event.messages} older {noun} (~{event.tokens:,} tokens) left out of this request so that"
        " it fits; the history keeps them."
    )


def wrapped(line: str, columns: int) -> list[str]:
    """The line, safe to show already, as rows of at most `columns` cells that end between words.

    A word that is longer than a row is left to the terminal.
    """
    from wcwidth import wcswidth  # noqa: PLC0415 - not for one line on standard error

    rows: list[str] = []
    room = 0
    for word in line.split(" "):
        cells = max(0, wcswidth(word))
        if rows and cells < room:
            rows[-1] += f" {word}"
            room -= cells + 1
        else:
            rows.append(word)
            room = columns - cells
    return rows


def one_line(error: BaseException) -> CloudLLMError:
    """Any error as one that can be shown; a bug of ours says so."""
    if isinstance(error, CloudLLMError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return CloudLLMError(f"{error.filename or 'input or output'}: {error.strerror}")
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return CloudLLMError(f"cloudllm has a bug here: {reason}", advice="Please report it")
