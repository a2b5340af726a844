"""Usage that can't be: the reply is whole, and its tokens are counted here instead."""

from __future__ import annotations

from cloudllm.testing.faults.chat import DONE, HALF, REST, ROLE, STOP, TEXT, chunk, streamed, usage
from cloudllm.testing.faults.model import Fault


def _reports(name: str, what: str, report: object, *, counted: bool = False) -> Fault:
    answer = streamed(ROLE, HALF, REST, STOP, usage(report), DONE)
    return Fault(
        id=f"usage-{name}",
        what=f"usage {what}",
        answer=answer,
        outcome="done",
        text=TEXT,
        counted=counted,
    )


def _counts(given: object, written: object) -> dict[str, object]:
    return {"prompt_tokens": given, "completion_tokens": written, "total_tokens": 12}


FAULTS = (
    _reports("negative", "with negative numbers", _counts(-7, -5)),
    _reports("half-negative", "with a negative number beside a good one", _counts(-7, 5)),
    _reports("huge", "with numbers that no model reaches", _counts(10**30, 10**30)),
    _reports("strings", "with numbers as texts", _counts("7", "5")),
    _reports("null", "that is null", None),
    _reports("null-numbers", "with null for numbers", _counts(None, None)),
    _reports("nan", "with NaN", _counts(float("nan"), float("inf"))),
    _reports("list", "in a list", [_counts(7, 5)]),
    _reports("text", "in words", "plenty"),
    _reports("zero", "of nothing at all", _counts(0, 0)),
    _reports("half", "without the tokens of the reply", {"prompt_tokens": 7}),
    _reports("empty", "in an empty object", {}),
    _reports("booleans", "with true for numbers", _counts(given=True, written=True)),
    _reports(
        "details-null",
        "whose details are null",
        {**_counts(7, 5), "prompt_tokens_details": None, "completion_tokens_details": None},
        counted=True,
    ),
    _reports(
        "details-junk",
        "whose details are junk",
        {**_counts(7, 5), "prompt_tokens_details": "x", "completion_tokens_details": [1]},
        counted=True,
    ),
    _reports(
        "more-cached-than-given",
        "with more tokens cached than there were",
        {**_counts(7, 5), "prompt_tokens_details": {"cached_tokens": 9_000}},
        counted=True,
    ),
    Fault(
        id="usage-shrinks",
        what="usage that goes down again",
        outcome="done",
        text=TEXT,
        counted=True,
        answer=streamed(
            ROLE, HALF, chunk({}, usage=_counts(7, 5)), REST, STOP, usage(_counts(7, 1)), DONE
        ),
    ),
)
