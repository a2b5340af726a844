"""Providers that are wrong in what they declare, or in the clients they make."""

from __future__ import annotations

import os
import urllib.request
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings

from cloudllm import Client, Fetch, KnownGap, ModelInfo, Provider, ProviderSettings
from tests.core.testing.mutants import MUTANTS, client, declares, parrot


class Needy(BaseModel):
    """Nobody can do without a value."""

    region: str


class Nosy(BaseSettings):
    """Reads the environment by itself."""

    region: str = ""


class Greedy(BaseModel):
    """Has a setting that all providers have."""

    api_key: str = ""


MUTANTS |= {
    "name with a blank": parrot("declares-name", name="the parrot"),
    "label of two lines": parrot("declares-name", label="Pretty\nPolly"),
    "address without encryption": declares("declares-hosts", api_base="http://acme.example/v1"),
    "host with a scheme": parrot("declares-hosts", hosts=("https://acme.example",)),
    "host with a wildcard": parrot("declares-hosts", hosts=("*.acme.example",)),
    "variable with a blank": parrot("declares-keys", key_env=("ACME KEY",), key_optional=True),
    "key of another provider": parrot(
        "declares-keys", key_env=("OPENAI_API_KEY",), key_optional=True
    ),
    "no place to get a key": declares("declares-keys", key_url=None),
    "model with a blank": parrot("declares-models", models=(ModelInfo(name="grey one"),)),
    "model there twice": parrot("declares-models", models=(ModelInfo(name="a"),) * 2),
    "negative limit": parrot("declares-models", models=(ModelInfo(name="a", context_limit=-1),)),
    "successor retired": parrot("declares-models", successors={"a": "b", "b": "c"}),
    "setting without default": parrot("declares-settings", settings_model=Needy),
    "settings from the environment": parrot("declares-settings", settings_model=Nosy),
    "setting of all": parrot("declares-settings", settings_model=Greedy),
    "key in a parameter": parrot(
        "declares-no-secrets", params={"extra_headers": {"Authorization": "Bearer sk-0123456789"}}
    ),
    "gap without item": parrot(
        "declares-gaps", known_gaps=(KnownGap(item="nothing", reason="x", since=date(2026, 1, 1)),)
    ),
    "retries by parameter": declares("declares-params", params={"num_retries": 2}),
    "stop by parameter": parrot("declares-params", params={"stop": ["."]}),
    "no stream by parameter": parrot("declares-params", params={"stream": False}),
    "no such list": declares("live-list", model_list="v2/list-of-models"),
    "answered by litellm itself": declares(
        "declares-params", "honours-api-base", params={"mock_response": "hi"}
    ),
    "no road": declares("client-made", litellm_route=None),
    "unknown road": declares("answers", litellm_route="nonsense"),
}


@client("honours-api-base")
class OwnAddress(Provider):
    """Knows better where to go."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        return super().client(model, replace(settings, api_base=self.api_base))


@client("honours-key")
class OwnKey(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return super().client(model, replace(settings, api_key=SecretStr("sk-of-the-author")))


@client("client-environment")
class KeyFromEnvironment(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        key = settings.api_key or SecretStr(os.environ.get("ACME_API_KEY", ""))
        return super().client(model, replace(settings, api_key=key))


@client("client-environment")
class RegionFromEnvironment(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        made = super().client(model, settings)
        region = os.getenv("ACME_REGION")
        return replace(made, params={"user": region}) if region else made


@client("honours-model")
class LowerCase(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return super().client(model.lower(), settings)


@client("client-made")
class AnotherName(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), provider="openai")


@client("client-made")
class NoClient(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return None  # type: ignore[return-value]


@client("client-made")
class Raises(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        raise ValueError("no")


@client("client-offline")
class AsksForModels(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        with urllib.request.urlopen(f"{settings.api_base}/models") as answer:
            answer.read()
        return super().client(model, settings)


@client("live-list")
class ListsFromMemory(Provider):
    def list_models(self, settings: ProviderSettings, fetch: Fetch) -> list[ModelInfo]:
        return [ModelInfo(name="kit-small"), ModelInfo(name="Kit/Large:free")]


@client("live-list")
class ListsWithKeyInAddress(Provider):
    def list_models(self, settings: ProviderSettings, fetch: Fetch) -> list[ModelInfo]:
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        listed: Any = fetch(f"{settings.api_base}/models?key={key}", {})
        return [ModelInfo(name=entry["id"]) for entry in listed["data"]]


@client("client-offline")
class CallsHome(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        with suppress(OSError):
            urllib.request.urlopen("http://telemetry.acme.example", timeout=1)
        return super().client(model, settings)


@client("client-repeatable")
class Caches(Provider):
    @cache  # noqa: B019
    def _made(self, model: str) -> Client:
        return super().client(model, self._settings)

    _settings: ClassVar[ProviderSettings]

    def client(self, model: str, settings: ProviderSettings) -> Client:
        type(self)._settings = settings
        return self._made(model)

    def __hash__(self) -> int:
        return 1


@client("client-repeatable")
class ChangesItself(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        object.__setattr__(self, "models", (*self.models, ModelInfo(name=f"m{len(self.models)}")))
        return super().client(model, settings)


@client("missing-key")
class NeedsItsKey(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        key = settings.api_key.get_secret_value()  # type: ignore[union-attr]
        return super().client(model, replace(settings, api_key=SecretStr(key)))


@client("hosts-declared")
class NoHosts(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), hosts=frozenset())


@client("hosts-declared")
class MoreHosts(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        made = super().client(model, settings)
        return replace(made, hosts=made.hosts | {"telemetry.example"})


@client("parameters")
class OwnTemperature(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), params={"temperature": 0.9})


@client("parameters")
class ShortAnswers(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), params={"max_tokens": 5})


@client("parameters")
class StopsEarly(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), params={"stop": ["\n\n"]})


@client("client-repeatable")
class SetsAVariable(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        os.environ["ACME_PROXY"] = "http://proxy.example"
        return super().client(model, settings)


@client("key-never-shown")
class KeyInLabel(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        made = super().client(model, settings)
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        return replace(made, label=f"Acme ({key})")


@client("key-never-shown")
class KeyInParams(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        made = super().client(model, settings)
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        return replace(made, params={"extra_headers": {"X-Acme": key}})


@client("no-output")
class PrintsInClient(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        print("making a client")
        return super().client(model, settings)
