"""What /context, /tokens and /why show: every message, every number with its mark, no wide row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from cloudllm import Attempt, Cost, Message, Outcome, Role, Usage
from cloudllm.calibration import Calibration
from cloudllm.context import Conversation, Plan, outline
from cloudllm.repl.telling import attempts_text, plan_text, tokens_text
from cloudllm.tokens import profile_message


def plan_of(*texts: str, limit: int | None = None, pin: int = 0, newest: str = "and now?") -> Plan:
    """The plan for a conversation of turns with these texts."""
    conversation = Conversation()
    for text in texts:
        conversation.append(Message(Role.USER, text))
        conversation.append(Message(Role.ASSISTANT, f"answer to {text}"))
    if pin:
        conversation.pin(pin, True)
    made = outline(
        "Be brief.",
        conversation,
        keep=len(conversation),
        newest=[Message(Role.USER, newest)],
        limit=limit,
        reserve=10,
        calibration=Calibration(),
    )
    return made.drop_oldest()


def test_G4_context_shows_every_message_and_why_it_goes_out_or_not() -> None:
    long = "word " * 60
    plan = plan_of("pinned one", long, "last one", limit=120, pin=1)
    lines = plan_text(plan, strategy="drop-oldest", newest=True).split("\n")
    rows = [(line[:4].strip(), line[6:15].strip(), line[25:47].strip()) for line in lines[1:9]]
    assert rows == [
        ("-", "system", "sent"),
        ("1", "user", "pinned"),
        ("1", "assistant", "pinned"),
        ("2", "user", "left out (does not fit)"[:22]),
        ("2", "assistant", "left out (does not fit)"[:22]),
        ("3", "user", "sent"),
        ("3", "assistant", "sent"),
        ("4", "user", "sent"),
    ]
    assert "word word" in lines[4]
    told = "\n".join(lines[9:])
    assert f"needs     {plan.needed:,} of 120 tokens: ~{plan.tokens:,} go out, 10% more" in told
    assert "10 are kept free for the answer" in told
    assert "strategy  drop-oldest" in told
    assert f"left out  2 messages (~{plan.left_out_tokens:,} tokens); the history keeps" in told


def test_without_a_text_there_is_no_newest_message_to_show() -> None:
    plan = plan_of("one", newest="")
    shown = plan_text(plan, strategy="none", newest=False)
    assert shown.split("\n")[3].startswith("   1  assistant")
    assert shown.split("\n")[4] == ""
    assert "no limit is known" in shown
    assert "left out" not in shown


@given(st.lists(st.text(max_size=60), max_size=4))
def test_rows_of_a_plan_fit_a_narrow_terminal(texts: list[str]) -> None:
    shown = plan_text(plan_of(*texts), strategy="drop-oldest", newest=True)
    assert all(wcswidth(row) <= 80 for row in shown.split("\n"))


def test_tokens_come_with_their_cost_and_with_the_error_of_the_estimate() -> None:
    calibration = Calibration()
    last = Message(
        Role.ASSISTANT, "x", usage=Usage(input_tokens=7, output_tokens=5), cost=Cost(nano=10**6)
    )
    shown = tokens_text(
        last, Usage(input_tokens=9, estimated=True), Cost(unknown=2), limit=None,
        calibration=calibration,
    ).split("\n")  # fmt: skip
    assert shown[0] == "last reply  7 in · 5 out · 12 tokens · $0.001"
    assert shown[1].endswith("~9 tokens · cost unknown")
    assert shown[2] == "window      unknown"
    assert shown[3] == "estimate    not checked yet; margin 10%"
    message = Message(Role.USER, "a text of some words, to be counted by both of us " * 5)
    guess = calibration.tokens(profile_message(message))
    calibration.observe(profile_message(message), guess + 4)
    assert calibration.error is not None
    shown = tokens_text(last, Usage(), Cost(), limit=8_192, calibration=calibration).split("\n")
    assert shown[2] == "window      8,192 tokens"
    assert f"off by {calibration.error:.1%} lately, by 1 report of the provider" in shown[3]


def test_attempts_are_a_table_with_causes_and_request_ids() -> None:
    attempts = (
        Attempt(number=1, model="acme/one", outcome=Outcome.FAILED, seconds=0.12, status=429,
                error="Acme asks to slow down (429): busy", request_id="req_1"),
        Attempt(number=2, model="acme/one", outcome=Outcome.COMPLETE, waited=1.0, seconds=2.0),
        Attempt(number=3, model="b/b", outcome=Outcome.NOT_SENT, error="no key"),
    )  # fmt: skip
    assert attempts_text(attempts).split("\n") == [
        "   model     outcome   waited   took  status",
        "1  acme/one  failed         -  0.1 s  429",
        "   Acme asks to slow down (429): busy",
        "   request req_1",
        "2  acme/one  complete   1.0 s  2.0 s  -",
        "3  b/b       not sent       -  0.0 s  -",
        "   no key",
    ]
