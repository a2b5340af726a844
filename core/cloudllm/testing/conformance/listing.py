"""The live list of models, where a provider declares one."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from cloudllm import live
from cloudllm.endpoints import changed
from cloudllm.errors import CloudLLMError
from cloudllm.provider import ModelInfo, Provider
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.given import CANARY
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.places import moved

_MODELS = ["kit-small", "Kit/Large:free"]


@check("live-list", "the list of models is asked for with the key, at the provider's own address")
async def live_list(bench: Bench) -> str:
    """`cloudllm models --live`."""
    provider = bench.provider
    own = type(provider).list_models is not Provider.list_models
    if provider.model_list is None and not own:
        raise NotApplicable("it declares none")
    bench.made()
    if provider.model_list is not None and "://" in provider.model_list:
        whole = moved(provider.model_list, bench.server.address).replace("https:", "http:")
        provider = changed_list(provider, whole)
    bench.forget()
    for models in (_MODELS, _MODELS[:1]):  # a second time, when there are fewer
        bench.server.models = list(models)
        try:
            found = await asyncio.to_thread(_listed, bench, provider)
        except CloudLLMError as error:
            raise Failed(f"the list could not be had: {error}") from None
        names = [info.name for info in found]
        if names != models:
            raise Failed(
                f"the service lists {', '.join(models)}, came {', '.join(names) or 'nothing'}"
            )
    _look_at_requests(bench)
    return f"GET {bench.server.listings[-1].path}"


def changed_list(provider: Provider, url: str) -> Provider:
    """The provider with its list at another address."""
    return changed(provider, model_list=url)


def _listed(bench: Bench, provider: Provider) -> list[ModelInfo]:
    fetch = live.Fetcher(provider.label, {"127.0.0.1"})
    return list(live.checked(provider.label, provider.list_models(bench.settings(), fetch)).models)


def _look_at_requests(bench: Bench) -> None:
    if not bench.server.listings:
        raise Failed("the list was made without asking the service")
    for request in bench.server.listings:
        if bench.provider.key_env and request.key not in (bench.key, None):
            raise Failed("the list was asked for with another key than the provider's")
        if CANARY in f"{dict(request.headers)}{request.query}":
            raise Failed("the list was asked for with the key of another provider")
        if bench.key in request.query or urlsplit(request.path).query:
            raise Failed("the key stands in the address of the list; use a header")


CHECKS = (live_list,)
