"""The smallest pieces of the page."""

from __future__ import annotations

from html import escape

from cloudllm_plugins.exporters.visible import shown


def written(text: str) -> str:
    """Foreign text, fit to stand anywhere in the page, attributes included."""
    return escape(shown(text))


def plain(text: str) -> str:
    """Foreign text as it is, line by line."""
    return f'<pre class="plain" dir="auto">{_kept(written(text))}</pre>\n'


def code(marked: str, caption: str = "") -> str:
    """A block of code, safe already; it scrolls by itself, also by keys."""
    label = f"<figcaption>{written(caption)}</figcaption>" if caption else ""
    block = f'<pre tabindex="0"><code>{_kept(marked)}</code></pre>'
    return f'<figure class="code">{label}{block}</figure>\n'


def folded(summary: str, content: str, name: str = "") -> str:
    """Something that is opened by a click."""
    kind = f' class="{name}"' if name else ""
    return f"<details{kind}>\n<summary>{written(summary)}</summary>\n{content}</details>\n"


def _kept(text: str) -> str:
    """A browser leaves out a newline that stands first in `pre`."""
    return f"\n{text}" if text.startswith("\n") else text
