"""The reason in the body of an error: found in any form, also where it was cut; never shown raw."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import gateway
from cloudllm.errors import CloudLLMError
from cloudllm.gateway.reasons import Reason, in_text, reason, without_begun
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import Reply, WireServer

BODY = '{"error": {"message": "No \\"such\\" key: caf\\u00e9.", "type": "auth", "code": "no_key"}}'
DEADLINES = Deadlines(connect=3, first_token=5, gap=5)
WORDS = 'No "such" key: café.'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BODY, WORDS),
        (f"event: error\ndata: {BODY}\n\n", WORDS),
        (f"[{BODY}]", WORDS),
        (json.dumps({"error": {"message": BODY}}), WORDS),
        (repr(json.loads(BODY)), WORDS),
        (BODY[:-30], WORDS),
        ('{"detail": "Not authenticated"}', "Not authenticated"),
        ('{"error": "invalid_grant", "error_description": "It is over."}', "It is over."),
        ('{"detail": [{"loc": ["body", "messages", 0], "msg": "too few"}]}', "messages.0: too few"),
        ("<Error><Code>No</Code><Message>Access Denied</Message></Error>", "Access Denied"),
        ("a plain {text} of ours", "a plain {text} of ours"),
        ('It takes one of ["a", "b"].', 'It takes one of ["a", "b"].'),
        ('["the first", "the second"]', "the first"),
        ("[Errno 24] Too many open files", "[Errno 24] Too many open files"),
        (repr({"message": '\'a\' or "b"\nor 5"'}), '\'a\' or "b"\nor 5"'),
        (repr({"message": '"a"\x1b'}), '"a"\x1b'),
        ("<!doctype html><title>Sign in</title>", "(a web page)"),
        *((nothing, "") for nothing in ("", "null", "None", "{}", "[]")),
    ],
)
def test_the_reason_is_found(body: str, words: str) -> None:
    assert in_text(body) == Reason(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('litellm.APIError: AcmeException - b\'{"error": "caf\\xc3\\xa9"}\'', "café"),
        ('AcmeException - b"it\'s over\\n"', "it's over"),
        ("AcmeException - verb'é' b'\\d' b'é'", "verb'é' b'\\d' b'é'"),
        (
            "InternalServerError: AcmeException - busy. Handle with `litellm.InternalServerError`.",
            "busy",
        ),
    ],
)
def test_what_litellm_makes_of_a_body_is_undone(text: str, words: str) -> None:
    assert reason(ValueError(text), ()) == Reason(words)


def test_words_that_were_cut_say_so() -> None:
    assert in_text(BODY[:33]) == Reason('No "such', cut=True)
    assert in_text(BODY[: BODY.index("00e9")]) == Reason('No "such" key: caf', cut=True)


@pytest.mark.parametrize(
    "body", [BODY[:14], "{{{", "\x00\x01", "data: {", "<Error><Code>No</Code>"]
)
def test_what_holds_no_words_is_told_apart(body: str) -> None:
    assert in_text(body).raw


@given(st.text() | st.integers(0, len(BODY)).map(lambda end: BODY[:end]))
def test_anything_at_all_gives_one(body: str) -> None:
    assert isinstance(in_text(body).text, str)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"error":' * 100_000, '[{"error":' * 100_000])
def test_no_depth_is_too_deep(deep: str) -> None:
    assert in_text(deep).raw


def test_what_can_be_parsed_and_not_be_shown_is_left_out() -> None:
    for depth in range(900, 1_000):  # that of the stack counts, too
        steps = f'["body", "a", {"[" * depth}{"]" * depth}, 1]'
        found = in_text(f'{{"detail": [{{"loc": {steps}, "msg": "no"}}]}}')
        assert found.text in {"a.1: no", "no"}


@pytest.mark.parametrize(
    "piece", [".", " ", "Anthropic", "Error: ", "Error", " b'", '"message"', '"message": "', "\\"]
)
@pytest.mark.parametrize("end", ["", "x"])
def test_no_body_takes_long(piece: str, end: str) -> None:
    body = (piece * 65_536)[:65_536]
    began = time.process_time()
    reason(ValueError(f"AcmeException - x{body}{end}"), ())
    reason(ValueError(f"{body}{end}"), ())
    assert time.process_time() - began < 1


def test_G7_half_of_a_secret_at_the_end_is_hidden() -> None:
    assert without_begun("Bearer sk-1234567", ["sk-1234567890"]) == "Bearer ***"
    assert without_begun("Bearer sk", ["sk-1234567890"]) == "Bearer sk"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (BODY[:33], 'Work refused the key: No "such…'),
        ('{"error": {"mess', "Work refused the key: the server said “{"),
        ("\x1b[2J{" + "x" * 500, "Work refused the key: the server said “␛[2J{xxxx"),
        ('{"error": {"message": "You sent {key}"}}', "Work refused the key: You sent ***"),
        ("", "Work refused the key: no reason given"),
    ],
)
async def test_a_broken_body_of_an_error_is_one_clean_line(
    server: WireServer, client: Client, ask: Request, sent: str, shown: str
) -> None:
    server.replies(Reply(status=401, body=sent))
    with pytest.raises(CloudLLMError) as caught:
        async for _ in gateway.stream(client, ask, DEADLINES):
            pass
    message = caught.value.message
    assert message.startswith(shown)
    assert len(message) < 200
    assert message.isprintable()


@pytest.mark.parametrize("length", [6, 7, 8, 9, 10])
async def test_G7_a_key_that_was_cut_is_not_shown(
    server: WireServer, client: Client, ask: Request, length: int
) -> None:
    assert client.api_key is not None
    key = client.api_key.get_secret_value()
    server.replies(Reply(status=401, body='{"error": {"message": "You sent ' + key[:length]))
    with pytest.raises(CloudLLMError) as caught:
        async for _ in gateway.stream(client, ask, DEADLINES):
            pass
    assert caught.value.message == "Work refused the key: You sent ***…"
