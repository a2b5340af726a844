"""The frame of the page: its head with the policy and the looks, and what stands above a conversation."""

from __future__ import annotations

from html import escape
from pathlib import Path

from cloudllm import Archive
from cloudllm_plugins.exporters.html.parts import folded, plain
from cloudllm_plugins.exporters.said import about, moment_of, title

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_STYLE = Path(__file__).with_name("page.css")


def beginning(name: str) -> str:
    """Everything up to the first conversation."""
    return f"""\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{escape(name)}</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
"""


def heading(archive: Archive) -> str:
    """What stands above a conversation."""
    moment = moment_of(archive.created)
    stamp = f' datetime="{moment.isoformat(timespec="seconds")}"' if moment else ""
    facts = f"<p><time{stamp}>{escape(about(archive))}</time></p>\n" if about(archive) else ""
    system = archive.system_prompt
    prompt = folded("System prompt", plain(system)) if system else ""
    return f'<header>\n<h1 dir="auto">{escape(title(archive))}</h1>\n{facts}{prompt}</header>\n'


def end() -> str:
    """What stands below the last one."""
    return "</main>\n</body>\n</html>\n"
