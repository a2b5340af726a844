"""Aliases: the user's own short names for models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, distribution

_PROVIDERS = "cloudllm.providers"


def flaw(name: str, aliases: Mapping[str, str], endpoints: Collection[str]) -> str | None:
    """Why an alias cannot be used, or `None`. `endpoints` are the user's own providers.

    Names of plugins that others write are not looked up: installing one must not break an alias,
    which stands above it.
    """
    if not name or not name.isprintable() or any(map(str.isspace, name)) or "/" in name:
        return "expected a name without blanks and slashes"
    if name in endpoints or name in _bundled():
        return f"{name!r} is a provider; choose another name"
    target = aliases[name].strip()
    if not target or target.startswith("/"):
        return "name a model, as in openai/gpt-6-luna"
    if target in aliases:
        return f"{target!r} is an alias too; name a model"
    return None


def _bundled() -> frozenset[str]:
    try:
        points = distribution("cloudllm").entry_points
    except PackageNotFoundError:  # run from its source, without being installed
        return frozenset()
    return frozenset(points.select(group=_PROVIDERS).names)
