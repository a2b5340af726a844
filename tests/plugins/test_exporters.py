"""The bundled exporters: JSON loses nothing, and what is to be read stands there as it was said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cloudllm import Archive, ArchivedMessage, Message, Role, Status, ToolCall
from cloudllm.archivejson import archive_of, archives_of
from cloudllm.importing import read
from cloudllm_plugins.exporters import cloudllm_exporters
from cloudllm_plugins.exporters.closing import closed
from tests.core.archives import archives, line_of, texts
from tests.plugins import hostile

EXPORTERS = {each.name: each for each in cloudllm_exporters()}
TALK = line_of(
    Message(Role.USER, "What is in the *harbour*?"),
    Message(Role.ASSISTANT, "", tool_calls=(ToolCall("1", "look_up", '{"at": "sea"}'),)),
    Message(Role.TOOL, "a ship\n```", tool_call_id="1"),
    Message(Role.ASSISTANT, "A ship.", reasoning="Look\nfirst.", model="acme/a_1"),
    Message(Role.USER, "Go on"),
    Message(Role.ASSISTANT, "```py\nx", status=Status.PARTIAL, error="the line went dead"),
    Message(Role.USER, "And?"),
    Message(Role.ASSISTANT, "So", status=Status.CANCELLED),
    title="The [harbour]\u202e\n",
    created=1_795_900_000_000,
    model="acme/a_1",
    system_prompt="Be brief.",
)
MARKDOWN = """\
# The \\[harbour\\]\\<U+202E\\>

*2026-11-28 21:06 UTC · acme/a\\_1*

> **System prompt**
>
> Be brief.

## You

What is in the *harbour*?

## Assistant

*calls look\\_up*

```json
{"at": "sea"}
```

## Tool

````
a ship
```
````

## acme/a\\_1

> **Reasoning**
>
> Look
> first.

A ship.

## You

Go on

## Assistant

```py
x
```

*(broken off: the line went dead)*

## You

And?

## Assistant

So

*(stopped)*
"""
TEXT = f"""\
{"=" * 72}
The [harbour]<U+202E>
2026-11-28 21:06 UTC · acme/a_1
{"=" * 72}

--- System prompt ---

Be brief.

--- You ---

What is in the *harbour*?

--- Assistant ---

[calls look_up with {{"at": "sea"}}]

--- Tool ---

a ship
```

--- acme/a_1 ---

| Reasoning:
| Look
| first.

A ship.

--- You ---

Go on

--- Assistant ---

```py
x

[broken off: the line went dead]

--- You ---

And?

--- Assistant ---

So

[stopped]
"""


def written(name: str, *conversations: Archive) -> str:
    return "".join(EXPORTERS[name].write(iter(conversations)))


def test_there_is_one_for_each_form() -> None:
    assert {name: each.suffix for name, each in EXPORTERS.items()} == {
        "markdown": ".md",
        "html": ".html",
        "text": ".txt",
        "json": ".json",
        "jsonl": ".jsonl",
    }


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, cloudllm_plugins.exporters as e; e.cloudllm_exporters();"
        "print([m for m in ('markdown_it', 'pygments', 'json', 'html') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(("name", "text"), [("markdown", MARKDOWN), ("text", TEXT)])
def test_a_conversation_reads_so(name: str, text: str) -> None:
    assert written(name, TALK) == text


@pytest.mark.parametrize("name", EXPORTERS)
def test_no_conversation_an_empty_one_and_several_can_be_written(name: str) -> None:
    for conversations in ((), (Archive(),), (TALK, Archive(), TALK)):
        assert isinstance(written(name, *conversations), str)


@pytest.mark.parametrize("name", ["markdown", "html", "text"])
def test_only_the_branch_in_use_is_shown(name: str) -> None:
    other = ArchivedMessage(id="x", parent="1", message=Message(Role.ASSISTANT, "elsewhere"))
    forked = Archive(messages=(*TALK.messages, other), head="4")
    text = written(name, forked)
    assert "elsewhere" not in text
    assert "Go on" not in text
    assert "A ship." in text


@pytest.mark.parametrize("name", ["markdown", "html", "text"])
def test_a_time_that_is_none_is_left_out(name: str) -> None:
    assert "UTC" not in written(name, Archive(created=2**62), Archive(created=0))


@pytest.mark.parametrize("name", EXPORTERS)
def test_it_is_written_piece_by_piece_and_read_one_by_one(name: str) -> None:
    read: list[int] = []

    def stored() -> Iterator[Archive]:
        for number in range(9):
            read.append(number)
            yield TALK

    pieces = iter(EXPORTERS[name].write(stored()))
    while not next(pieces).strip():
        continue
    assert len(read) <= 2  # a page has one title, so it looks whether there is another
    assert max(map(len, pieces)) < 2_000


@settings(max_examples=15, deadline=None)
@given(st.lists(archives(), max_size=2))
def test_json_and_json_lines_lose_nothing(found: list[Archive]) -> None:
    whole = written("json", *found)
    assert list(archives_of(json.loads(whole.encode()))) == found
    lines = written("jsonl", *found)
    assert [archive_of(each, "it") for each in joined(lines)] == found
    assert re.sub(r"[\n\u00a0\u3000]", "", f"{whole}{lines}").isprintable()


def joined(lines: str) -> list[dict[str, Any]]:
    """The conversations that stand in JSON Lines, each as one object."""
    found: list[dict[str, Any]] = []
    for line in lines.encode().splitlines():
        value = json.loads(line)
        if "message" in value:
            found[-1]["messages"].append(value["message"])
        else:
            assert (value["format"], value["version"]) == ("cloudllm", 1)
            found.append({**value["conversation"], "messages": []})
    return found


@pytest.mark.parametrize(("name", "mark"), [("markdown", "> "), ("text", "| ")])
def test_what_is_quoted_keeps_its_blanks_and_controls(name: str, mark: str) -> None:
    said = Message(Role.ASSISTANT, "x", reasoning="hard  \nbreak\x0b\x1c\u2028end")
    assert f"{mark}hard  \n{mark}break\x0b\x1c\u2028end\n" in written(name, line_of(said))


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_what_was_exported_is_imported_as_it_was(name: str, tmp_path: Path) -> None:
    archives = [hostile.archive("https://x.example"), replace(TALK, id="talk")]
    file = tmp_path / "exported"
    file.write_text(written(name, *archives), encoding="utf-8")
    assert list(read(file)) == archives


@settings(max_examples=30, deadline=None)
@given(st.lists(texts, max_size=3), st.sampled_from(["markdown", "text"]))
def test_what_was_said_stands_there_exactly(said: list[str], name: str) -> None:
    exported = written(name, line_of(*(Message(Role.ASSISTANT, text) for text in said)))
    at = 0
    for text in said:
        at = exported.index(text, at) + len(text)


_markup = st.lists(
    st.sampled_from(
        ["```", "````", "~~~", "`", "\n", "\n\n", "    ", "> ", "- ", "1. ", "<!--", "-->", "<pre>",
         "<script>", "</pre>", "<?", "<![CDATA[", "<!A", "<div>", "text", "# x", "---", "|a|\n|-|",
         "[a]: b", "[a]: <b>\n'c", "\t", "\\", "\r"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(_markup)
def test_no_message_swallows_what_follows_it_in_markdown(text: str) -> None:
    assert closed(text).startswith(text)
    tokens = MarkdownIt("commonmark").parse(f"{closed(text)}\n\n## after\n")
    assert [token.content for token in tokens[-3:]] == ["", "after", ""]


@pytest.mark.parametrize(
    "text",
    ["```", "````\n```", "~~~~x\n```", "<!-- a", "<pre>", "<style>", "<?a", "<!A", "<![CDATA["],
)
def test_what_stays_open_is_closed(text: str) -> None:
    after = written("markdown", line_of(Message(Role.ASSISTANT, text), Message(Role.USER, "a")))
    last = MarkdownIt("commonmark").parse(after)[-1]
    assert last.type == "paragraph_close"


def test_what_is_closed_already_stays_as_it_is() -> None:
    for text in ("```\nx\n```", "- ```\n  x", "> <!--", "a < b", "<b>", "`` ` ``"):
        assert closed(text) == text


@pytest.mark.parametrize("name", ["markdown", "html", "text"])
def test_titles_and_speakers_stay_on_one_line(name: str) -> None:
    odd = "a\n# b\r\n\x1b[2J\u2028c " + "x" * 400
    message = Message(Role.ASSISTANT, "", model=odd, status=Status.PARTIAL, error=odd)
    text = written(name, line_of(message, title=odd, model=odd))
    assert "\x1b" not in text
    assert "\n# b" not in text
    assert "x" * 301 not in text


@pytest.mark.parametrize("name", EXPORTERS)
def test_anything_hostile_is_written(name: str) -> None:
    text = written(name, hostile.archive("http://127.0.0.1:9"))
    assert len(text) > 10_000
