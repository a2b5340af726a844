"""ChatGPT's export: a tree taken over place for place, and all kinds of content as text."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cloudllm.archive import Archive
from cloudllm.importing import read
from cloudllm.messages import Role, Status
from tests.core.importing.reading import (
    chatgpt,
    error_of,
    node,
    one,
    said,
    talk,
    whole_and_error,
    written,
)


def imported(folder: Path, *nodes: dict[str, Any], **more: Any) -> Archive:
    return one(written(folder / "conversations.json", [chatgpt(*nodes, **more)]))


def content(folder: Path, content: object, role: str = "assistant", **more: Any) -> Archive:
    """A conversation in which a question is followed by a message with this content."""
    place = node("a", "q", role, **more)
    place["message"]["content"] = content
    return imported(folder, node("q", "root"), place, current_node="a")


def text(folder: Path, what: object, role: str = "assistant", **more: Any) -> str:
    return content(folder, what, role, **more).branch()[-1].message.content


def test_a_conversation_is_taken_over_with_its_facts(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        node("hi", "root", create_time=1700000000.25),
        node("ho", "hi", "assistant", create_time=1700000001, metadata={"model_slug": "gpt-4o"}),
        current_node="ho",
        create_time=1700000000,
        update_time="1700000009.5",
    )
    assert said(found) == [("user", "hi"), ("assistant", "ho")]
    assert (found.title, found.origin, found.model) == ("A talk", "chatgpt:c1", "openai/gpt-4o")
    assert (found.created, found.updated) == (1700000000000, 1700000009500)
    assert [each.created for each in found.messages] == [1700000000250, 1700000001000]
    assert found.messages[1].message.model == "openai/gpt-4o"


def test_all_branches_are_kept_and_the_current_node_is_the_head(tmp_path: Path) -> None:
    places = [
        node("late", "hi", "assistant", create_time=9),
        node("hi", "root", create_time=1),
        node("ho", "hi", "assistant", create_time=2),
        node("more", "ho", create_time=3),
    ]
    found = imported(tmp_path, *places, current_node="more")
    assert [each.message.content for each in found.messages] == ["hi", "ho", "more", "late"]
    assert [each.parent for each in found.messages] == [None, "1", "2", "1"]
    assert said(found)[-1] == ("user", "more")
    for missing in ("nowhere", None, 7):
        found = imported(tmp_path, *places, current_node=missing)
        assert said(found) == [("user", "hi"), ("assistant", "late")]  # the newest end


def test_places_without_a_message_are_left_out(tmp_path: Path) -> None:
    empty = node("empty", "root", "system", parts=[""])
    found = imported(
        tmp_path, empty, node("hi", "empty"), node("gap", "hi", "assistant", parts=[]),
        node("ho", "gap", "assistant"), node("end", "ho", parts=[""]), current_node="end",
    )  # fmt: skip
    assert said(found) == [("user", "hi"), ("assistant", "ho")]
    assert found.system_prompt == ""
    assert found.head == "2"


def test_the_system_prompts_at_the_beginning_are_the_archives(tmp_path: Path) -> None:
    profile = node("profile", "system")
    profile["message"]["content"] = {
        "content_type": "user_editable_context",
        "user_profile": "I sail",
        "user_instructions": "Be short",
    }
    found = imported(
        tmp_path, node("system", "root", "system", parts=["Be kind"]), profile,
        node("hi", "profile"), node("later", "hi", "system", parts=["Be rude"]),
        node("ho", "later", "assistant"),
    )  # fmt: skip
    assert found.system_prompt == "Be kind\n\nI sail\n\nBe short"
    assert said(found) == [("user", "hi"), ("user", "[system]\nBe rude"), ("assistant", "ho")]


def test_thoughts_become_reasoning(tmp_path: Path) -> None:
    thoughts = [{"summary": "Plan", "content": "I count"}, {"summary": "", "content": "Done"}]
    found = content(tmp_path, {"content_type": "thoughts", "thoughts": thoughts})
    assert found.branch()[-1].message.reasoning == "Plan\nI count\n\nDone"
    recap = content(tmp_path, {"content_type": "reasoning_recap", "content": "Thought for 8s"})
    assert recap.branch()[-1].message.reasoning == "Thought for 8s"
    assert recap.branch()[-1].message.content == ""


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"content_type": "text", "parts": ["a", "", "b"]}, "a\nb"),
        ({"content_type": "code", "language": "python", "text": "1"}, "```python\n1\n```"),
        ({"content_type": "code", "language": "unknown", "text": "```\n"}, "````\n```\n\n````"),
        ({"content_type": "tether_quote", "title": "T", "url": "u", "text": "q"}, "T\nu\nq"),
        ({"content_type": "tether_browsing_display", "result": "r", "summary": None}, "r"),
        ({"content_type": "system_error", "name": "E", "text": "no"}, "E\nno"),
        ({"content_type": "new_thing", "text": "words"}, "[new_thing]\nwords"),
        ({"content_type": "new", "n": [1]}, '[new]\n```json\n{"n": [1]}\n```'),
        ("just text", "just text"),
        ({"parts": [7]}, "7"),
    ],
)
def test_every_content_is_kept_as_text(tmp_path: Path, what: object, expected: str) -> None:
    assert text(tmp_path, what) == expected


def test_pictures_and_files_are_marked_with_their_names(tmp_path: Path) -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"},
        {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_2?x"},
        {"content_type": "image_asset_pointer"},
        {
            "content_type": "real_time_user_audio_video_asset_pointer",
            "audio_asset_pointer": {
                "content_type": "audio_asset_pointer",
                "asset_pointer": "sediment://f3",
            },
        },
        {"content_type": "audio_transcription", "text": "spoken"},
        "What is this?",
    ]
    files = [{"id": "file-1", "name": "cat.png"}, {"id": "file-9", "name": "a.pdf"}]
    found = text(
        tmp_path, {"content_type": "multimodal_text", "parts": parts}, "user",
        metadata={"attachments": files},
    )  # fmt: skip
    assert found == (
        "[image: cat.png]\n[image: file_2]\n[image]\n[audio: f3]\nspoken\nWhat is this?\n\n"
        "[file: a.pdf]"
    )


def test_what_goes_to_a_tool_and_comes_from_it_is_text_of_the_reply(tmp_path: Path) -> None:
    to, back = node("to", "q", "assistant", recipient="python"), node("back", "to", "tool")
    to["message"]["content"] = {"content_type": "code", "language": "python", "text": "1+1"}
    back["message"]["content"] = {"content_type": "execution_output", "text": "2"}
    back["message"]["author"]["name"] = "python"
    found = imported(tmp_path, node("q", "root"), to, back, node("Two.", "back", "assistant"))
    assert said(found)[1:] == [
        ("assistant", "[to python]\n```python\n1+1\n```"),
        ("assistant", "[python]\n```\n2\n```"),
        ("assistant", "Two."),
    ]


def test_a_reply_that_was_stopped_is_marked(tmp_path: Path) -> None:
    words = {"content_type": "text", "parts": ["ha"]}
    for more, status in (
        ({"metadata": {"finish_details": {"type": "interrupted"}}}, Status.CANCELLED),
        ({"metadata": {"finish_details": {"type": "stop"}}}, Status.COMPLETE),
        ({"status": "in_progress"}, Status.PARTIAL),
    ):
        assert content(tmp_path, words, **more).branch()[-1].message.status is status


def test_a_single_conversation_and_a_zip_of_several_lists_can_be_read(tmp_path: Path) -> None:
    assert one(written(tmp_path / "one.json", talk())).origin == "chatgpt:c1"
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("export/conversations-001.json", json.dumps([talk("b")]))
        archive.writestr("export/conversations-000.json", json.dumps([talk("a")]))
        archive.writestr("export/shared_conversations.json", "[1]")
    origins = [each.origin for each in read(tmp_path / "export.zip")]
    assert origins == ["chatgpt:a", "chatgpt:b"]


def test_a_broken_list_in_a_zip_does_not_keep_back_the_others(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations-000.json", json.dumps([talk("a"), talk("b")])[:-40])
        archive.writestr("conversations-001.json", json.dumps([talk("c")]))
    found, error = whole_and_error(path)
    assert [each.origin for each in found] == ["chatgpt:a", "chatgpt:c"]
    assert error.startswith(f"{path}: conversations-000.json: line 1, column ")


def test_a_broken_conversation_does_not_keep_back_the_others(tmp_path: Path) -> None:
    circle = chatgpt(node("a", "b"), node("b", "a"), conversation_id="c2")
    dangling = chatgpt(node("a", "gone"), conversation_id="c3")
    path = written(tmp_path / "x.json", [talk("a"), circle, dangling, talk("z")])
    found, error = whole_and_error(path)
    assert [each.origin for each in found] == ["chatgpt:a", "chatgpt:z"]
    assert error == (
        f"{path}: conversation 2: message a follows itself in a circle; 1 more cannot be read"
    )
    assert error_of(written(path, [dangling])).endswith("message a follows gone, which is missing")


def test_one_id_twice_is_given_twice_unless_it_is_the_same_conversation(tmp_path: Path) -> None:
    other = chatgpt(node("something else", "root"))
    path = written(tmp_path / "x.json", [talk(), talk(), other])
    assert [said(each)[0] for each in read(path)] == [("user", "hi"), ("user", "something else")]


def test_roles_that_nobody_knows_are_named(tmp_path: Path) -> None:
    found = imported(tmp_path, node("q", "root"), node("x", "q", "critic"))
    assert said(found)[1] == ("assistant", "[critic]\nx")
    assert found.messages[1].message.role is Role.ASSISTANT
