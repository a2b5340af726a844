"""What was not sent, or not answered: it goes back into the editor, or into the input history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloudllm.repl.app import ChatApp
from cloudllm.repl.buffer import to_keep
from cloudllm.repl.queue import Queue, Submission
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.secrets import without_secret
from cloudllm.repl.sentinel import Command, Grammar, UserText


class Unsent:
    """Gives what waits in `queue` back to the editor of `app`; `tell` gets lines for the person."""

    def __init__(
        self, app: ChatApp, queue: Queue, grammar: Grammar, tell: Callable[[str], None]
    ) -> None:
        self._app = app
        self._queue = queue
        self._grammar = grammar
        self._tell = tell
        self._going_out = ""

    def goes_out(self, submission: Submission) -> None:
        """A message is about to be sent; it has to be kept until it is `gone`."""
        if isinstance(submission.means, UserText):
            self._going_out = submission.draft

    def gone(self) -> None:
        """What was about to be sent is on disk, or back in the editor."""
        self._going_out = ""

    def under_way(self) -> str:
        """What was sent and is not on disk yet, as one draft that may be kept there."""
        drafts = filter(None, map(to_keep, (self._going_out, *self._queue.drafts())))
        means = (self._grammar.decode(draft) for draft in drafts)
        texts = [each.text for each in means if each is not None]
        return self._grammar.encode("\n".join(texts)) if texts else ""

    def take_back(self) -> None:
        """Give the last thing that waits back for editing."""
        submission = self._queue.take_last()
        if submission is not None:
            self._app.put_back(submission.draft)

    def take_all_back(self) -> None:
        """Give all that waits back for editing."""
        self._give([each.means for each in self._queue.take_all()])

    def give_back(self, submission: Submission, *, kept: bool, refused: bool = False) -> None:
        """Put an unanswered message and all that waited behind it back into the editor."""
        waited = [each.means for each in self._queue.take_all()]
        answered = kept or isinstance(submission.means, Command)
        self._give(waited if answered else [submission.means, *waited], refused=refused)

    def leave(self, *, comes_back: bool, private: bool, in_memory: bool) -> None:
        """Leaving: what was not sent can be recalled from the history, where the queue is already.

        `comes_back` says that the draft is on disk; of a `private` chat nothing is. What the history
        has `in_memory` alone stays on the screen.
        """
        editor = self._app.editor
        kept = bool(editor.draft.strip()) and editor.keep_unsent()
        if comes_back:
            self._app.print("What stood in the editor is there again next time.")
        elif private or not (kept or self._queue):
            return
        elif in_memory:
            text = "\n".join(filter(None, (self.under_way(), editor.to_keep())))
            self._app.print("What was not sent could not be kept:", *clean(text).split("\n"))
        else:
            self._app.print("What was not sent is in the input history: press Up next time.")

    def _give(self, returned: Sequence[Command | UserText], *, refused: bool = False) -> None:
        """Put messages back into the editor, and name the commands that were to be run."""
        texts = [item.text for item in returned if isinstance(item, UserText)]
        for item in returned:
            if isinstance(item, Command):
                self._tell(f"Not run: {without_secret(item.text)}")
        if texts:
            self._app.put_back(self._grammar.encode("\n".join(texts)), refused=refused)
