"""What is known of a client's model without asking anyone: limits, abilities, prices, its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudllm.gateway import catalogue
from cloudllm.provider import Client, ModelInfo

_OF_THE_SERVICE: Mapping[str, Any] = dict.fromkeys(
    (
        "input_price", "output_price", "cached_price", "stored_price", "long_prices", "retires",
    )
)  # fmt: skip


def complete(client: Client) -> ModelInfo:
    """The client's own word, and litellm's where it says nothing."""
    info = client.info or ModelInfo(name=client.model)
    known = catalogue.service(client.metadata or "").models.get(info.name)
    if known is None:
        known = catalogue.service(client.route or "").models.get(info.name)
        # At another service the same model may cost something else, and live longer.
        known = known and replace(known, **_OF_THE_SERVICE)
    filled = catalogue.filled(info, known)
    if client.route == "deepseek" and not (client.api_base or "/beta").rstrip("/").endswith(
        "/beta"
    ):
        return replace(filled, prefill=False)  # only its beta goes on with an answer that was begun
    return filled


def names(client: Client) -> frozenset[str]:
    """Model names known for this service; none for endpoints that litellm has never heard of."""
    return frozenset(catalogue.service(client.metadata or client.provider).models)
