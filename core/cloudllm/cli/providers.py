"""`cloudllm providers`: who offers models, and where their keys come from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from cloudllm import addresses
from cloudllm.cli import listing
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.errors import CloudLLMError
from cloudllm.gateway import catalogue

if TYPE_CHECKING:
    from cloudllm.provider import Provider
    from cloudllm.registry import Registry

_WIDTH = 80
_LABEL = 18


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@shared_options
def providers(options: Options, name: str | None, *, as_json: bool) -> None:
    """List the providers and where their keys come from, or tell all that NAME declares.

    No key is ever shown, and nobody is asked.
    """
    registry = options.compose(options.flags).registry
    if name:
        told = _facts(registry, name)
        listing.say_json(told) if as_json else listing.say(_lines(told))
        return
    found = list(_every(registry))
    if as_json:
        listing.say_json(found)
        return
    header = ("NAME", "PROVIDER", "KEY", "DEFAULT MODEL")
    rows = [
        (each["name"], each["label"], each["key"], each["default_model"] or "-") for each in found
    ]
    listing.say(listing.table(header, rows, cut=(1, 3, 2)))


def _every(registry: Registry) -> Iterator[dict[str, Any]]:
    """Every provider; one that cannot be loaded is a line on standard error."""
    for name in registry.names():
        try:
            yield _facts(registry, name)
        except CloudLLMError as error:
            listing.aside(str(error))


def _facts(registry: Registry, name: str) -> dict[str, Any]:
    """All that a provider declares, and what is there of it; raises `CloudLLMError`."""
    provider, default = registry.resolve(f"{name}/")
    plugin = registry.plugins.plugin_of(registry.installed(name))
    told = registry.plugins.guard(
        plugin or name, "telling what it declares", lambda: _declared(provider, default)
    )
    try:
        access = registry.access(name)
        told |= {
            "key": access.key,
            "ready": access.ready,
            "api_base": addresses.shown(access.api_base),
        }
    except CloudLLMError as error:  # what was found can be no key, or no address
        told |= {"key": error.message, "ready": False}
    if plugin is not None:
        told |= {"distribution": plugin.distribution, "version": plugin.version}
    return told


def _declared(provider: Provider, default: str) -> dict[str, Any]:
    known = {info.name: info for info in catalogue.offered(provider)}
    usual = known.get(default)
    settings = provider.settings_model
    return {
        "name": provider.name,
        "label": provider.label,
        "key": "",
        "ready": False,
        "key_variables": list(provider.key_env),
        "key_optional": provider.key_optional or not provider.key_env,
        "key_url": provider.key_url,
        "default_model": default or None,
        "abilities": {
            name: getattr(usual, name, None) for name in ("reasoning", "vision", "tools")
        },
        "models_known_offline": len(known),
        "model_list": provider.model_list,
        "api_base": addresses.shown(provider.api_base),
        "address_variables": list(provider.base_env),
        "hosts": list(provider.hosts),
        "aliases": dict(provider.aliases),
        "successors": dict(provider.successors),
        "settings": sorted(settings.model_fields) if settings else [],
        "settings_variables": {key: list(names) for key, names in provider.settings_env.items()},
        "requires": dict(provider.requires),
        "known_gaps": [
            {"item": gap.item, "reason": gap.reason, "since": gap.since.isoformat()}
            for gap in provider.known_gaps
        ],
        "distribution": None,
        "version": None,
    }


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The same as text: what is declared, a label each."""
    yield f"{told['name']}: {told['label']}"
    optional = ", optional" if told["key_optional"] and told["key_variables"] else ""
    able = [name for name, is_able in told["abilities"].items() if is_able]
    fields = {
        "key": told["key"],
        "key variables": ", ".join(told["key_variables"]) + optional,
        "get a key at": told["key_url"],
        "default model": told["default_model"],
        "its abilities": ", ".join(able),
        "models": f"{told['models_known_offline']} known offline",
        "live list": told["model_list"] and f"cloudllm models --live -p {told['name']}",
        "address": told["api_base"],
        "address variables": ", ".join(told["address_variables"]),
        "further hosts": ", ".join(told["hosts"]),
        "settings": ", ".join(told["settings"]),
        "settings variables": ", ".join(
            f"{', '.join(names)} ({key})" for key, names in told["settings_variables"].items()
        ),
        "needs": ", ".join(told["requires"].values()),
        "aliases": _pairs(told["aliases"], "="),
        "successors": _pairs(told["successors"], "->"),
        "known gaps": "\n".join(
            f"{gap['item']} (since {gap['since']}): {gap['reason']}" for gap in told["known_gaps"]
        ),
        "comes from": " ".join(filter(None, (told["distribution"], told["version"]))),
    }
    for label, text in fields.items():
        yield from _field(label, text or "")


def _pairs(pairs: Mapping[str, str], sign: str) -> str:
    return "\n".join(f"{left} {sign} {right}" for left, right in pairs.items())


def _field(label: str, text: str) -> Iterator[str]:
    """A label and its text, a line each; nothing where there is no text."""
    for part in text.splitlines():
        lines = textwrap.wrap(part, _WIDTH - _LABEL - 4, break_long_words=False) or [""]
        for line in lines:
            yield f"  {label:{_LABEL}}  {line}"
            label = ""
