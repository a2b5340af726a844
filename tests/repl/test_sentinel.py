"""What typed drafts, pastes, files and pipes mean (guarantee G13)."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cloudllm.errors import ConfigurationError
from cloudllm.repl.sentinel import Blank, BlockReader, Command, Grammar, UserText

GRAMMARS = [Grammar(), Grammar(submit="enter"), Grammar("end"), Grammar("\\"), Grammar("\\\\end")]
GRAMMARS += [Grammar("the end"), Grammar(";;"), Grammar("終わり")]
grammars = st.sampled_from(GRAMMARS)


def _texts(alphabet: str = "ab\\/ \t\n\r\u2028e\x1c") -> st.SearchStrategy[str]:
    """Texts made of the pieces that matter, among others."""
    words = ["\\end", "\\\\end", "\\\\\\end", "end", "\\", "/", "//", "\n", "\r\n", "\r", " ", "a"]
    words += ["the end", ";;", "終わり", "\u2028"]
    pieces = st.lists(st.sampled_from(words), max_size=9).map("".join)
    return pieces | st.text(alphabet, max_size=12) | st.text(max_size=8)


texts = _texts()


@given(grammars, texts)
@example(Grammar(), "/single")
@example(Grammar(), "//double\nmore")
@example(Grammar(), "/one\n")
@example(Grammar(), "\\end")
@example(Grammar(), " \\\\end\r\nx\u2028\\end")
def test_G13_encoded_text_decodes_to_itself(grammar: Grammar, text: str) -> None:
    assume(text.strip())
    assert grammar.decode(grammar.encode(text)) == UserText(text)


@given(grammars, texts)
def test_G13_encoded_text_has_no_line_that_submits(grammar: Grammar, text: str) -> None:
    assert not any(map(grammar.closes, grammar.encode(text).split("\n")))


@given(grammars, texts)
@example(Grammar(), "//a\r\n\\end\r\n")
@example(Grammar(), "//one line")
def test_G13_a_paste_means_itself(grammar: Grammar, paste: str) -> None:
    meant = paste.replace("\r\n", "\n").replace("\r", "\n")
    assume(meant.strip())
    assume("\n" in meant or not meant.startswith("/") or meant.startswith("//"))
    assert grammar.decode(grammar.pasted(paste, "", "")) == UserText(meant)


@given(grammars, texts, st.text(" \t\n"), st.text(" \t\n"))
@example(Grammar(), "\\end", "", "")
@example(Grammar(), "\\end", "  ", " \n")
@example(Grammar(), "a\r\\end\rb", "x\n", "")
def test_G13_no_paste_alone_makes_a_line_that_submits(
    grammar: Grammar, paste: str, before: str, after: str
) -> None:
    buffer = before + grammar.pasted(paste, before, after) + after
    assert not any(map(grammar.closes, buffer.split("\n")))


@given(grammars, texts, texts, texts)
def test_G13_a_paste_submits_nothing_unless_typed_text_is_on_the_line(
    grammar: Grammar, paste: str, before: str, after: str
) -> None:
    inserted = grammar.pasted(paste, before, after)
    buffer = before + inserted + after
    position = 0
    for line in buffer.split("\n"):
        typed = (
            buffer[position : min(position + len(line), len(before))]
            + buffer[max(position, len(before) + len(inserted)) : position + len(line)]
        )
        if grammar.closes(line):
            assert typed.strip()
        position += len(line) + 1


@given(grammars, texts)
def test_G13_a_message_that_was_encoded_comes_back_through_the_sentinel(
    grammar: Grammar, text: str
) -> None:
    assume(text.strip())
    buffer = f"{grammar.encode(text)}\n{grammar.sentinel}"
    draft = grammar.enter(buffer, len(buffer))
    assert draft is not None
    assert grammar.decode(draft) == UserText(text)


@given(grammars, texts)
def test_G13_a_file_with_the_encoded_text_holds_that_one_message(
    grammar: Grammar, text: str
) -> None:
    assume(text.strip())
    assume(not text.lstrip().startswith("/") or text.startswith("/"))
    reader = BlockReader(grammar)
    assert [reader.feed(line) for line in grammar.encode(text).split("\n")][-1] is None
    assert reader.feed(f" {grammar.sentinel}\t") == UserText(text)
    assert reader.end() is None


@pytest.mark.parametrize(
    ("draft", "meaning"),
    [
        ("hello", UserText("hello")),
        ("  hello\n", UserText("  hello\n")),
        ("/model openai/x ", Command("/model openai/x")),
        ("/", Command("/")),
        (" /model", UserText(" /model")),
        ("//etc", UserText("/etc")),
        ("///", UserText("//")),
        ("//a\nb", UserText("/a\nb")),
        ("/usr/bin\nb", UserText("/usr/bin\nb")),
        ("/a\u2028b", Command("/a\u2028b")),
        ("\\\\end", UserText("\\end")),
        ("a\n \\\\\\end \nb", UserText("a\n \\\\end \nb")),
        ("say \\\\end", UserText("say \\\\end")),
        ("a\n\\end\nb", UserText("a\n\\end\nb")),
        ("", None),
        (" \n\t\u2003", None),
    ],
)
def test_G13_meaning_of_a_draft(draft: str, meaning: object) -> None:
    assert Grammar().decode(draft) == meaning


@pytest.mark.parametrize(
    ("before", "after", "draft"),
    [
        ("a\n\\end", "", "a"),
        ("a\n\n \\end", " ", "a\n"),
        ("\\end", "\n \n", ""),
        ("\n\\end", "", ""),
        ("a\n\\end", "b", None),
        ("a\n\\end", "\nb", None),
        ("a\n\\\\end", "", None),
        ("a \\end", "", None),
        ("a", "", None),
        ("/help", "", "/help"),
        ("/he", "lp", "/help"),
        ("//etc", "", None),
        ("/help\n", "", None),
    ],
)
def test_G13_enter_submits_after_the_sentinel_and_after_a_command(
    before: str, after: str, draft: str | None
) -> None:
    assert Grammar().enter(before + after, len(before)) == draft


def test_G13_enter_mode_submits_anywhere_and_still_takes_the_sentinel() -> None:
    grammar = Grammar(submit="enter")
    assert grammar.enter("a\nb", 1) == "a\nb"
    assert grammar.enter("a\nb\n\\end", 8) == "a\nb"


def test_G13_a_pasted_sentinel_beside_typed_text_is_left_alone() -> None:
    grammar = Grammar()
    assert grammar.pasted("\\end\nx", "say ", "") == "\\end\nx"
    assert grammar.pasted("x\n\\end", "", " now") == "x\n\\end"


def test_a_pasted_command_stays_a_command() -> None:
    assert Grammar().pasted("/model openai/x", "", "") == "/model openai/x"


def test_a_paste_after_typed_text_gets_no_slash() -> None:
    assert Grammar().pasted("//b", "a", "") == "//b"


@pytest.mark.parametrize("sentinel", ["", " \t", "a\nb", "/send", " //"])
def test_a_sentinel_that_could_not_work_is_refused_in_one_line(sentinel: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^repl\.sentinel is .*'/'$"):
        Grammar(sentinel)


def _read(lines: str) -> list[object]:
    reader = BlockReader(Grammar())
    found: list[object] = [item for line in lines.split("\n") if (item := reader.feed(line))]
    return [*found, *filter(None, [reader.end()])]


@pytest.mark.parametrize(
    ("lines", "items"),
    [
        ("hello\n\\end", [UserText("hello")]),
        ("hello", [UserText("hello")]),
        ("a\n\nb\n \\end\nc", [UserText("a\n\nb"), UserText("c")]),
        ("/model x\nhello\n/quit\n\\end", [Command("/model x"), UserText("hello\n/quit")]),
        ("\n \n/help\n/quit", [Command("/help"), Command("/quit")]),
        ("\n\nhello\n\\end", [UserText("\n\nhello")]),
        ("\n//etc\n//etc\n\\end", [UserText("\n/etc\n//etc")]),
        ("\\\\end\n\\end", [UserText("\\end")]),
        ("\\end", [Blank()]),
        (" \n\\end\n/help", [Blank(), Command("/help")]),
        ("a\n\\end\n\n \n", [UserText("a")]),
        ("", []),
        ("hello\n\n", [UserText("hello\n\n")]),
        ("/help\r\nhi\r\n\\end\r", [Command("/help"), UserText("hi\r")]),
    ],
)
def test_G13_in_a_file_only_the_first_line_of_a_block_may_be_a_command(
    lines: str, items: list[object]
) -> None:
    assert _read(lines) == items
