"""The text in events that were cut, wherever they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm.events import ReasoningDelta, StreamEvent, TextDelta
from cloudllm.gateway.salvage import deltas_in

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/\n😀é日u12{}[]:,'), max_size=20
)


def text_of(deltas: list[StreamEvent]) -> str:
    assert all(isinstance(delta, TextDelta) for delta in deltas)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


@given(TEXTS, st.booleans(), st.data())
def test_G3_of_a_cut_event_every_letter_that_came_is_kept(
    text: str, escaped: bool, data: st.DataObject
) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    event = json.dumps({"id": "x", "choices": [choice]}, ensure_ascii=escaped).encode()
    end = data.draw(st.integers(0, len(event)))
    kept = text_of(deltas_in(event[:end]))
    assert text.startswith(kept)
    begin = event.index(b'"content": "') + len(b'"content": "')
    came = sum(len(json.dumps(text[:n], ensure_ascii=escaped).encode()) - 2 <= end - begin
               for n in range(1, len(text) + 1))  # fmt: skip
    assert len(kept) == came


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"choices": [{"delta": {"reasoning_content": "so"}}]}, ReasoningDelta("so")),
        ({"choices": [{"message": {"content": "so"}}]}, TextDelta("so")),
        ({"type": "content_block_delta", "delta": {"text": "so"}}, TextDelta("so")),
        ({"type": "content_block_delta", "delta": {"thinking": "so"}}, ReasoningDelta("so")),
        ({"type": "response.output_text.delta", "delta": "so"}, TextDelta("so")),
        ({"type": "response.reasoning_text.delta", "delta": "so"}, ReasoningDelta("so")),
        ({"candidates": [{"content": {"parts": [{"text": "so"}]}}]}, TextDelta("so")),
        ({"message": {"content": "so"}, "done": False}, TextDelta("so")),
        ({"contentBlockIndex": 0, "delta": {"text": "so"}}, TextDelta("so")),
        ({"type": "response.output_text.done", "text": "so"}, None),
        ({"choices": [{"index": 1, "delta": {"content": "so"}}]}, None),
        ({"choices": [{"delta": {"content": 5, "x": "so"}}]}, None),
        ({"choices": "so"}, None),
        ([["so"]], None),
    ],
)
def test_formats(event: Any, expected: StreamEvent | None) -> None:
    cut = json.dumps(event).encode().rstrip(b"}]")
    assert deltas_in(cut) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a', b"[" * 200_000, b'{"a":' * 200_000, b'"\\', b"}]"]
)
def test_where_no_text_is_there_is_none(text: bytes) -> None:
    assert deltas_in(text) == []
