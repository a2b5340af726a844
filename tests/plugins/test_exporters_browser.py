"""The HTML export of a hostile conversation in a real browser: nothing of it acts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cloudllm import Archive, Message, Role
from cloudllm_plugins.exporters import cloudllm_exporters
from tests.core.archives import line_of
from tests.plugins import hostile
from tests.plugins.chromium import PROGRAM, Chromium, Seen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="needs chromium"),
]

CONTROL = """<!DOCTYPE html><title>control</title>
<img src="{url}/a.png" onerror="document.title='ran'"><script>alert(1)</script>
<meta http-equiv="refresh" content="0;url={url}/b">
"""


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and what it was asked for."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """It is told by the list."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path / "browser") as chromium:
        yield chromium


def page(folder: Path, *archives: Archive) -> Path:
    (exporter,) = (each for each in cloudllm_exporters() if each.name == "html")
    file = folder / "page.html"
    file.write_text("".join(exporter.write(iter(archives))), encoding="utf-8")
    return file


def test_the_control_shows_that_the_test_would_notice(
    browser: Chromium, asked: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, requests = asked
    file = tmp_path / "control.html"
    file.write_text(CONTROL.format(url=url))
    seen = browser.open(file)
    assert seen.dialogs == ["1"]
    assert {"/a.png", "/b"} <= set(requests)
    assert {f"{url}/a.png", f"{url}/b"} <= set(seen.requests)
    assert seen.complaints  # the picture that was not found
    assert seen.places[-1] == f"{url}/b"


def test_nothing_of_a_hostile_conversation_acts(
    browser: Chromium, asked: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, requests = asked
    conversation = hostile.archive(url)
    assert len(hostile.texts(url)) >= 40
    file = page(tmp_path, conversation)
    browser.look(width=1200)
    seen = browser.open(file)
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    browser.value("document.querySelectorAll('[tabindex], a, summary').forEach(e => e.focus())")
    browser.picture()
    assert seen == Seen(places=[file.as_uri()])
    assert requests == []
    assert browser.value("document.title").startswith("</title>")
    sections = browser.value("document.querySelectorAll('main > article > section').length")
    assert sections == len(conversation.messages)
    assert set(browser.value("[...new Set([...document.all].map(e => e.localName))]")) <= ELEMENTS
    assert set(browser.value(ATTRIBUTES)) <= {
        "charset", "class", "content", "datetime", "dir", "href", "http-equiv", "id", "name",
        "open", "rel", "start", "style", "tabindex", "title",
    }  # fmt: skip
    links = browser.value("[...document.links].map(e => [e.getAttribute('href'), e.rel])")
    assert {href[0] == "#" or rel == "noopener noreferrer" for href, rel in links} == {True}
    assert all(href.startswith(("#m", "https://", "http://", "mailto:")) for href, _ in links)
    styles = browser.value("[...document.querySelectorAll('[style]')].map(e => e.outerHTML)")
    assert all(
        each.startswith(('<th style="text-align:', '<td style="text-align:')) for each in styles
    )


def test_the_page_s_policy_stops_what_a_mistake_would_let_through(
    browser: Chromium, asked: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, requests = asked
    raw = CONTROL.format(url=url).partition("<meta")[0]
    file = page(tmp_path, Archive(title="One"))
    file.write_text(file.read_text().replace("<header>", f"{raw}<base href='{url}/'><header>"))
    seen = browser.open(file)
    assert (seen.dialogs, requests) == ([], [])
    assert len(seen.complaints) >= 3
    assert browser.value("document.baseURI") == file.as_uri()
    assert browser.value("document.title") == "One"


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "article", "header", "section",
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "time", "a", "bdi", "div", "details", "summary", "figure",
    "figcaption", "pre", "code", "i", "em", "strong", "s", "ul", "ol", "li", "blockquote", "br", "hr",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = "[...new Set([...document.all].flatMap(e => e.getAttributeNames()))]"


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_it_is_never_wider_than_the_screen(browser: Chromium, tmp_path: Path, width: int) -> None:
    browser.look(width=width, phone=width < 800)
    browser.open(page(tmp_path, hostile.archive("http://127.0.0.1:9")), seconds=0)
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.value("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    "begin", ["> " * 33, "".join(f"{'  ' * n}- a\n" for n in range(15)) + " " * 30]
)
def test_the_deepest_text_can_be_read_on_a_phone(
    browser: Chromium, tmp_path: Path, begin: str
) -> None:
    browser.look(width=320, phone=True)
    browser.open(page(tmp_path, line_of(Message(Role.USER, f"{begin}deep words"))), seconds=0)
    assert browser.value("document.querySelectorAll('.text').length") == 1
    boxes = browser.value(
        "[...document.querySelectorAll('.text p, .text li')]"
        ".map(e => e.getBoundingClientRect()).map(each => [each.width, each.right])"
    )
    assert boxes
    assert all(width >= 40 and right <= 320 for width, right in boxes)


def test_dark_and_light_follow_the_reader(browser: Chromium, tmp_path: Path) -> None:
    file = page(tmp_path, Archive(title="One"))
    colours = []
    for dark in (False, True):
        browser.look(width=390, phone=True, dark=dark)
        browser.open(file, seconds=0)
        colours.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    light, dark_one = (sum(map(int, each[4:-1].split(","))) for each in colours)
    assert light > 3 * 230
    assert dark_one < 3 * 40
