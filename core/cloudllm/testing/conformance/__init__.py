"""The conformance kit: proves a provider or a session plugin right, item by item.

    verdicts = await check_provider("acme")             # an installed provider, by name
    verdicts = await check_provider(AcmeProvider(...))  # or the declaration itself
    verdicts = await check_plugin("shout")              # an installed session plugin, or its module
    failed = [verdict for verdict in verdicts if not verdict.passed]

From a terminal, in a process of its own: `cloudllm plugins check acme`. From Python, the same:
`cloudllm.testing.runner.run_check("acme")`, which yields the same verdicts as they come.

A provider is run on its real road, from the registry to the session, against a scripted server
that stands at the path of its `api_base`, and told by what happens from one that answers in this
process. What it does not meet and says so, in `Provider.known_gaps`, counts as a known gap.
"""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType

from cloudllm.plugins import Plugins
from cloudllm.provider import Provider
from cloudllm.testing.conformance import (
    blocking,
    clients,
    conversation,
    declared,
    failures,
    hooks,
    imports,
    listing,
    patience,
    safety,
    shape,
    text,
    together,
)
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import Check, chosen, run
from cloudllm.testing.conformance.imports import Imported
from cloudllm.testing.conformance.model import Item, Progress, Result, Verdict
from cloudllm.testing.conformance.watch import Output, Watch

__all__ = (
    "ITEMS",
    "PLUGIN_ITEMS",
    "Item",
    "Progress",
    "Result",
    "Verdict",
    "check_plugin",
    "check_provider",
)

_PROVIDER_CHECKS: tuple[Check[Bench], ...] = (
    *imports.CHECKS,
    *declared.CHECKS,
    *clients.CHECKS,
    *blocking.CHECKS,
    *shape.CHECKS,
    *clients.ADDRESS,
    *shape.ANSWERS,
    *clients.SENT,
    *text.CHECKS,
    *conversation.CHECKS,
    *together.FIRST,
    *failures.CHECKS,
    *patience.CHECKS,
    *together.CHECKS,
    *safety.CHECKS,
    *listing.CHECKS,
    *safety.LAST,
)

ITEMS: tuple[Item, ...] = tuple(each.item for each in _PROVIDER_CHECKS)
"""Every item for a provider, in the order in which they run."""

PLUGIN_ITEMS: tuple[Item, ...] = tuple(each.item for each in hooks.CHECKS)
"""Every item for a session plugin, in the order in which they run."""


async def check_provider(
    provider: Provider | str,
    *,
    items: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Check a provider, given by name as installed or as the declaration itself.

    `items` chooses some by name; `None` takes all. Takes a few seconds, opens no connection beyond
    the loopback interface, and leaves the environment as it was.

    Raises:
        UsageError: there is no such item.
        CloudLLMError: no provider of that name can be loaded.
    """
    if isinstance(provider, str):
        return await run_provider(
            provider, Plugins(), imported=provider, items=items, progress=progress
        )
    checks = chosen(_PROVIDER_CHECKS, items)
    with Bench(provider) as bench:
        return await run(checks, bench, progress)


async def check_plugin(
    plugin: ModuleType | str,
    *,
    items: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Check a session plugin, given by name as installed or as the module itself.

    Raises:
        UsageError: there is no such item.
        CloudLLMError: no plugin of that name can be loaded.
    """
    if isinstance(plugin, str):
        return await run_plugin(plugin, Plugins(), imported=plugin, items=items, progress=progress)
    checks = chosen(hooks.CHECKS, items)
    with hooks.Stand(hooks.given(plugin)) as stand:
        return await run(checks, stand, progress)


async def run_provider(
    name: str,
    plugins: Plugins,
    *,
    imported: Imported | str | None,
    items: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Check a provider of `plugins`; `imported` is as in `imports.Subject`."""
    checks = chosen(_PROVIDER_CHECKS, items)
    watch, output = Watch(), Output()
    with watch.on(), output.captured():
        provider = plugins.provider(name)
    with Bench(provider, plugins, imported=imported, watch=watch, output=output) as bench:
        return await run(checks, bench, progress)


async def run_plugin(
    name: str,
    plugins: Plugins,
    *,
    imported: Imported | str | None,
    items: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Check a session plugin of `plugins`; `imported` is as in `imports.Subject`."""
    checks = chosen(hooks.CHECKS, items)
    with hooks.Stand(hooks.found(name, plugins), imported) as stand:
        return await run(checks, stand, progress)
