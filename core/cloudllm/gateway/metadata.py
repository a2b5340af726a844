"""What litellm knows of models without asking anyone: limits, abilities, names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudllm.gateway.load import Engine
from cloudllm.provider import Client, ModelInfo


def complete(engine: Engine, client: Client) -> ModelInfo:
    """The client's own word, and litellm's where it says nothing."""
    info = client.info or ModelInfo(name=client.model)
    entry = _entry(engine, client)
    return replace(
        info,
        context_limit=_first(info.context_limit, entry.get("max_input_tokens")),
        output_limit=_first(info.output_limit, entry.get("max_output_tokens")),
        reasoning=info.reasoning if info.reasoning is not None else entry.get("supports_reasoning"),
    )


def names(engine: Engine, client: Client) -> frozenset[str]:
    """Model names known for this provider; none for endpoints that litellm has never heard of."""
    known = engine.litellm.models_by_provider.get(client.provider, ())
    return frozenset(name.removeprefix(f"{client.route}/") for name in known)


def _entry(engine: Engine, client: Client) -> Mapping[str, Any]:
    """The map's entry; read directly, since litellm's own look-up asks some local servers."""
    if client.route is None:
        return {}
    prefixed = engine.litellm.model_cost.get(f"{client.route}/{client.model}")
    plain = engine.litellm.model_cost.get(client.model, {})
    return prefixed or (plain if plain.get("litellm_provider") == client.route else {})


def _first(own: int | None, known: object) -> int | None:
    return own if own is not None or not isinstance(known, int) else known
