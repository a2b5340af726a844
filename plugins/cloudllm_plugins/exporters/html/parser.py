"""markdown-it, set up for text of a model and for a page in which nothing may act."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from cloudllm_plugins.exporters.html.highlight import highlighted
from cloudllm_plugins.exporters.html.parts import code, written

_SAFE = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]+", re.IGNORECASE)
_LEVELS_ABOVE = 2  # the title of the conversation, and who speaks


def parser(*, deepest: int) -> MarkdownIt:
    """A parser with its renderer."""
    made = _Parser(
        "commonmark",
        {"html": False, "breaks": True, "xhtmlOut": False, "maxNesting": deepest},
        renderer_cls=_Renderer,
    )
    made.enable(["table", "strikethrough"])
    made.disable("reference")  # a definition that nothing refers to would not be shown
    return made


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - markdown-it's name
        """What is no such link stays the text that it is."""
        return bool(_SAFE.fullmatch(url))

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - markdown-it's name
        """An address as it was written; decoded it could hold a control."""
        return link


class _Renderer(RendererHTML):
    """Has a method for each kind of token that is not written as usual."""

    def text(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """Decoded by now: what was an entity may be anything."""
        return written(tokens[idx].content)

    def html_block(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """The parser gives none; if it ever does, it is text."""
        return written(tokens[idx].content)

    def html_inline(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """The same."""
        return written(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """Code in a line."""
        return f"<code>{written(tokens[idx].content)}</code>"

    def fence(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """Code with all that its fence says, the language first."""
        token = tokens[idx]
        language = next(iter(token.info.split()), "")[:30]
        return code(highlighted(token.content, language), " ".join(token.info.split()))

    def code_block(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """Code that is only indented."""
        return code(written(tokens[idx].content))

    def link_open(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """A link that tells nobody where it was followed."""
        return _link(tokens[idx], "href")

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A picture is not loaded: whoever looks at the page decides."""
        token = tokens[idx]
        alt = self.renderInlineAsText(token.children, options, env).strip()
        return f"{_link(token, 'src', 'image')}{written(alt or str(token.attrs['src']))}</a>"

    def heading_open(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """A heading within a message stands below those of the page."""
        return f"<{_below(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        """The same."""
        return f"</{_below(tokens[idx])}>\n"

    def table_open(self, *_: object) -> str:
        """A table in a box of its own, which scrolls."""
        return '<div class="table" tabindex="0"><table>\n'

    def table_close(self, *_: object) -> str:
        """The same."""
        return "</table></div>\n"


def _link(token: Token, attribute: str, name: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    title = f' title="{written(str(token.attrs["title"]))}"' if token.attrs.get("title") else ""
    address = written(str(token.attrs[attribute]))
    return f'<a{kind} href="{address}"{title} rel="noopener noreferrer">'


def _below(heading: Token) -> str:
    return f"h{min(6, int(heading.tag[1:]) + _LEVELS_ABOVE)}"
