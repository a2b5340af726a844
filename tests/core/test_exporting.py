"""Exporters at run time: found by name or suffix, read for in the caller's thread, held harmless."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from cloudllm import Archive, Exporter, PluginError, Plugins, Refused, StoreError, UsageError
from cloudllm.exporting import Exporters
from tests.chatplugins import write_plugin

Write = Callable[[str, str], None]

BUNDLED = ["markdown", "html", "text", "json", "jsonl"]
TITLES = "for archive in archives: yield archive.title"
THREE = [Archive(title=title) for title in "abc"]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Installs a plugin of the chat: its name, then its source."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))
    return lambda name, source: write_plugin(site, name, source)


def installed(deadline: float = 20) -> tuple[Exporters, list[str]]:
    """The exporters of all plugins there are, and what is told of them."""
    plugins, notices = Plugins(deadline=deadline), list[str]()
    plugins.listen(notices.append)
    return Exporters(plugins), notices


def exporter(body: str, *, name: str = "odd", suffix: str = ".odd") -> str:
    """A plugin's source: one exporter, whose `write` has this body."""
    return f"""
def write(archives):
    {body}

@hookimpl
def cloudllm_exporters():
    return [Exporter(name={name!r}, suffix={suffix!r}, description='odd', write=write)]
"""


def written(exporters: Exporters, archives: Iterable[Archive], name: str = "odd") -> str:
    return "".join(exporters.write(exporters.get(name), archives))


def test_those_that_ship_with_cloudllm_and_a_plugin_s_are_found(write: Write) -> None:
    write("odd", exporter(TITLES))
    exporters, notices = installed()
    assert sorted(exporters.names()) == sorted([*BUNDLED, "odd"])
    assert written(exporters, THREE) == "abc"
    assert [each for each in notices if "loading took" not in each] == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.md", "markdown"), ("~/b.c/A.HTML", "html"), ("x.odd", "odd"), ("a.b.txt", "text"),
        ("x.txt.odd", "pair"), ("no-ending", "markdown"), ("b.c/no-ending", "markdown"),
    ],
)  # fmt: skip
def test_an_ending_chooses_and_what_ships_with_cloudllm_comes_first(
    write: Write, file: str, name: str
) -> None:
    write("pair", exporter(TITLES, name="pair", suffix=".txt.odd"))
    write("odd", exporter(TITLES))
    write("also", exporter(TITLES, name="aaa", suffix=".txt"))
    exporters, _ = installed()
    assert exporters.for_file(file).name == name


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("a.pdf", "no export format has a file that ends in “.pdf”. Known: .md, .html, .txt"),
        ("a.\x1b[2J\n", "no export format has a file that ends in “.␛[2J”. Known: .md"),
        ("amd.x", "no export format has a file that ends in “.x”. Known: .md"),
    ],
)
def test_an_ending_that_is_nobody_s_is_said(file: str, words: str) -> None:
    exporters, _ = installed()
    with pytest.raises(UsageError, match=re.escape(words)):
        exporters.for_file(file)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mardown", "Did you mean markdown?"),
        ("md", "Did you mean markdown?"),
        ("txt", "Did you mean text?"),
        ("zzz", "Known: markdown, html"),
    ],
)
def test_an_unknown_name_is_said(name: str, hint: str) -> None:
    exporters, _ = installed()
    with pytest.raises(UsageError, match=f"no export format “{name}”. {re.escape(hint)}"):
        exporters.get(name)
    made = Exporter(name=name, suffix=".x", description="", write=lambda _: ())
    with pytest.raises(UsageError, match="no export format"):
        next(exporters.write(made, []))


OFFER = "Exporter(name={!r}, suffix='.odd', description='odd', write=lambda archives: [])"


def offering(*offers: str) -> str:
    return f"@hookimpl\ndef cloudllm_exporters():\n    return [{', '.join(offers)}]\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (offering(OFFER.format("json")), "exporter json ships with cloudllm, so it is left out"),
        (offering(OFFER.format("Odd One")), "the name 'Odd One' is no lower-case word"),
        (offering(OFFER.format("odd").replace(".odd", "odd")), "suffix of odd must be like .md"),
        (offering(OFFER.format("odd").replace(".odd", "./odd")), "suffix of odd must be like .md"),
        (offering("5"), "int is no Exporter"),
        (offering(OFFER.format("odd"), OFFER.format("odd")), "offered more than once, by odd"),
        (offering("*([5] * 101)"), "gave more than 100 exporters"),
        (offering("1 / 0"), "failed: ZeroDivisionError"),
        (offering().replace("[]", "None"), "gave None, no list of exporters"),
        (offering(OFFER.format("odd").replace("'odd', w", "5, w")), "description of odd must be"),
        (offering(OFFER.format("odd").replace("lambda archives: []", "1")), "can't be called"),
    ],
)
def test_G8_an_offer_that_is_no_exporter_is_left_out_and_said(
    write: Write, source: str, words: str
) -> None:
    write("good", offering(OFFER.format("good")))
    write("odd", source)
    exporters, notices = installed()
    assert sorted(exporters.names()) == sorted([*BUNDLED, "good"])
    (notice,) = notices
    assert notice.startswith("plugin odd (cloudllm-odd 1.2): ")
    assert words in notice
    assert written(exporters, [], "json").startswith('{"format": "cloudllm"')


def test_a_name_that_two_plugins_offer_is_left_out_for_both_and_said(write: Write) -> None:
    for name in ("one", "two"):
        write(name, offering(OFFER.format("odd")))
    exporters, notices = installed()
    assert "odd" not in exporters.names()
    (notice,) = notices
    assert "is offered more than once, by one (cloudllm-one 1.2) and two (cloudllm-two" in notice


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("1 / 0", "failed: ZeroDivisionError"),
        ("yield 'a'; raise SystemExit(3)", "SystemExit"),
        ("yield 'a'; raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("yield 5", "gave int, which is no text"),
        ("yield b'a'", "gave bytes, which is no text"),
        ("yield None; yield 'a'", "gave None, which is no text"),
        ("return 5", "gave int, not text in pieces"),
        ("for archive in archives: yield archive.colour", "AttributeError"),
    ],
)
def test_G8_an_exporter_that_fails_is_named_in_one_line(
    write: Write, body: str, words: str
) -> None:
    write("odd", exporter(body))
    exporters, _ = installed()
    with pytest.raises(PluginError, match=re.escape(words)) as caught:
        written(exporters, THREE)
    assert str(caught.value).startswith("plugin odd (cloudllm-odd 1.2): exporter odd ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "yield 'a'\n    while True: time.sleep(0.01)",
        "while True: yield ''",
    ],
)
def test_G8_an_exporter_that_hangs_is_given_up_and_named(write: Write, body: str) -> None:
    write("odd", exporter(body))
    exporters, _ = installed(deadline=0.3)
    with pytest.raises(PluginError, match=r"plugin odd .*exporter odd did not end within 0.3 s"):
        written(exporters, THREE)


def test_a_plugin_s_own_words_reach_the_person(write: Write) -> None:
    write("odd", exporter("raise Refused('nothing to see')"))
    exporters, _ = installed()
    with pytest.raises(Refused, match=r"plugin odd .*nothing to see"):
        written(exporters, THREE)


def test_text_may_come_as_one_piece(write: Write) -> None:
    write("odd", exporter("return ''.join(archive.title for archive in archives)"))
    exporters, _ = installed()
    assert written(exporters, THREE) == "abc"


def test_what_is_given_can_be_encoded(write: Write) -> None:
    write("odd", exporter("yield '\\ud83d日本'"))
    exporters, _ = installed()
    assert written(exporters, []).encode().decode() == "\ufffd日本"


def test_conversations_are_read_one_by_one_in_the_caller_s_thread(write: Write) -> None:
    write("odd", exporter("for archive in archives: yield archive.title * 300_000"))
    exporters, _ = installed()
    threads, read = set[int](), list[str]()

    def stored() -> Iterator[Archive]:
        for archive in THREE:
            threads.add(threading.get_ident())
            read.append(archive.title)
            yield archive

    pieces = exporters.write(exporters.get("odd"), stored())
    assert next(pieces)[0] == "a"
    assert read == ["a"]
    assert [piece[0] for piece in pieces if piece] == ["b", "c"]
    assert threads == {threading.get_ident()}


def test_reading_does_not_count_against_the_deadline(write: Write) -> None:
    write("odd", exporter(TITLES))
    exporters, _ = installed(deadline=0.4)

    def slow() -> Iterator[Archive]:
        time.sleep(0.6)
        yield from THREE

    assert written(exporters, slow()) == "abc"


def test_an_error_of_the_store_is_the_store_s_and_not_the_plugin_s(write: Write) -> None:
    write("odd", exporter(TITLES))
    exporters, notices = installed()

    def failing() -> Iterator[Archive]:
        yield THREE[0]
        raise StoreError("the disk is gone")

    with pytest.raises(StoreError, match=r"^the disk is gone$"):
        written(exporters, failing())
    assert notices == []


def test_an_export_that_is_left_alone_ends(write: Write) -> None:
    write("odd", exporter("yield 'x' * 300_000; yield next(archives).title"))
    exporters, _ = installed()
    read = list[int]()
    pieces = exporters.write(exporters.get("odd"), (read.append(1) or each for each in THREE))  # type: ignore[func-returns-value]
    next(pieces)
    pieces.close()  # type: ignore[attr-defined] # it is a generator
    assert read == []
    assert written(exporters, THREE).endswith("xa")
