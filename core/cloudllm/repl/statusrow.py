"""The status row: one line of what a person wants to know at a glance, cut to fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from cloudllm.repl.cells import cut, fitting, width
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.sentinel import Grammar

PARTS = ("model", "tokens", "cost", "marks", "plugins", "hint")
"""What the row can show, in this order."""

_LONGEST = 50
"""Characters of a model id, or of what a plugin shows."""

_DROPPED = ("plugins", "tokens", "cost", "marks")
"""What goes first where there is no room: plugins before the hint, the others after it."""

_BETWEEN, _BEFORE_HINT = " · ", "  "


class StatusRow:
    """What is known for the row; only the `parts` are shown, and none at all hides it.

    Everything but `hints` may be foreign text. `hints` is one hint in several wordings, the longest
    first. `mode` is the one that the keys are in, where they have several.
    """

    def __init__(
        self,
        *,
        parts: Sequence[str] = PARTS,
        model: str = "…",
        tokens: str = "",
        cost: str = "",
        marks: Sequence[str] = (),
        plugins: Sequence[str] = (),
        hints: Sequence[str] = (),
        mode: str = "",
    ) -> None:
        self.parts = parts
        self.model = model
        self.tokens = tokens
        self.cost = cost
        self.marks = marks
        self.plugins = plugins
        self.hints = hints
        self.mode = mode
        self._made: tuple[object, str] = (None, "")

    def text(self, columns: int) -> str:
        """The row in at most so many cells, safe to show; asked at each key, it is made once."""
        known = (columns, self.model, self.tokens, self.cost, *self.parts, 0, *self.marks, 0)
        known += (*self.plugins, 0, *self.hints, 0, self.mode)
        if self._made[0] != known:
            self._made = known, self._fitted(columns)
        return self._made[1]

    def _fitted(self, columns: int) -> str:
        cells = self._cells()
        row = _BETWEEN.join(text for _, text in cells)
        for name in _DROPPED:
            if width(row) <= columns - (self._least_hint() if name == "plugins" else 0):
                continue
            cells = [cell for cell in cells if cell[0] != name]
            row = _BETWEEN.join(text for _, text in cells)
        row = cut(row, columns)
        if "hint" not in self.parts:
            return row
        between = _BEFORE_HINT if row else ""
        hint = fitting((*self.hints, ""), columns - width(row) - len(between))
        return f"{row}{between}{hint}" if hint else row

    def _least_hint(self) -> int:
        """The cells of a hint that says how to send and how to stop."""
        shown = "hint" in self.parts and len(self.hints) > 1
        return len(_BEFORE_HINT) + width(self.hints[1]) if shown else 0

    def _cells(self) -> list[tuple[str, str]]:
        """Each text with the part that it belongs to."""
        known: dict[str, Sequence[str]] = {
            "model": (self.model,),
            "tokens": (self.tokens,),
            "cost": (self.cost,),
            "marks": (self.mode, *self.marks),
            "plugins": self.plugins,
        }
        return [
            (part, clean(text, one_line=True, limit=_LONGEST))
            for part in PARTS
            if part in self.parts
            for text in known.get(part, ())
            if text
        ]


def hints(grammar: Grammar) -> Sequence[str]:
    """What the status row says of the keys, the longest wording first."""
    word = "Enter" if grammar.submit == "enter" else clean(grammar.sentinel, one_line=True)
    sends = word if grammar.submit == "enter" else f"{word} or Alt-Enter"
    return (
        f"{sends} sends · Ctrl-C stops · /help",
        f"{word} sends · Ctrl-C stops · /help",
        f"{word} sends · /help",
        "/help",
    )


def tokens_text(used: int | None, window: int | None, *, estimated: bool) -> str:
    """How much of the model's window the conversation takes, such as `12k/128k 9%`."""
    if used is None:
        return f"tokens unknown of {short(window)}" if window else "tokens unknown"
    about = "~" if estimated and used else ""
    if not window:
        return f"{about}{short(used)} tokens"
    return f"{about}{short(used)}/{short(window)} {100 * used // window}%"


def short(number: int) -> str:
    """A number of tokens in few characters: `950`, `1.2k`, `128k`, `1.0M`."""
    if number < 1_000:  # noqa: PLR2004 - a thousand
        return str(number)
    unit, letter = (1_000, "k") if number < 999_500 else (1_000_000, "M")  # noqa: PLR2004 - 1000k
    value = number / unit
    return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"  # noqa: PLR2004 - 10.0
