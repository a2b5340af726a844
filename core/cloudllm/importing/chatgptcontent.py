"""The content of a ChatGPT message as text: what it says, shows, ran, thought or was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudllm.importing.values import blocks, fenced, items, known, mark, note, text

_POINTERS = {
    "image_asset_pointer": "image",
    "audio_asset_pointer": "audio",
    "video_container_asset_pointer": "video",
}


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds: `said` in it, `thought` before it, or a `system` prompt."""

    said: str = ""
    thought: str = ""
    system: str = ""


def content_of(message: Mapping[str, Any]) -> Content:
    """Read the content of a message; what has a form that is not known is kept as JSON."""
    content = message.get("content")
    if not isinstance(content, dict):
        return Content(text(content))
    files = _Files(items(known(message.get("metadata")).get("attachments")))
    read = _FORMS.get(text(content.get("content_type")), _parts)
    found = read(content, files)
    return Content(blocks(found.said, *files.unseen()), found.thought, found.system)


class _Files:
    """The files of a message: the names of those that its parts point at, and those of the rest."""

    def __init__(self, attachments: list[Any]) -> None:
        self._names = {
            text(each.get("id") or each.get("name")): text(each.get("name") or each.get("id"))
            for each in attachments
            if isinstance(each, dict)
        }

    def name(self, pointer: str) -> str:
        """The name of the file behind something like `file-service://file-abc`."""
        key = pointer.rpartition("://")[2].partition("?")[0]
        return self._names.pop(key, key)

    def unseen(self) -> Iterator[str]:
        """A mark for each file that no part has pointed at."""
        yield from (mark("file", name) for name in self._names.values() if name)


def _parts(content: Mapping[str, Any], files: _Files) -> Content:
    if "parts" in content:
        parts = (_part(part, files) for part in items(content["parts"]))
        return Content("\n".join(filter(None, parts)))
    rest = {key: value for key, value in content.items() if value and key != "content_type"}
    if not rest:
        return Content()
    said = text(rest["text"]) if rest.keys() == {"text"} else fenced(text(rest), "json")
    kind = text(content.get("content_type"))
    return Content(note(kind, said) if kind else said)


def _part(part: object, files: _Files) -> str:
    if not isinstance(part, dict):
        return text(part)
    kind = text(part.get("content_type"))
    if kind in _POINTERS:
        return mark(_POINTERS[kind], files.name(text(part.get("asset_pointer"))))
    if kind == "real_time_user_audio_video_asset_pointer":
        inner = (part.get("audio_asset_pointer"), part.get("video_container_asset_pointer"))
        return "\n".join(_part(each, files) for each in inner if each)
    if isinstance(part.get("text"), str):
        return str(part["text"])
    return note(kind or "part", fenced(text(part), "json"))


def _code(content: Mapping[str, Any], _: _Files) -> Content:
    language = text(content.get("language"))
    language = language if language.isalnum() and language != "unknown" else ""
    return Content(fenced(text(content.get("text")), language))


def _output(content: Mapping[str, Any], _: _Files) -> Content:
    said = text(content.get("text"))
    return Content(fenced(said) if said else "")


def _thoughts(content: Mapping[str, Any], _: _Files) -> Content:
    thoughts = []
    for each in items(content.get("thoughts") or content.get("parts")):
        thought = known(each)
        pair = (text(thought.get("summary")), text(thought.get("content")))
        thoughts.append("\n".join(filter(None, pair)) if thought else text(each))
    return Content(thought=blocks(*thoughts))


def _recap(content: Mapping[str, Any], _: _Files) -> Content:
    return Content(thought=blocks(*map(text, items(content.get("content")))))


def _context(content: Mapping[str, Any], _: _Files) -> Content:
    """What the person, or the model of earlier times, wants every conversation to begin with."""
    names = ("user_profile", "user_instructions", "model_set_context")
    return Content(system=blocks(*(text(content.get(name)) for name in names)))


def _several(*names: str) -> Callable[[Mapping[str, Any], _Files], Content]:
    return lambda content, _: Content(
        "\n".join(filter(None, (text(content.get(n)) for n in names)))
    )


_FORMS: dict[str, Callable[[Mapping[str, Any], _Files], Content]] = {
    "code": _code,
    "execution_output": _output,
    "thoughts": _thoughts,
    "reasoning_recap": _recap,
    "user_editable_context": _context,
    "model_editable_context": _context,
    "tether_quote": _several("title", "url", "text"),
    "tether_browsing_display": _several("summary", "result"),
    "system_error": _several("name", "text"),
}
