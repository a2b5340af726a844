"""Conversations for tests: any that there may be, and a short one with branches."""

from __future__ import annotations

from hypothesis import strategies as st

from cloudllm import Archive, ArchivedMessage, Cost, Message, Role, Status, ToolCall, Usage


def _joined(text: str) -> str:
    """Two halves that make a character are one; JSON knows no other way to write them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


texts = st.text(st.characters(), max_size=12).map(_joined)
"""With controls, and with halves of characters."""

_maybe = st.none() | texts
_numbers = st.integers(-(2**63) + 1, 2**63 - 1)
_counts = st.none() | st.integers(0, 2**63 - 1)
_usages = st.builds(
    Usage,
    input_tokens=_numbers,
    output_tokens=_numbers,
    cached_tokens=_counts,
    stored_tokens=_counts,
    reasoning_tokens=_counts,
    estimated=st.booleans(),
)
_costs = st.builds(Cost, nano=_numbers, estimated=st.booleans(), unknown=_numbers, source=texts)
messages = st.builds(
    Message,
    st.sampled_from([Role.USER, Role.ASSISTANT, Role.TOOL]),
    texts,
    reasoning=texts,
    tool_calls=st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple),
    tool_call_id=_maybe,
    pinned=st.booleans(),
    status=st.sampled_from(Status),
    model=_maybe,
    finish_reason=_maybe,
    usage=st.none() | _usages,
    error=_maybe,
    cost=st.none() | _costs,
)


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    """Any conversation, with any tree."""
    names = draw(st.lists(texts, unique=True, max_size=3))
    tree = tuple(
        ArchivedMessage(
            id=name,
            parent=draw(st.sampled_from([None, *names[:place]])),
            message=draw(messages),
            created=draw(_numbers),
        )
        for place, name in enumerate(names)
    )
    return Archive(
        id=draw(texts),
        title=draw(texts),
        created=draw(_numbers),
        updated=draw(_numbers),
        folder=draw(texts),
        model=draw(texts),
        system_prompt=draw(texts),
        origin=draw(texts),
        messages=tree,
        head=draw(st.sampled_from([None, *names])),
    )


def line_of(*said: Message, **fields: object) -> Archive:
    """A conversation without other branches than this; `fields` are those of the archive."""
    tree = tuple(
        ArchivedMessage(id=str(n), parent=str(n - 1) if n > 1 else None, message=each)
        for n, each in enumerate(said, 1)
    )
    head = tree[-1].id if tree else None
    return Archive(messages=tree, head=head, **fields)  # type: ignore[arg-type] # by name
