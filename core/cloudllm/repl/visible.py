"""Makes what stands in the editor visible: a paste may hold characters that hide or reorder text."""

from __future__ import annotations

from itertools import accumulate

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.utils import explode_text_fragments

from cloudllm.repl.render.sanitize import Sanitizer, clean


class VisibleText(Processor):
    """Shows each dangerous character as the filter does; the text itself stays as it is.

    prompt_toolkit does so for control characters alone.
    """

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """The line as it is shown, and which column is which character."""
        fragments = transformation_input.fragments
        if all(fragment[1].isascii() for fragment in fragments):
            return Transformation(fragments)
        text = "".join(fragment[1] for fragment in fragments)
        if clean(text) == text:
            return Transformation(fragments)
        sanitizer = Sanitizer()
        exploded = explode_text_fragments(fragments)
        shown: StyleAndTextTuples = [
            (fragment[0], _shown(sanitizer, fragment[1])) for fragment in exploded
        ]
        shown.append(("", sanitizer.end()))
        return remapped(len(exploded), shown)


def remapped(length: int, shown: StyleAndTextTuples) -> Transformation:
    """A line of which fragment n shows character n, up to `length`; more may follow."""
    columns = [0, *accumulate(len(fragment[1]) for fragment in shown)]

    def to_display(position: int) -> int:
        return columns[position] if position <= length else position - length + columns[-1]

    def to_source(column: int) -> int:
        found = next((at for at in range(length) if columns[at + 1] > column), length)
        return found if column < columns[-1] else length + column - columns[-1]

    return Transformation(shown, to_display, to_source)


def _shown(sanitizer: Sanitizer, character: str) -> str:
    """Control characters are left to prompt_toolkit, which shows them as `^X`."""
    return character if character.isascii() else sanitizer.feed(character)
