"""What is known of a client's model without asking anyone: limits, abilities, prices, its end."""

from __future__ import annotations

from dataclasses import replace

from cloudllm.gateway import catalogue
from cloudllm.provider import Client, ModelInfo


def complete(client: Client) -> ModelInfo:
    """The client's own word, and litellm's where it says nothing."""
    info = client.info or ModelInfo(name=client.model)
    known = catalogue.service(client.metadata or "").models.get(info.name)
    if known is None:
        known = catalogue.service(client.route or "").models.get(info.name)
        # At another service the same model may cost something else, and live longer.
        known = known and replace(known, input_price=None, output_price=None, retires=None)
    return catalogue.filled(info, known)


def names(client: Client) -> frozenset[str]:
    """Model names known for this service; none for endpoints that litellm has never heard of."""
    return frozenset(catalogue.service(client.metadata or client.provider).models)
