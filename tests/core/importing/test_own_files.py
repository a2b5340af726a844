"""Our own JSON and JSONL: what the exporters write comes back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from cloudllm.archive import Archive
from cloudllm.importing import read
from cloudllm_plugins.exporters import json as as_json
from cloudllm_plugins.exporters import jsonl as as_jsonl
from tests.core.importing.reading import error_of, own, whole_and_error

WRITERS = pytest.mark.parametrize("write", [as_json.write, as_jsonl.write])
Write = Callable[[Iterable[Archive]], Iterable[str]]


@WRITERS
def test_what_was_exported_comes_back_as_it_was(tmp_path: Path, write: Write) -> None:
    archives = [own("k1"), replace(own("k2"), title="", head=None), own("k3")]
    path = tmp_path / "all"
    path.write_text("".join(write(archives)))
    assert list(read(path)) == archives


@WRITERS
def test_what_is_wrong_in_one_conversation_is_told_and_the_others_are_read(
    tmp_path: Path, write: Write
) -> None:
    path = tmp_path / "all"
    text = "".join(write([own("k1"), own("k2"), own("k3")]))
    path.write_text(text.replace('"role": "tool"', '"role": "cook"', 2).replace("cook", "tool", 1))
    found, error = whole_and_error(path)
    assert [archive.id for archive in found] == ["k1", "k3"]
    assert error == (
        f"{path}: conversation 2.messages[2].role: must be one of user, assistant, tool, not 'cook'"
    )


def test_an_empty_export_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text("".join(as_json.write([])))
    assert list(read(path)) == []


def test_a_document_whose_names_a_program_has_sorted_comes_back(tmp_path: Path) -> None:
    document = json.loads("".join(as_json.write([own("k1"), own("k2")])))
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document, sort_keys=True))
    assert list(read(path)) == [own("k1"), own("k2")]
    path.write_text(json.dumps(document | {"version": 2}, sort_keys=True))
    assert error_of(path).endswith("version: this cloudllm reads version 1, not 2. Update cloudllm")


@WRITERS
def test_a_file_that_breaks_off_gives_what_is_whole(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "all"
    text = "".join(write([own("k1"), own("k2"), own("k3")]))
    path.write_text(text[: len(text) * 9 // 10])
    found, error = whole_and_error(path)
    assert [archive.id for archive in found] == ["k1", "k2"]
    assert "it breaks off here" in error
    assert ": line " in error


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"format": "cloudllm", "version": 2, "conversations": []}, "reads version 1, not 2"),
        ({"format": "other", "version": 1, "conversations": [{}]}, "format: must be 'cloudllm'"),
        ({"conversations": [{}]}, "format: is missing"),
        ({"format": "cloudllm", "version": 1, "conversation": 7}, "before line 1 is no object"),
        ({"message": {}}, "no conversation stands before this message"),
        ({"format": "cloudllm", "version": 1, "conversations": {}}, "it holds no conversations"),
        ([own().as_object()], "it holds no conversations"),
    ],
)
def test_a_file_of_another_form_or_version_is_refused(
    tmp_path: Path, value: object, said: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    assert said in error_of(path)


def test_files_one_after_the_other_are_read_and_what_is_in_both_comes_once(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    grown = replace(own(), messages=(*own().messages, replace(own().messages[0], id="9")))
    path.write_text("".join(as_jsonl.write([own(), own("k2"), own(), grown])))
    found = [(archive.id, len(archive.messages)) for archive in read(path)]
    assert found == [("k1", 5), ("k2", 5), ("k1", 6)]
