"""A message of the page: who and when, what was said, and how it ended."""

from __future__ import annotations

from cloudllm import ArchivedMessage, Message, Role
from cloudllm_plugins.exporters.html.highlight import highlighted
from cloudllm_plugins.exporters.html.parts import code, folded, plain, written
from cloudllm_plugins.exporters.html.prose import prose
from cloudllm_plugins.exporters.said import ending, moment_of, speaker


def message(each: ArchivedMessage, anchor: str) -> str:
    """The message as a section that can be linked to."""
    said = each.message
    return (
        f'<section class="{said.role}" id="{anchor}">\n'
        f"<h2><bdi>{written(speaker(said))}</bdi>{_time(each.created, anchor)}</h2>\n"
        f"{''.join(_parts(said))}</section>\n"
    )


def _parts(said: Message) -> list[str]:
    parts = []
    if said.reasoning:
        parts.append(folded("Reasoning", _text(prose(said.reasoning)), "reasoning"))
    if said.content and said.role is Role.TOOL:
        parts.append(folded("Result", plain(said.content)))
    elif said.content:
        parts.append(_text(prose(said.content)))
    parts += [
        folded(f"Calls {call.name}", code(highlighted(call.arguments, "json")))
        for call in said.tool_calls
    ]
    if ending(said):
        parts.append(f'<p class="ending">{written(ending(said))}</p>\n')
    return parts


def _text(marked: str) -> str:
    return f'<div class="text" dir="auto">\n{marked}</div>\n'


def _time(created: int, anchor: str) -> str:
    moment = moment_of(created)
    if moment is None:
        return ""
    stamp = moment.isoformat(timespec="seconds")
    return f' <a href="#{anchor}"><time datetime="{stamp}">{moment:%Y-%m-%d %H:%M}</time></a>'
