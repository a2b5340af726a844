"""The editor's text: long pastes folded, undo bounded, secrets neither kept nor suggested."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Callable

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import FilterOrBool
from prompt_toolkit.history import History

from cloudllm import streams
from cloudllm.repl.folding import Folds
from cloudllm.repl.secrets import holds_secret
from cloudllm.repl.suggestions import Suggestions

_UNDO_STEPS, _UNDO_CHARACTERS = 8, 2_000_000
_EDITORS = ("/usr/bin/editor", "/usr/bin/nano", "/usr/bin/pico", "/usr/bin/vi", "/usr/bin/emacs")


class DraftBuffer(Buffer):
    """The editor's text, in which long pastes are folded: `draft` is all of it.

    Undo reaches back a bounded way. prompt_toolkit keeps the whole text for each step: a burst of
    ten thousand lines would fill the memory with ten thousand copies of it.

    `hint(draft)` gives what is to be said of a command that is being typed. A `hidden` text is the
    answer to a question for a secret: nothing keeps it, folds it or shows it.
    """

    was_refused: bool
    """Is it, or was it made of, a text that was refused when it was sent? Until it is empty."""

    def __init__(
        self,
        *,
        history: History | None = None,
        completer: Completer | None = None,
        complete_while_typing: FilterOrBool = False,
        hint: Callable[[str], str] = lambda _draft: "",
    ) -> None:
        self.folds = Folds()
        self.hidden = False
        self._aside: tuple[str, bool] | None = None
        self._ahead: list[tuple[str, bool]] | None = None
        self._sent = ""  # what the editor outside has, and this one is to have no more
        self._hint = hint
        self._suggestions = Suggestions()
        super().__init__(
            multiline=True,
            history=history,
            completer=completer,
            complete_while_typing=complete_while_typing,
            tempfile_suffix=".md",
        )

    @property
    def draft(self) -> str:
        """The whole text, with what is folded."""
        return self.folds.expand(self.text)

    @property
    def around(self) -> tuple[str, str]:
        """The draft before the cursor, and after it."""
        text, at = self.text, self.cursor_position
        return self.folds.expand(text[:at]), self.folds.expand(text[at:])

    def reset(self, document: Document | None = None, append_to_history: bool = False) -> None:  # noqa: FBT001, FBT002 - its signature
        """Begin anew."""
        super().reset(document, append_to_history)
        self.was_refused = False
        self.on_text_changed.fire()  # prompt_toolkit does not say so

    def _text_changed(self) -> None:
        super()._text_changed()
        self.was_refused = self.was_refused and bool(self.text)

    def insert_pasted(self, text: str) -> None:
        """Insert what was pasted, folded if it is long."""
        self.insert_text(text if self.hidden else self.folds.fold(text))

    def unfold(self) -> None:
        """Show all that is folded."""
        before, after = self.around
        self.document = Document(before + after, len(before))

    def put_ahead(self, draft: str, *, refused: bool = False) -> None:
        """Put a draft on lines of its own ahead of what stands there; the cursor stays in that."""
        if self._ahead is not None:  # the editor outside will replace all that stands here
            self._ahead.append((draft, refused))
            self.on_text_changed.fire()
            return
        self.save_to_undo_stack()
        ahead = self.folds.refold(draft) + ("\n" if self.text else "")
        at = len(ahead) + self.cursor_position
        self.document = Document(ahead + self.text, at)
        self.was_refused = self.was_refused or refused

    def take_off(self, draft: str) -> None:
        """Take a draft away that stands first, on lines of its own; what follows it stays."""
        if self._ahead is not None:
            self._take_off_outside(draft)
        elif self._aside is not None:
            self._aside = self._without(self._aside[0], draft), self._aside[1]
            self.on_text_changed.fire()
        else:
            behind = len(self.text) - self.cursor_position
            rest = self._without(self.text, draft)
            self.document = Document(rest, max(0, len(rest) - behind))

    def _take_off_outside(self, draft: str) -> None:
        """Do so where the editor outside is open, in which it may stand, too."""
        if self._ahead:
            text, refused = self._ahead.pop()
            rest = without(text, draft)
            self._ahead += [(rest, refused)] if rest else []
            self.on_text_changed.fire()
        else:
            self._sent = draft

    def _without(self, text: str, draft: str) -> str:
        whole = self.folds.expand(text)
        rest = without(whole, draft)
        return text if rest == whole else self.folds.refold(rest)

    def lay_aside(self) -> None:
        """Make room for the answer to a question."""
        self._aside = self.text, self.was_refused
        self.reset()

    def take_up(self) -> None:
        """Bring back what was laid aside, ahead of what was typed since the answer."""
        if self._aside is not None:
            (text, refused), self._aside = self._aside, None
            self.document = Document(text + self.text, len(text + self.text))
            self.was_refused = self.was_refused or refused
            self.on_text_changed.fire()  # it is a draft again, also where its text is the same

    @property
    def is_answer(self) -> bool:
        """Is it the answer to a question, asked or about to be, and not a draft?"""
        return self.hidden or self._aside is not None

    def to_keep(self) -> str:
        """The draft as it may be kept on disk; while a question is open, what was laid aside.

        "" if it is blank, was refused, has a secret in it or starts with a blank, as for the history.
        """
        if self.hidden and self._aside is None:
            return ""
        own = self._aside or (self.text, self.was_refused)
        kept = [to_keep(*each) for each in reversed(self._ahead or [])]
        kept.append(to_keep(self.folds.expand(own[0]), own[1]))
        return "\n".join(filter(None, kept))

    def validate_and_handle(self) -> None:
        """Do nothing: keys of prompt_toolkit that call it would empty the editor, and send nothing."""

    def keep_unsent(self) -> bool:
        """Keep a draft that is given up in the input history, unless it was refused; is it there?"""
        return not self.was_refused and self.remember(self.draft)

    def append_to_history(self) -> None:
        """Keep the draft in the input history, unless it holds a secret."""
        self.remember(self.draft)

    def remember(self, draft: str) -> bool:
        """Keep this draft in the input history, unless it holds a secret; is it there?"""
        if not draft or self.hidden or holds_secret(draft):
            return False
        if self.history.get_strings()[-1:] != [draft]:
            self.history.append_string(draft)
        return True

    def save_to_undo_stack(self, clear_redo_stack: bool = True) -> None:  # noqa: FBT001, FBT002 - its signature
        """Remember the text as it is, and forget the oldest ones beyond the bound."""
        super().save_to_undo_stack(clear_redo_stack)
        steps = max(_UNDO_STEPS, _UNDO_CHARACTERS // (len(self.text) + 1))
        del self._undo_stack[:-steps]

    def undo(self) -> None:
        """Take the last change back; letters that were typed one after the other are one."""
        stack, newer = self._undo_stack, self.text
        while stack and stack[-1][0] == newer:
            stack.pop()
        while (
            len(stack) > 1
            and _adds_letter(stack[-1], newer)
            and _adds_letter(stack[-2], stack[-1][0])
        ):
            newer, _ = stack.pop()
        super().undo()

    # How the text could go on.

    def hint(self) -> str:
        """What is to be said of the command that is being typed; the cursor is at its end."""
        text = self.text
        is_command = text.startswith("/") and "\n" not in text
        return self._hint(text) if is_command and self._may_go_on() else ""

    def continuation(self) -> str:
        """How the last line went on when it was typed before; "" where a hint comes first."""
        if not self._may_go_on() or (not self._argument() and self.hint()):
            return ""
        line = self.text[self.text.rfind("\n") + 1 :]
        return self._suggestions.rest(line, self.history)

    def _may_go_on(self) -> bool:
        return not self.hidden and 0 < len(self.text) == self.cursor_position

    def _argument(self) -> str:
        return self.text.partition(" ")[2].strip()

    # The editor outside.

    def open_in_editor(self, validate_and_handle: bool = False) -> asyncio.Task[None]:  # noqa: FBT001, FBT002 - its signature
        """Have the whole draft edited outside; what was folded and is still there is so again."""
        marks = self.folds.marks(self.text)
        before, after = (side.encode(errors="replace").decode() for side in self.around)
        self.document = Document(before + after, len(before))
        task = super().open_in_editor(validate_and_handle)
        self._ahead = []
        task.add_done_callback(lambda _task: self._back_from_outside(marks))
        return task

    def _back_from_outside(self, marks: list[str]) -> None:
        if marks:
            text = self.folds.refold(self.text, marks)
            self.document = Document(text, len(text))
        ahead, self._ahead = self._ahead or [], None
        sent, self._sent = self._sent, ""
        self.take_off(sent)
        for draft, refused in ahead:
            self.put_ahead(draft, refused=refused)

    def _open_file_in_editor(self, filename: str) -> bool:
        """As prompt_toolkit's; but what a program would inherit is the sink for stray output."""
        for editor in (os.environ.get("VISUAL"), os.environ.get("EDITOR"), *_EDITORS):
            try:
                if editor:
                    command = [*shlex.split(editor), filename]
                    out, err = streams.out(), streams.err()
                    return subprocess.call(command, stdout=out, stderr=err) == 0  # noqa: S603 - the user's own
            except (
                OSError,
                ValueError,
            ):  # there is none of that name, or its quotes are not closed
                continue
        return False


def to_keep(draft: str, was_refused: bool = False) -> str:  # noqa: FBT001, FBT002 - as they are kept together
    """A draft as it may be kept on disk; "" if it may not, as `DraftBuffer.to_keep` says."""
    is_private = was_refused or draft.startswith((" ", "\t")) or holds_secret(draft)
    return draft if draft.strip() and not is_private else ""


def without(draft: str, first: str) -> str:
    """What follows another draft that it begins with, on lines of its own; or else all of it."""
    begins = bool(first) and f"{draft}\n".startswith(f"{first}\n")
    return draft[len(first) + 1 :] if begins else draft


def _adds_letter(older: tuple[str, int], newer: str) -> bool:
    """Is this the older text with one letter more at its cursor?"""
    text, at = older
    return (
        len(newer) == len(text) + 1
        and not newer[at].isspace()
        and newer[:at] == text[:at]
        and newer[at + 1 :] == text[at:]
    )
