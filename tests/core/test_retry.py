"""When a request is sent again: which errors, how long the waits are, and when it is enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import (
    AuthenticationError,
    CloudLLMError,
    ContextTooLong,
    DeadlineExceeded,
    InvalidResponse,
    ModelNotFound,
    NetworkError,
    RateLimited,
    Refused,
    RequestRejected,
    RetryPolicy,
    ServerError,
)
from cloudllm.retry import another_model_may_do

POLICY = RetryPolicy()


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ServerError("x"), 3),
        (RateLimited("x"), 3),
        (RateLimited("no quota", tries=1), 1),
        (NetworkError("x"), 3),
        (NetworkError("TLS", tries=1), 1),
        (DeadlineExceeded("x"), 2),
        (InvalidResponse("x"), 1),
        (RequestRejected("x"), 1),
        (AuthenticationError("x"), 1),
        (ContextTooLong("x"), 1),
        (Refused("x"), 1),
    ],
)
def test_G11_only_what_trying_again_can_mend_is_tried_again(
    error: CloudLLMError, attempts: int
) -> None:
    assert POLICY.attempts_for(error) == attempts
    made = 1
    while POLICY.wait(error, made, 0.0) is not None:
        made += 1
    assert made == attempts


@given(st.integers(1, 20), st.floats(0, 100), st.none() | st.floats(0, 10_000))
def test_G11_no_wait_is_shorter_than_asked_for_or_goes_beyond_the_time(
    made: int, waited: float, asked: float | None
) -> None:
    policy = RetryPolicy(attempts=30)
    error = RateLimited("x", tries=30, retry_after=asked)
    wait = policy.wait(error, made, waited)
    if wait is None:
        assert waited + max(asked or 0.0, 0.5) * 1.25 > policy.seconds or waited + 8 * 1.25 > 60
        return
    assert waited + wait <= policy.seconds
    assert wait >= (asked or 0.0)
    assert wait >= 0.5
    assert wait <= max(asked or 0.0, min(0.5 * 2.0 ** (made - 1), 8.0) * 1.25)


def test_the_policy_sets_the_limit_where_trying_again_may_help() -> None:
    policy = RetryPolicy(attempts=8)
    assert policy.attempts_for(ServerError("x")) == 8
    assert policy.attempts_for(DeadlineExceeded("x")) == 2


def test_waits_grow() -> None:
    error = ServerError("x")
    for _ in range(50):
        first, second = (POLICY.wait(error, made, 0.0) for made in (1, 2))
        assert first is not None
        assert second is not None
        assert 0.5 <= first <= 0.625
        assert 1.0 <= second <= 1.25


def test_a_wait_that_the_provider_asks_for_is_too_long_or_kept() -> None:
    assert POLICY.wait(RateLimited("x", retry_after=3600), 1, 0.0) is None
    assert POLICY.wait(ServerError("x", retry_after=7), 1, 0.0) == 7


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (ServerError("x"), True),
        (NetworkError("x"), True),
        (RateLimited("x", tries=1), True),
        (AuthenticationError("x"), True),
        (ModelNotFound("x"), True),
        (RequestRejected("no credit", status=402), True),
        (RequestRejected("bad parameter", status=400), False),
        (ContextTooLong("x"), False),
        (Refused("x"), False),
        (CloudLLMError("x"), False),
    ],
)
def test_G11_another_model_is_asked_where_it_may_do_better(error: CloudLLMError, may: bool) -> None:
    assert another_model_may_do(error) is may
