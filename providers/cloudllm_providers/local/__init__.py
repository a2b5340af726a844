"""The provider `local`: models that run on this machine, by llama.cpp, without key or network.

`local/smollm2` is a demo model of 135 million parameters, fetched by `cloudllm local pull smollm2`;
`local/PATH.gguf` is any model in a GGUF file.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from cloudllm import (
    Client,
    ConfigurationError,
    KnownGap,
    ModelInfo,
    Provider,
    ProviderSettings,
    hookimpl,
)
from cloudllm_providers.local import engine, weights


class LocalSettings(BaseModel):
    """The table `[providers.local]`.

    `threads` is 1 because a small model gets ten times slower when it fights other programs for
    the last core; `context` is in tokens.
    """

    model_config = ConfigDict(extra="forbid")

    threads: int = Field(default=1, ge=1)
    context: int = Field(default=4096, ge=256)


class LocalProvider(Provider):
    """Finds the model file and runs llama.cpp's server on it; the server speaks OpenAI's format."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Start the model, or reuse it: half a second for smollm2, more for larger ones.

        Raises:
            ConfigurationError: the weights are not installed, or the file is no usable model.
            UnknownModel: the name is neither a model nor a path.
        """
        if settings.api_base:
            raise ConfigurationError(
                "providers.local takes no api_base, it runs the model itself",
                advice='For a server of your own: a table [providers.NAME] with extends = "openai"',
            )
        given = settings.options
        options = given if isinstance(given, LocalSettings) else LocalSettings()
        by_path = _is_path(model)
        path = _expanded(model) if by_path else weights.find(weights.named(model))
        server = engine.server_for(path, context=options.context, threads=options.threads)
        return Client(
            provider=self.name,
            label=self.label if by_path else weights.named(model).label,
            model=model,
            route=self.litellm_route,
            api_base=f"{server.address}/v1",
            api_key=SecretStr(server.key),
            hosts=frozenset({"127.0.0.1"}),
            info=ModelInfo(name=model, context_limit=server.context),
            suggestions=tuple(weights.KNOWN),
            free=True,
        )


def _is_path(model: str) -> bool:
    separators = filter(None, (os.sep, os.altsep))
    return model.lower().endswith(".gguf") or any(mark in model for mark in separators)


def _expanded(model: str) -> Path:
    try:
        return Path(model).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"{model}: there is no such home folder") from error


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Offer the provider `local`."""
    return [
        LocalProvider(
            name="local",
            label="Local model",
            litellm_route="openai",
            offline=True,
            invitation="use the local model: small, offline, 93 MB fetched once",
            free=True,
            default_model="smollm2",
            models=(ModelInfo(name="smollm2", context_limit=4096, reasoning=False),),
            settings_model=LocalSettings,
            requires={"xllamacpp": "cloudllm[local]"},
            client_deadline=600.0,  # a large model is read from a slow disk
            known_gaps=(
                KnownGap(
                    item="client-made",
                    reason="its weights have to be here: cloudllm local pull smollm2",
                    since=date(2026, 11, 22),
                ),
            ),
        )
    ]
