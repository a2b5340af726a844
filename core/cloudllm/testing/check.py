"""`python -m cloudllm.testing.check TARGET`: check a plugin in a process of its own.

With `--fd N` it is that process itself, and reports to the file descriptor N; see `runner`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cloudllm.errors import CloudLLMError, PluginError, UsageError
from cloudllm.plugins import PROVIDERS, Plugins
from cloudllm.testing.conformance import ITEMS, PLUGIN_ITEMS, run_plugin, run_provider
from cloudllm.testing.conformance.imports import Imported, look_at, measure
from cloudllm.testing.conformance.model import Failed, Item, Verdict
from cloudllm.testing.conformance.watch import Watch
from cloudllm.testing.runner import run_check
from cloudllm.testing.target import Found, Target, find, offered_by_file


@dataclass(frozen=True, slots=True)
class Report:
    """Where the parent listens."""

    fd: int

    def item(self, subject: str, item: str) -> None:
        """It is about to run."""
        self._say({"subject": subject, "item": item})

    def verdict(self, verdict: Verdict) -> None:
        """It is over."""
        self._say(asdict(verdict))

    def error(self, error: CloudLLMError) -> None:
        """There is nothing to run."""
        self._say({"error": error.message, "advice": error.advice})

    def done(self) -> None:
        """All items have run."""
        self._say({"done": True})

    def _say(self, said: dict[str, object]) -> None:
        line = json.dumps(said).encode() + b"\n"
        while line:
            line = line[os.write(self.fd, line) :]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print a line for each verdict, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cloudllm.testing.check")
    parser.add_argument("target", help="an installed plugin, a project's folder or a .py file")
    parser.add_argument("--item", action="append", metavar="NAME", help="check only this")
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.fd is not None:
        child(Report(chosen.fd), chosen.target, chosen.item)
        return 0
    failed = False
    try:
        for verdict in run_check(chosen.target, items=chosen.item):
            failed |= not verdict.passed
            line = f"{verdict.subject}: {verdict.item}: {verdict.result}"
            print(f"{line}: {verdict.detail}" if verdict.detail else line)  # noqa: T201 - its job
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return error.exit_code
    return int(failed)


def child(report: Report, target: str, items: Collection[str] | None) -> None:
    """Check everything that the target offers, and report."""
    os.set_inheritable(report.fd, False)  # noqa: FBT003 - os's own function
    with tempfile.TemporaryDirectory(prefix="cloudllm-given-") as folder, Watch().on():
        try:
            _check(report, target, items, Path(folder))
        except UsageError as error:
            report.error(error)
        else:
            report.done()
    os._exit(0)  # whatever threads a plugin has left, nobody waits for them


def _check(report: Report, name: str, items: Collection[str] | None, folder: Path) -> None:
    known = [item.name for item in (*ITEMS, *PLUGIN_ITEMS)]
    for item in items or ():
        if item not in known:
            raise UsageError(f"There is no item {item!r}", advice=f"There are: {', '.join(known)}")
    target = find(name, folder)
    target, imported = _imported(report, target, folder)
    for each in target.found:
        wanted = ITEMS if each.group == PROVIDERS else PLUGIN_ITEMS
        names = [item.name for item in wanted if items is None or item.name in items]
        if problem := imported[each.module].problem:
            _hopeless(report, each, "imports", f"the import raised {problem}", names)
        elif names:
            plugins = target.plugins(each)
            asyncio.run(_run(report, each, plugins, imported[each.module], names))


def _imported(report: Report, target: Target, folder: Path) -> tuple[Target, dict[str, Imported]]:
    """Import all of it first, as long as nothing else is loaded that it might lean on."""
    imported: dict[str, Imported] = {}
    if target.file is not None:
        stem = target.file
        report.item(f"provider {stem}", "imports")
        imported[stem] = measure(stem)
        if imported[stem].problem:
            return Target((Found(stem, PROVIDERS, stem),)), imported
        return offered_by_file(stem, folder), imported
    for each in target.found:
        if each.module not in imported:
            report.item(each.subject, "imports")
            imported[each.module] = measure(each.module)
    return target, imported


async def _run(
    report: Report, found: Found, plugins: Plugins, imported: Imported, names: Sequence[str]
) -> None:
    def progress(step: Item | Verdict) -> None:
        if isinstance(step, Verdict):
            report.verdict(step)
        else:
            report.item(found.subject, step.name)

    run = run_provider if found.group == PROVIDERS else run_plugin
    try:
        await run(found.name, plugins, imported=imported, items=names, progress=progress)
    except PluginError as error:
        if "imports" in names:
            report.verdict(_of_import(found, imported))
            names = [name for name in names if name != "imports"]
        _hopeless(report, found, "registers", error.message, names)


def _of_import(found: Found, imported: Imported) -> Verdict:
    """The verdict on importing a module that can be imported."""
    verdict = Verdict(item="imports", result="ok", detail=imported.cost, subject=found.subject)
    try:
        look_at(imported)
    except Failed as failed:
        return replace(verdict, result="failed", detail=str(failed))
    return verdict


def _hopeless(report: Report, found: Found, item: str, detail: str, names: Sequence[str]) -> None:
    """Nothing can be checked of what cannot be loaded."""
    failed = Verdict(item=item, result="failed", detail=detail, subject=found.subject)
    report.verdict(failed)
    for name in names:
        if name != item:
            report.verdict(
                replace(failed, item=name, result="not applicable", detail=f"see {item}")
            )


if __name__ == "__main__":
    sys.exit(main())
