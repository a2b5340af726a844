"""How things look: for each name the SGR of the scrollback and the style of the live region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cloudllm.looks import ATTRIBUTES, COLORS, PLAIN

_SHARED = {
    "bold": "bold",
    "dim": "dim",
    "strong": "bold",
    "emphasis": "italic",
    "strike": "strike",
    "heading-1": "underline",
    "heading-3": "italic",
    "code-comment": "dim italic",
    "fence": "dim",
    "quote": "dim",
    "rule": "dim",
    "table": "dim",
    "table-head": "bold",
    "link": "underline",
    "waiting": "italic",
}
_DARK = {
    "heading": "bold bright-cyan",
    "code": "bold bright-yellow",
    "code-keyword": "bright-magenta",
    "code-string": "bright-green",
    "code-number": "bright-cyan",
    "code-name": "bright-blue",
    "code-deleted": "bright-red",
    "code-inserted": "bright-green",
    "bullet": "bright-cyan",
    "url": "bright-blue",
    "error": "bright-red",
    "status": "bright-black",
}
_LIGHT = {
    "heading": "bold blue",
    "code": "bold magenta",
    "code-keyword": "blue",
    "code-string": "green",
    "code-number": "magenta",
    "code-name": "cyan",
    "code-deleted": "red",
    "code-inserted": "green",
    "bullet": "blue",
    "url": "blue",
    "error": "red",
    "status": "bright-black",
}
_CUBE = (0, 95, 135, 175, 215, 255)
"""The levels of red, green and blue in the palette of 256 colours."""


class Look(NamedTuple):
    """One look: SGR parameters for the scrollback, a prompt_toolkit style for the live region."""

    sgr: str
    style: str

    def paint(self, text: str) -> str:
        """`text`, which must be safe already, as it goes to the scrollback."""
        return f"\x1b[{self.sgr}m{text}\x1b[0m" if self.sgr and text else text


class Theme:
    """A table of looks; a look of several names has what each of them adds, the last one wins."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = dict(looks)
        self._joined: dict[tuple[str, ...], Look] = {(): Look("", "")}

    def look(self, *names: str) -> Look:
        """The look of names used together, as of a link in a heading."""
        found = self._joined.get(names)
        if found is None:
            last = dict.fromkeys(reversed(names))
            looks = [self._looks[name] for name in reversed(last)]
            found = self._joined[names] = Look(
                ";".join(look.sgr for look in looks if look.sgr),
                " ".join(look.style for look in looks if look.style),
            )
        return found

    def paint(self, text: str, *names: str) -> str:
        """`text`, which must be safe already, as it goes to the scrollback."""
        return self.look(*names).paint(text)


def theme(
    name: str = "dark",
    colors: Mapping[str, str] | None = None,
    *,
    dark: bool = True,
    no_color: bool = False,
) -> Theme:
    """The theme of a name: `auto` is `dark` or `light` as the background is, `none` has no colours.

    `colors` replace single looks, in the words of `parse`, as by `repl.colors`. With `no_color` nothing has a colour;
    bold, dim and the like stay.
    """
    if name == "auto":
        name = "dark" if dark else "light"
    words = {
        **_SHARED,
        **{"dark": _DARK, "light": _LIGHT}.get(name, _colorless()),
        **(colors or {}),
    }
    return Theme({name: parse(look, no_color=no_color) for name, look in words.items()})


def parse(words: str, *, no_color: bool = False) -> Look:
    """A look from words such as `bold bright-red`, `#ff8800` or `plain`; `looks.flaw` checks them."""
    sgr: list[str] = []
    styles: list[str] = []
    for word in words.lower().split():
        if word in ATTRIBUTES:
            sgr.append(ATTRIBUTES[word])
            styles.append(word)
        elif word != PLAIN and not no_color:
            color = _color(word)
            sgr.append(color.sgr)
            styles.append(color.style)
    return Look(";".join(sgr), " ".join(styles))


def _colorless() -> dict[str, str]:
    return {name: "bold" if look.startswith("bold") else PLAIN for name, look in _DARK.items()}


def _color(word: str) -> Look:
    if word.startswith("#"):
        # The palette of 256 is known to far more terminals than the colours beyond it.
        levels = (
            min(range(6), key=lambda n: abs(_CUBE[n] - level)) for level in bytes.fromhex(word[1:])
        )
        red, green, blue = levels
        return Look(f"38;5;{16 + 36 * red + 6 * green + blue}", f"fg:{word}")
    bright = word.startswith("bright-")
    name = word.removeprefix("bright-")
    return Look(
        str(COLORS.index(name) + (90 if bright else 30)), f"fg:{_ansi(name, bright=bright)}"
    )


def _ansi(name: str, *, bright: bool) -> str:
    """prompt_toolkit's word for one of the sixteen colours."""
    if name in {"black", "white"} and bright:
        return "ansibrightblack" if name == "black" else "ansiwhite"
    if name == "white":
        return "ansigray"
    return f"ansi{'bright' if bright else ''}{name}"
