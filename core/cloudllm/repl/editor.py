"""The editor's window: the draft as it may be shown, and how it could go on."""

from __future__ import annotations

from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import BufferControl, Dimension, Window
from prompt_toolkit.layout.controls import SearchBufferControl
from prompt_toolkit.layout.processors import (
    ConditionalProcessor,
    PasswordProcessor,
    Processor,
    Transformation,
    TransformationInput,
)

from cloudllm.early import PROMPT
from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.cells import cut, width
from cloudllm.repl.folding import FoldedText
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.visible import VisibleText

_ROWS = 10
MENU_ROWS = 6
_INDENT = " " * len(PROMPT)
_GAP = "  "


def editor_window(buffer: DraftBuffer, search: SearchBufferControl) -> Window:
    """The window of the editor; it takes no more rows than its text needs, and ten at most."""
    hidden = Condition(lambda: buffer.hidden)
    search.input_processors = [VisibleText(), *(search.input_processors or ())]
    control = BufferControl(
        buffer,
        search_buffer_control=search,
        input_processors=[
            ConditionalProcessor(PasswordProcessor(), hidden),
            FoldedText(buffer.folds),
            VisibleText(),
            Aside(buffer),
        ],
    )
    return Window(
        control,
        height=lambda: Dimension(min=_rows_for_menu(buffer), max=_ROWS),
        dont_extend_height=True,
        wrap_lines=True,
        get_line_prefix=lambda line, wrapped: PROMPT if line == wrapped == 0 else _INDENT,
    )


def _rows_for_menu(buffer: DraftBuffer) -> int:
    """Rows that the text and the menu of completions below it need; the menu alone takes none."""
    offered = buffer.complete_state
    if offered is None or not offered.completions:
        return 1
    return min(_ROWS, buffer.document.line_count + min(MENU_ROWS, len(offered.completions)))


class Aside(Processor):
    """Shows, dim and after the text, how it could go on; what does not fit the row is left out."""

    def __init__(self, buffer: DraftBuffer) -> None:
        self._buffer = buffer

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """The line and, if it is the last one, what is said beside it."""
        fragments = transformation_input.fragments
        document = transformation_input.document
        is_last = transformation_input.lineno == document.line_count - 1
        # While the history is searched, what is shown is not what stands in the editor.
        if not is_last or document.text != self._buffer.text:
            return Transformation(fragments)
        aside = self._text()
        if not aside:
            return Transformation(fragments)
        room = _room(fragments, transformation_input.width - len(PROMPT))
        shown: StyleAndTextTuples = [*fragments, ("class:dim italic", cut(aside, room))]
        return Transformation(shown)

    def _text(self) -> str:
        text = self._buffer.continuation()
        if not text and (hint := self._buffer.hint()):
            text = hint if self._buffer.text.endswith(" ") else _GAP + hint
        return clean(text, one_line=True)


def _room(fragments: StyleAndTextTuples, columns: int) -> int:
    """Cells that are left in the last row of this line, the cursor's own apart."""
    taken = sum(width(fragment[1]) for fragment in fragments)
    return max(0, columns - taken % max(1, columns) - 1)
