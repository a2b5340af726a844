"""The chat on a real terminal: what a person types, and what they then see."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from cloudllm.testing import Reply

META_ENTER = "\x1b\r"
SEND = "\r\\end\r"


def test_a_message_of_several_lines_is_sent_by_the_sentinel(chat: Any) -> None:
    t = chat.terminal
    t.send("first\rsecond" + SEND)
    t.wait(r"7 in · 5 out · 12 tokens")
    assert re.search(
        r"^> first\n  second\nAssistant:\nHello from the wire\.\n", t.text(), re.MULTILINE
    )
    assert chat.sent()[0]["role"] == "system"
    assert chat.sent()[1:] == [{"role": "user", "content": "first\nsecond"}]


def test_the_conversation_goes_on(chat: Any) -> None:
    t = chat.terminal
    t.send("one" + SEND)
    t.wait("12 tokens")
    t.send("two" + SEND)
    t.wait(r"(?s)12 tokens.*12 tokens")
    roles = [message["role"] for message in chat.sent()]
    assert roles == ["system", "user", "assistant", "user"]


def test_meta_enter_submits(chat: Any) -> None:
    chat.terminal.send("one\rtwo" + META_ENTER)
    chat.terminal.wait("Hello from the wire")
    assert chat.sent()[-1]["content"] == "one\ntwo"


def test_the_waiting_indicator_names_the_model_and_counts(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text="late", first_delay=1.2))
    t.send("hi" + SEND)
    t.wait(r"(Sending message|Waiting for the reply)… openai/gpt-6-luna 0\.\d s")
    t.wait(r"Waiting for the reply… openai/gpt-6-luna 1\.\d s")
    t.wait("^late")
    t.wait_gone("Waiting for")


def test_reasoning_is_shown_apart_from_the_answer(chat: Any) -> None:
    chat.server.replies(Reply(reasoning="hmm, let me see", text="forty-two"))
    chat.terminal.send("why" + SEND)
    chat.terminal.wait(r"Thinking:\nhmm, let me see\nAssistant:\nforty-two")


def test_G13_a_sentinel_inside_a_bracketed_paste_is_text(chat: Any) -> None:
    chat.terminal.paste("before\n\\end\nafter")
    chat.terminal.send(SEND)
    chat.terminal.wait("Hello from the wire")
    assert [m["content"] for m in chat.sent()[1:]] == ["before\n\\end\nafter"]


def test_G13_a_pasted_sentinel_stays_text_when_enter_is_typed_after_it(chat: Any) -> None:
    t = chat.terminal
    t.paste("text\n\\end")
    t.send("\r")
    t.settle()
    assert not chat.server.requests
    t.send("\\end\r")
    t.wait("Hello from the wire")
    assert chat.sent()[-1]["content"] == "text\n\\end"


def test_G13_an_escaped_sentinel_is_a_literal_line(chat: Any) -> None:
    chat.terminal.send("a\r\\\\end\rb" + SEND)
    chat.terminal.wait("Hello from the wire")
    assert chat.sent()[-1]["content"] == "a\n\\end\nb"


def test_G13_an_unbracketed_burst_means_what_it_would_one_by_one(chat: Any) -> None:
    lines = [f"line {n} of a text that comes as single keys, fast" for n in range(300)]
    chat.terminal.send("\r".join(lines) + SEND)
    chat.terminal.wait("Hello from the wire", timeout=60)
    assert chat.sent()[-1]["content"] == "\n".join(lines)


def test_G13_two_slashes_start_a_text_with_a_slash(chat: Any) -> None:
    chat.terminal.send("//usr is a folder" + SEND)
    chat.terminal.wait("Hello from the wire")
    assert chat.sent()[-1]["content"] == "/usr is a folder"


def test_an_unknown_command_is_an_error_with_a_suggestion_and_is_not_sent(chat: Any) -> None:
    t = chat.terminal
    t.send("/hepl\r")
    t.wait("unknown command /hepl. Did you mean /help")
    t.send("/help\r")
    t.wait(r"/undo +take the last turn back")
    assert not chat.server.requests


@pytest.mark.parametrize("text", ["\\end\r", "  \r\t\r\\end\r"])
def test_nothing_but_white_space_is_refused(text: str, chat: Any) -> None:
    chat.terminal.send(text)
    chat.terminal.wait("There is nothing to send")
    assert not chat.server.requests


def test_G12_ctrl_c_stops_a_reply_keeps_what_came_and_closes_the_connection(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=["begun ", *["x"] * 200], delay=0.1))
    t.send("go" + SEND)
    t.wait("^begun")
    start = time.monotonic()
    t.send("\x03")
    t.wait("Stopped; what came is kept")
    assert time.monotonic() - start < 1  # the guarantee is 200 ms; a busy machine adds to it
    assert chat.server.wait_for_disconnects(1)
    t.send("next" + SEND)
    t.wait("Hello from the wire")
    roles = [message["role"] for message in chat.sent()]
    assert roles == ["system", "user", "assistant", "user"]
    assert chat.sent()[2]["content"].startswith("begun")


def test_G3_stopped_before_the_first_word_the_text_is_back_ahead_of_the_draft(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text="never seen", first_delay=30))
    t.send("my question" + SEND)
    t.wait("Waiting for the reply")
    chat.arrived()
    t.send("a draft")
    t.wait("a draft")
    t.send("\x03")
    t.wait("Stopped")
    t.settle()
    assert t.editor() == "my question\na draft"
    t.send(SEND)
    t.wait("Hello from the wire")
    assert [message["role"] for message in chat.sent()] == ["system", "user"]
    assert chat.sent()[-1]["content"] == "my question\na draft"


def test_G12_ctrl_c_clears_the_editor_and_keeps_it_in_the_history(chat: Any) -> None:
    t = chat.terminal
    t.send("precious words")
    t.wait("precious")
    t.send("\x03")
    t.wait_gone("precious")
    t.send("\x1b[A")
    t.wait("precious words")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.error(401, "bad key"), r"OpenAI"),
        (Reply.error(400, "out of order"), r"out of order"),
        (Reply.html(), r"Error:"),
    ],
    ids=["wrong key", "refused", "html"],
)
def test_G3_an_error_is_one_line_and_the_text_is_back(reply: Reply, words: str, chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(reply)
    t.send("my question" + SEND)
    t.wait("^Error:")
    t.wait(words)
    t.settle()
    assert t.editor() == "my question"
    assert "Traceback" not in t.text()
    t.send(SEND)
    t.wait("Hello from the wire")
    assert chat.sent()[1:] == [{"role": "user", "content": "my question"}]


def test_G10_a_cut_reply_is_kept_and_said_to_be_partial(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=["half ", "a ", "reply"], cut_after=2))
    t.send("go" + SEND)
    t.wait("^half a")
    t.wait("The reply was broken off")
    t.send("/retry\r")
    t.wait("Hello from the wire")
    assert [message["role"] for message in chat.sent()] == ["system", "user"]


def test_G11_a_stopped_reply_is_continued_where_it_was(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=["half ", *["of "] * 100], delay=0.1), Reply(text="the rest"))
    t.send("go" + SEND)
    t.wait("^half of")
    t.send("\x03")
    t.wait(r"what came is kept: /continue goes on with it, /retry asks again\.\n~\d+ in · ~\d+ out")
    t.send("/continue\r")
    t.wait(r"> /continue\nAssistant:\nthe rest\n.* tokens")
    assert [each["role"] for each in chat.sent()] == ["system", "user", "assistant", "user"]
    t.send("next" + SEND)
    t.wait("Hello from the wire")
    assert re.fullmatch(r"half (of )+the rest", chat.sent()[2]["content"])


def test_G11_another_model_goes_on_and_why_says_what_was_tried(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply.error(503, "out of order"))
    t.send("/set retry.attempts 1\r")
    t.send("/set fallback echo/echo\r")
    t.wait(r"fallback = ")
    t.send("hello" + SEND)
    t.wait(r"out of order\. Going on with echo/echo instead of\s+openai/gpt-6-luna\.")
    t.wait(r"You said: hello[^>]* · free · [\d.]+ s · 2 attempts$")
    t.send("/why\r")
    t.wait(
        r"1  openai/gpt-6-luna  failed +- +[\d.]+ s  503\n   OpenAI failed \(503\): out of order"
    )
    t.wait(r"2  echo/echo          complete")
    t.send("/set retry.attempts 3\r")
    t.send("/set fallback []\r")
    t.wait(r"fallback = \[\]")


def test_reasoning_that_is_switched_off_is_thinking_and_is_kept(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(reasoning=["hmm, ", "let me ", "see"], text="forty-two", delay=0.2))
    t.send("/set repl.reasoning false\r")
    t.send("why" + SEND)
    t.wait(r"Thinking… \d\.\d s")
    t.wait(r"> why\nAssistant:\nforty-two")
    t.wait_gone("Thinking")
    assert "hmm" not in t.text()
    t.send("/set repl.reasoning true\r")
    t.wait("repl.reasoning = true")


def test_a_reply_without_text_and_one_that_is_too_long_say_so(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=""), Reply(text="to be", finish_reason="length"))
    t.send("one" + SEND)
    t.wait(r"Assistant:\n\(an empty reply\)\n7 in")
    t.send("two" + SEND)
    t.wait(r"to be\nThe reply stopped at the limit of its length [^>]*\n/continue goes on\.\n7 in")


def test_G6_a_reply_full_of_escape_sequences_is_only_text(chat: Any) -> None:
    t = chat.terminal
    hostile = "red \x1b[31;5;77m, title \x1b]0;pwned77\x07, clear \x1b[2J\x9b77A back\x08\x08 \r77"
    chat.server.replies(Reply(text=hostile))
    t.send("go" + SEND)
    t.wait("12 tokens")
    for payload in (b"\x1b[31;5;77m", b"\x1b]0;pwned", b"\x1b[2J\xc2\x9b", b"\x9b77A", b"back\x08"):
        assert payload not in t.raw
    assert "pwned77" in t.text()


def test_a_message_typed_during_a_reply_is_sent_after_it(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(
        Reply(text=["one ", "two ", "three"], delay=0.4), Reply(text="the second reply")
    )
    t.send("first" + SEND)
    t.wait("^one")
    t.send("second" + SEND)
    t.wait("the second reply")
    assert re.search(r"(?s)> first.*one two three.*> second.*the second reply", t.text())


def test_commands_change_the_conversation(chat: Any) -> None:
    t = chat.terminal
    t.send("one" + SEND)
    t.wait("12 tokens")
    t.send("/undo\r")
    t.wait("The last turn is taken back")
    t.settle()
    assert t.editor() == "one"
    t.send("\x03/system Speak like a pirate.\r")
    t.wait("system prompt is changed")
    t.send("/set temperature 0.5\r")
    t.wait(r"temperature = 0\.5")
    t.send("/set tmperature 1\r")
    t.wait(r"did you mean")
    t.send("two" + SEND)
    t.wait(r"(?s)12 tokens.*12 tokens")
    assert chat.sent() == [
        {"role": "system", "content": "Speak like a pirate."},
        {"role": "user", "content": "two"},
    ]
    t.send("/tokens\r")
    t.wait(r"last reply +7 in · 5 out · 12 tokens")


def test_another_model_goes_on_with_the_same_conversation(chat: Any) -> None:
    t = chat.terminal
    t.send("/model gpt-4.1-nano\r")
    t.wait("The next message goes to openai/gpt-4.1-nano")
    t.send("hi" + SEND)
    t.wait("Hello from the wire")
    assert chat.server.requests[-1].body["model"] == "gpt-4.1-nano"
    t.send("/model echho/echo\r")
    t.wait(r"unknown provider 'echho'\. Did you mean echo")
    t.send("/model openai/gpt-6-luna\r")
    t.wait("goes to openai/gpt-6-luna")


def test_set_takes_key_and_value_with_or_without_an_equals_sign(chat: Any) -> None:
    t = chat.terminal
    t.send("/set system_prompt Use x=1\r")
    t.wait('system_prompt = "Use x=1"')
    t.send("/set temperature = 0.25\r")
    t.wait(r"temperature = 0\.25")
    t.send("/set repl.submit enter\r")
    t.wait("repl.submit counts when the chat starts")


def test_a_notice_leaves_the_open_line_of_a_reply_alone(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=["an open line", " goes on"], delay=1.5))
    t.send("go" + SEND)
    t.wait("^an open line")
    t.send("\\end\r")
    t.wait("There is nothing to send")
    assert "an open line" in t.text()
    t.wait("^an open line goes on")


def test_commands_are_completed(chat: Any) -> None:
    t = chat.terminal
    t.send("/mo")
    t.wait("show or change the model")
    t.send("\t")
    t.wait(r"^> /model")


@pytest.mark.slow
def test_G12_only_two_ctrl_c_in_a_row_leave(chat: Any) -> None:
    t = chat.terminal
    t.wait("/help")  # before, Ctrl-C ends the start
    t.send("\x03/pin x\r")
    t.wait("^Error")
    t.send("\x03")
    t.wait(r"(?s)Press Ctrl-C again.*Error.*Press Ctrl-C again")


def test_a_megabyte_pasted_is_sent_whole(chat: Any) -> None:
    t = chat.terminal
    text = "\n".join(f"{n:06d} " + "x" * 92 for n in range(10_500))
    t.paste(text)
    t.send(SEND)
    t.wait("Hello from the wire", timeout=60)
    assert chat.sent()[-1]["content"] == text
    t.wait(r"… 10,4\d\d more lines\n  0104\d\d x")
