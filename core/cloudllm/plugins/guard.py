"""The guard around everything a plugin runs, and the voice in which its trouble is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Literal, TypeVar

from cloudllm import streams
from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.plugins import wording
from cloudllm.plugins.call import Call
from cloudllm.plugins.discovery import Plugin
from cloudllm.plugins.printing import Printers, Printing
from cloudllm.plugins.story import Stories
from cloudllm.words import one_line, redact_all, secrets_in

Result = TypeVar("Result")
Seconds = float | Literal["settings"] | None


class Guard:
    """Runs plugins' code under a deadline, and turns whatever happens into one line.

    `deadline` is in seconds; `None` waits for ever. With `contain`, what the code prints is kept
    away from the streams. What the guard tells is without secrets, but not yet escaped for a
    terminal.
    """

    def __init__(self, deadline: float | None, stories: Stories, *, contain: bool) -> None:
        self.deadline = deadline
        self._contain = contain
        self._stories = stories
        self._printing = Printing(self._keep_output, self._keep_and_tell, self._tell_shared)
        self._lock = threading.RLock()
        self._listener: Callable[[str], object] | None = None
        self._unheard: list[str] = []
        self._secrets: set[str] = set()

    def run(
        self,
        plugin: Plugin | str,
        what: str,
        call: Callable[[], Result],
        *,
        deadline: Seconds = "settings",
        passing: tuple[type[BaseException], ...] = (),
    ) -> Result:
        """See `Plugins.guard`; for a plugin that is only a name no story is kept."""
        seconds = self.deadline if deadline == "settings" else deadline
        known = plugin if isinstance(plugin, Plugin) else None
        with (
            streams.contained() if self._contain else nullcontext(),
            self._printing.during(known, what) if known else nullcontext(),
        ):
            running = Call(
                partial(self._inside, plugin, what, call, passing), f"cloudllm-plugin-{plugin}"
            )
            try:
                over = running.wait(seconds)
            except BaseException:  # Ctrl-C
                running.abandon()
                raise
            if not over and seconds is not None:
                where = running.where()
                if running.abandon():
                    raise self.failed(plugin, wording.hangs(plugin, what, seconds), where)
        match running.error:
            case None:
                return running.result
            case _Broken(error=error, traceback=traceback):
                raise self.failed(plugin, error, traceback) from None
            case PluginError() as error:
                raise self.failed(plugin, error, "")
            case CloudLLMError() as error:
                self._redact(error)
        raise running.error

    def failed(self, plugin: Plugin | str, error: PluginError, traceback: str) -> PluginError:
        """The error without secrets, remembered in the plugin's story."""
        self._redact(error)
        if isinstance(plugin, Plugin):
            shown = redact_all(traceback, self._known_secrets())
            self._stories.failed(plugin, error.message, shown)
            self._stories.save()
        return error

    def broken(self, plugin: Plugin, what: str, error: Exception) -> CloudLLMError:
        """See `Plugins.broken`."""
        said = self.failed(plugin, wording.broken(plugin, what, error), wording.traceback_of(error))
        return CloudLLMError(said.message, advice=said.advice)

    def listen(self, callback: Callable[[str], object]) -> None:
        """See `Plugins.listen`."""
        with self._lock:
            self._listener = callback
            waiting, self._unheard = self._unheard, []
        for line in waiting:
            callback(line)

    def notify(self, plugin: Plugin, line: str) -> None:
        """See `Plugins.notify`."""
        line = one_line(redact_all(line, self._known_secrets()))
        self._stories.note(plugin, line)
        self._keep_and_tell(plugin, line)

    def say(self, line: str) -> None:
        """Tell one line, now or when somebody listens."""
        with self._lock:
            listener = self._listener
            if listener is None:
                self._unheard.append(line)
        if listener is not None:
            listener(line)

    def hide(self, secret: str) -> None:
        """A plugin has been given this: nothing that is told of any plugin may hold it."""
        self._secrets.add(secret)

    def settle(self) -> None:
        """Tell what was printed until now."""
        self._printing.settle()

    def _inside(
        self,
        plugin: Plugin | str,
        what: str,
        call: Callable[[], Result],
        passing: tuple[type[BaseException], ...],
    ) -> Result:
        """The call, in its thread; even the text of an exception is the plugin's code."""
        if isinstance(plugin, Plugin):
            self._printing.entered(plugin)
        try:
            return call()
        except BaseException as error:  # G8: SystemExit and all, it stops here
            if isinstance(error, passing):
                raise
            broken = wording.broken(plugin, what, error)
            raise _Broken(broken, wording.traceback_of(error)) from None

    def _keep_output(self, plugin: Plugin, text: str, length: int) -> None:
        self._stories.printed(plugin, text, length, self._known_secrets())

    def _tell_shared(self, printers: Printers, line: str, text: str) -> None:
        """Tell once what any of several plugins printed; each one's story has a note of it."""
        text = one_line(redact_all(text, self._known_secrets()))
        for plugin in printers:
            self._stories.note(plugin, f"{line.partition(';')[0]}, beginning with {text!r}")
        self._stories.save()
        self.say(line)

    def _keep_and_tell(self, plugin: Plugin, line: str) -> None:
        """Tell a line about a plugin whose story, now on disk, tells the rest."""
        self._stories.save()
        self.say(f"plugin {plugin}: {line}")

    def _redact(self, error: CloudLLMError) -> None:
        secrets = self._known_secrets()
        error.message = redact_all(error.message, secrets)
        error.advice = redact_all(error.advice, secrets)
        error.args = (error.message,)

    def _known_secrets(self) -> set[str]:
        return self._secrets | secrets_in()


class _Broken(Exception):
    """What went wrong inside a guarded call, in words already."""

    def __init__(self, error: PluginError, traceback: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.traceback = traceback
