"""The HTML export: one page that needs nothing else, in which foreign text is text."""

from __future__ import annotations

import re
import time
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudllm import Archive, Message, Role, Status, ToolCall
from cloudllm_plugins.exporters import cloudllm_exporters
from cloudllm_plugins.exporters.html import highlight
from cloudllm_plugins.exporters.html.highlight import highlighted
from cloudllm_plugins.exporters.html.parts import written
from cloudllm_plugins.exporters.html.prose import prose
from cloudllm_plugins.exporters.visible import one_line, shown
from tests.core.archives import line_of, texts
from tests.plugins import hostile

(HTML,) = (each for each in cloudllm_exporters() if each.name == "html")
VOID = {"meta", "br", "hr"}


def page(*archives: Archive) -> str:
    return "".join(HTML.write(iter(archives)))


class Reader(HTMLParser):
    """Collects the elements, checks that they are nested well, and the text in them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_head_forbids_everything_but_its_own_looks() -> None:
    text = page(Archive(title="One"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert text.index("<meta charset") < text.index("<meta http-equiv") < text.index("<style>")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert not re.search(r"<script|@import|url\(|\ssrc=|<link|<img", text)


def test_the_title_is_the_conversation_s_or_says_that_there_are_several() -> None:
    assert "<title>a &lt;b&gt; &quot;c&quot;</title>" in page(Archive(title='a <b> "c"'))
    assert "<title>Conversations</title>" in page(Archive(title="a"), Archive(title="b"))
    assert "<title>Conversations</title>" in page()
    assert page(Archive(title="a"), Archive(title="b"), Archive(title="c")).count("<article>") == 3


def test_a_message_says_who_spoke_when_and_how_it_ended() -> None:
    call = ToolCall("1", "look", '{"at": 1}')
    reply = Message(
        Role.ASSISTANT, "Hi", "hm", (call,), model="a/b", status=Status.PARTIAL, error="cut"
    )
    reader = read(page(line_of(Message(Role.USER, "Hello"), reply, system_prompt="Be brief.")))
    words = " ".join(reader.text.split())
    assert words.endswith(
        "} } Conversation System prompt Be brief. You Hello a/b Reasoning hm Hi"
        ' Calls look {"at": 1} broken off: cut'
    )


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("**a** _b_ ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>\n"),
        ("a\nb", "<p>a<br>\nb</p>\n"),
        ("# a", "<h3>a</h3>\n"),
        ("###### a", "<h6>a</h6>\n"),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"),
        ("<div>", "<p>&lt;div&gt;</p>\n"),
        (
            '[a](https://x.example/?b=1&c "d")',
            '<p><a href="https://x.example/?b=1&amp;c" title="d" rel="noopener noreferrer">a</a></p>\n',
        ),
        (
            "<https://x.example/ä>",
            '<p><a href="https://x.example/%C3%A4" rel="noopener noreferrer">https://x.example/ä</a></p>\n',
        ),
        ("[a](mailto:b@c)", '<p><a href="mailto:b@c" rel="noopener noreferrer">a</a></p>\n'),
        (
            "![a *b*](https://x.example/c.png)",
            '<p><a class="image" href="https://x.example/c.png" rel="noopener noreferrer">a b</a></p>\n',
        ),
        (
            "![](https://x.example/c)",
            '<p><a class="image" href="https://x.example/c" rel="noopener noreferrer">https://x.example/c</a></p>\n',
        ),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](data:text/html,b)", "<p>[a](data:text/html,b)</p>\n"),
        ("[a](//x.example)", "<p>[a](//x.example)</p>\n"),
        ("![a](data:image/png;base64,b)", "<p>![a](data:image/png;base64,b)</p>\n"),
        ("[a]: https://x.example", "<p>[a]: https://x.example</p>\n"),
        ("&#x202e;&amp;\u202e", "<p>&lt;U+202E&gt;&amp;&lt;U+202E&gt;</p>\n"),
        (
            "```\n\n<a>\n```",
            '<figure class="code"><pre tabindex="0"><code>\n\n&lt;a&gt;\n</code></pre></figure>\n',
        ),
    ],
)
def test_markdown_becomes_html(text: str, marked: str) -> None:
    assert prose(text) == marked


def test_code_is_marked_and_bears_what_its_fence_says() -> None:
    text = prose("```python x\nif a: pass  # b\n```")
    assert "<figcaption>python x</figcaption>" in text
    assert '<i class="k">if</i> a: <i class="k">pass</i>  <i class="c1"># b</i>' in text


@pytest.mark.parametrize(
    "text",
    [
        "[" * 99,
        "> " * 200 + "a",
        "x" * 400_000,
        "|a|b|\n|-|-|\n|c|d|lost|",
        "\n".join(" " * 2 * depth + "- x" for depth in range(99)),
    ],
)
def test_what_cannot_be_marked_without_loss_is_shown_as_it_is(text: str) -> None:
    marked = prose(text)
    assert marked.startswith('<pre class="plain"')
    assert text in unescape(marked)


def test_a_lexer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    language, code = "mcschema", "<!--"
    monkeypatch.setattr(highlight, "_PATIENCE", 0.05)
    monkeypatch.setattr(highlight, "_GIVEN_UP", set())
    highlighted("x", language)  # it is imported now
    start = time.thread_time()
    assert highlighted(code, language) == written(code)
    assert highlighted(code, language) == written(code)
    assert time.thread_time() - start < 0.5


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["python", "html", "c++", "diff", "json", "sh", "", "?"]), texts)
def test_code_is_never_changed(language: str, code: str) -> None:
    assert read(f"<p>{highlighted(code, language)}</p>").text == shown(code)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(hostile.texts("https://x.example")) | texts, max_size=4))
def test_foreign_text_is_text_wherever_it_stands(found: list[str]) -> None:
    text = "\n".join(found)
    call = ToolCall(text, text, text)
    message = Message(Role.ASSISTANT, text, text, (call,), model=text, error=text)
    reader = read(
        page(
            line_of(
                message,
                Message(Role.TOOL, text),
                Message(Role.USER, f"```{text}"),
                title=text,
                model=text,
                system_prompt=text,
            )
        )
    )
    assert not {"script", "img", "svg", "iframe", "form", "base", "link"} & {
        tag for tag, _ in reader.found
    }
    for _, attributes in reader.found:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert re.match(r"#m|https?://|mailto:", attributes.get("href", "#m") or "")


_word = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(st.lists(_word | st.sampled_from(["\n", "\n\n", "*", "`", "> ", "- ", "|", " ", "#"])))
@example(["`", "`", "`", "a", "> ", "b"])  # all that stands behind a fence
def test_no_word_of_a_message_is_missing(found: list[str]) -> None:
    words = re.findall(r"\w+", "".join(found))
    text = read(prose("".join(found))).text
    at = 0
    for word in words:
        if not re.fullmatch(r"\d{1,9}", word):  # may have become the number of a list
            at = text.index(word, at) + len(word)


def test_what_cannot_be_seen_is_shown() -> None:
    odd = "a\x00\x1b\x7f\x9b\u202e\u2066\u200b\ufeff\ud800\u2028\U000e0041\U000e0042\r\nb\rc"
    expected = "a␀␛␡<U+009B><U+202E><U+2066><U+200B><U+FEFF>\ufffd\n<2 hidden>\nb␍c"
    assert shown(odd) == expected
    assert shown("\u3164") == "<U+3164>"  # a letter that is a blank
    assert one_line("a \n\t b") == "a b"
    assert one_line("x" * 99, 10) == "x" * 9 + "…"
    for kept in ("👩\u200d👧", "نم\u200cک", "\u200fא", "日本\t\n"):
        assert shown(kept) == kept
