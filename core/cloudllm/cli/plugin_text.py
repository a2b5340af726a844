"""What `cloudllm plugins` prints: lines that fit 80 columns, and the same facts for JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.cli import listing
from cloudllm.hookspecs import API_VERSION
from cloudllm.plugins import COMMANDS, PROVIDERS, SESSIONS
from cloudllm.repl.render.sanitize import clean

if TYPE_CHECKING:
    from cloudllm.cli.probe import Found
    from cloudllm.cli.scaffold import Project
    from cloudllm.plugins import Failure, Plugin, Story
    from cloudllm.testing.conformance import Result, Verdict

KINDS = {PROVIDERS: "provider", SESSIONS: "session", COMMANDS: "command"}
_WIDTH = 80
_FEW = 15  # lines that are seen at a glance
_LABEL = 14
_ITEM = 20
_RESULTS: tuple[Result, ...] = ("ok", "failed", "known gap", "not applicable")


def facts(plugin: Plugin, state: str) -> dict[str, object]:
    """One plugin as JSON shows it; `state` says why it is not loaded, if it isn't."""
    return {
        "name": plugin.name,
        "kind": KINDS[plugin.group],
        "distribution": plugin.distribution,
        "version": plugin.version,
        "bundled": plugin.bundled,
        "entry_point": plugin.entry_point.value,
        "state": state,
    }


def table(plugins: Sequence[tuple[Plugin, str]]) -> Iterator[str]:
    """A row for each plugin, and below it why it is not loaded, if it isn't."""
    rows = [
        (plugin.label, KINDS[plugin.group], f"{plugin.distribution} {plugin.version}")
        for plugin, _ in plugins
    ]
    header, *blocks = listing.table_rows(("NAME", "KIND", "DISTRIBUTION"), rows)
    yield from header
    for lines, (_, state) in zip(blocks, plugins, strict=True):
        yield from lines
        if state:
            yield from _wrapped(f"not loaded: {state}", 2)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known of one plugin: why it is not loaded, its last runs, and what it did now."""

    plugin: Plugin
    state: str
    before: Story
    now: Found

    def lines(self) -> Iterator[str]:
        """The story as text."""
        plugin, story = self.plugin, self.now.story
        yield f"{plugin.label}: {plugin.kind}, from {plugin.distribution} {plugin.version}"
        about = self._about()
        yield from _field("about", about["summary"])
        yield from _field("home page", about["homepage"])
        point = plugin.entry_point
        yield from _field("entry point", f"{point.group}: {point.name} = {point.value}")
        if self.state:
            yield from _field("not loaded", self.state)
        elif not self.now.ending:
            yield from _field("API version", self._api())
            yield from _field("hooks", ", ".join(story.hooks))
            yield from _field("loading took", _cost(story))
        for offer in self.now.offers:
            yield from _field("offers", offer)
        yield from _field("FAILED", self.now.ending)
        if self.now.output:
            yield from _field("printed", "while it was loaded:")
            yield from _quoted(self.now.output)
        yield from _notes(story, self.before)
        yield from _failures(story, self.before)

    def facts(self) -> dict[str, object]:
        """The story as JSON shows it."""
        return {
            **facts(self.plugin, self.state),
            **self._about(),
            "api": self.now.api,
            "offers": self.now.offers,
            "ending": self.now.ending,
            "output": self.now.output,
            "now": asdict(self.now.story),
            "before": asdict(self.before),
        }

    def _about(self) -> dict[str, str]:
        try:
            about = metadata(self.plugin.distribution)
        except (PackageNotFoundError, ValueError):
            return {"summary": "", "homepage": ""}
        labelled = (url.partition(", ") for url in about.get_all("Project-URL") or ())
        urls = {label.lower(): url for label, _, url in labelled}
        found = (urls.get(label) for label in ("homepage", "home", "repository", "source"))
        (summary, *_) = about.get_all("Summary") or [""]
        return {"summary": summary, "homepage": next(filter(None, found), "")}

    def _api(self) -> str:
        declared = "none declared" if self.now.api is None else str(self.now.api)
        return f"{declared} (this cloudllm offers {API_VERSION})"


def written(project: Project, folder: Path) -> Iterator[str]:
    """What to do with a new project."""
    yield f"{folder} holds a provider named {project.name}, and its tests. Next:"
    yield f"  cloudllm plugins check {folder}"
    yield f"  edit {folder / project.module / '__init__.py'}: put in the real address and model"
    yield f"  pip install -e {folder} && cloudllm -m {project.name}"


def verdict(verdict: Verdict, before: str) -> Iterator[str]:
    """The line of one verdict, under a headline if its subject differs from the one `before`."""
    if verdict.subject != before:
        yield clean(verdict.subject, one_line=True)
    result = "FAILED" if verdict.result == "failed" else verdict.result
    line = f"  {result:{_LABEL}}  {verdict.item:{_ITEM}}  "
    first, *more = _wrapped(verdict.detail, len(line)) or [""]
    yield f"{line}{first.lstrip()}".rstrip()
    yield from more
    if verdict.result == "failed":
        yield from _wrapped(f"what must hold: {_must_hold(verdict.item)}", len(line))


def follows(verdict: Verdict) -> bool:
    """Whether it says no more than that another item failed; fifty such lines help nobody."""
    return verdict.result == "not applicable" and verdict.detail.startswith("see ")


def failures(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The items that failed, once more: their own lines may have scrolled away."""
    left_out = sum(map(follows, verdicts))
    if left_out:
        yield f"  not applicable  {left_out} more, which depend on an item that is not met"
    failed = [each.item for each in verdicts if not each.passed]
    if failed and len(verdicts) - left_out > _FEW:
        yield from _wrapped(f"FAILED: {', '.join(failed)}", 0)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many came out how, and how long it took."""
    counts = Counter(each.result for each in verdicts)
    parts = [f"{counts[result]} {result}" for result in _RESULTS if counts[result]]
    seconds = sum(each.seconds for each in verdicts)
    return f"{', '.join(parts) or 'nothing was checked'}, in {seconds:.1f} s"


def _must_hold(item: str) -> str:
    from cloudllm.testing.conformance import ITEMS, PLUGIN_ITEMS  # noqa: PLC0415 - only here

    return next((each.summary for each in (*ITEMS, *PLUGIN_ITEMS) if each.name == item), item)


def _notes(now: Story, before: Story) -> Iterator[str]:
    """Each thing noted, once, unless it is what a failure says too; and what was printed."""
    failures = [failure.line for failure in (*now.failures, *before.failures)]
    for note in dict.fromkeys((*now.notes, *before.notes)):
        if not any(note.rstrip(".…") in line for line in failures):
            yield from _field("NOTE" if note in now.notes else "noted before", note)
    for story in (now, before):
        if story.printed:
            yield from _field("printed", f"{story.printed:,} characters, beginning with")
            yield from _quoted(story.output)


def _failures(now: Story, before: Story) -> Iterator[str]:
    """Each failure once: when it was seen last, how often, and its last traceback."""
    alike: dict[str, list[Failure]] = {}
    for failure in (*before.failures, *now.failures):
        alike.setdefault(failure.line, []).append(failure)
    for line, failures in alike.items():
        label = "FAILED" if failures[-1] in now.failures else "failed before"
        yield from _field(label, f"{_when(failures)}: {line}")
        yield from _quoted(failures[-1].traceback or line)


def _when(failures: Sequence[Failure]) -> str:
    times = [f"{failure.when[:19].replace('T', ' ')} UTC" for failure in failures]
    return times[0] if len(times) == 1 else f"{times[-1]}, {len(times)} times since {times[0]}"


def _cost(story: Story) -> str:
    return "" if story.seconds is None else f"{story.seconds:.3f} s"


def _field(label: str, text: str) -> list[str]:
    """A label and its text; nothing where there is no text."""
    lines = textwrap.wrap(clean(text, one_line=True), _WIDTH - _LABEL - 4)
    return [
        f"  {name:{_LABEL}}  {line}"
        for name, line in zip([label, *[""] * len(lines)], lines, strict=False)
    ]


def _quoted(text: str) -> list[str]:
    """Foreign lines, safe to show, set in."""
    return [f"    | {line}".rstrip() for line in clean(text).splitlines()]


def _wrapped(text: str, blanks: int) -> list[str]:
    indent = " " * blanks
    text = clean(text, one_line=True)
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
