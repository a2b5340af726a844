"""Long pastes, folded: in the editor one character stands for each, on the screen a few words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from cloudllm.repl.visible import remapped

LINES, CHARACTERS = 12, 4_000
"""A paste of more than one of these is folded."""

_FIRST, _MOST = 0xD800, 1_024
_MARK = re.compile("[\ud800-\udbff]")
_RECENT = 8
"""Folds that are looked for in a text that comes back."""


class Folds:
    """Which character stands for which text; none is ever used for a second one.

    They are first halves of surrogate pairs: a terminal can send nothing that is read as one, so
    that what was typed and what stands for a paste cannot be mixed up. They move, go and come back
    with the text around them; undo and the kill ring need to know nothing.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._words: list[str] = []

    def fold(self, text: str) -> str:
        """The text as it goes into the editor: folded if it is long. A last newline stays."""
        body = text.removesuffix("\n")
        is_long = body.count("\n") >= LINES or len(body) > CHARACTERS
        if not is_long or len(self._texts) == _MOST:
            return text
        self._texts.append(body)
        lines = body.count("\n") + 1
        many = f"{lines:,} line{'s' * (lines > 1)}, {len(body):,} characters"
        self._words.append(f"[pasted {many}: F2 shows it]")
        return chr(_FIRST + len(self._texts) - 1) + text[len(body) :]

    def expand(self, text: str) -> str:
        """The text with all that is folded in it."""
        return text if text.isascii() else _MARK.sub(lambda mark: self._text(mark[0]), text)

    def marks(self, text: str) -> list[str]:
        """What stands for a paste in this text of the editor."""
        return [] if text.isascii() else _MARK.findall(text)

    def refold(self, text: str, marks: Iterable[str] | None = None) -> str:
        """A whole text as it goes into the editor: what was folded under `marks` is so again.

        Without `marks` the last few are looked for.
        """
        if not text.isascii():
            text = _MARK.sub("\ufffd", text)
        if marks is None:
            marks = map(chr, range(_FIRST, _FIRST + len(self._texts)))
            marks = list(marks)[-_RECENT:]
        for mark in marks:
            text = text.replace(self._text(mark), mark, 1)
        return text

    def words(self, mark: str) -> str:
        """What is shown of a fold: how much it is, and nothing of the text itself."""
        number = ord(mark) - _FIRST
        return self._words[number] if number < len(self._words) else mark

    def _text(self, mark: str) -> str:
        number = ord(mark) - _FIRST
        return self._texts[number] if number < len(self._texts) else mark


class FoldedText(Processor):
    """Shows what is folded as a few words; for the cursor they are one character."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """The line as it is shown, and which column is which character."""
        fragments = transformation_input.fragments
        if not any(_MARK.search(fragment[1]) for fragment in fragments):
            return Transformation(fragments)
        exploded = explode_text_fragments(fragments)
        shown: StyleAndTextTuples = [self._shown(fragment[0], fragment[1]) for fragment in exploded]
        return remapped(len(exploded), shown)

    def _shown(self, style: str, character: str) -> tuple[str, str]:
        if _MARK.match(character):
            return f"{style} bold", self._folds.words(character)
        return style, character
