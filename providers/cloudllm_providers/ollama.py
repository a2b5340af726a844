"""Ollama on this machine, or where `OLLAMA_HOST` says; it serves the models you pulled."""

from __future__ import annotations

from dataclasses import replace

from cloudllm import Client, Provider, ProviderSettings, hookimpl


class OllamaProvider(Provider):
    """Knows that some models do not run on this machine: the server passes them on."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client; what a model in Ollama's cloud costs is not known here."""
        client = super().client(model, settings)
        return replace(client, free=client.free and not model.endswith(("-cloud", ":cloud")))


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Ollama; alone it means the first model that the running server lists."""
    return [
        OllamaProvider(
            name="ollama",
            label="Ollama",
            litellm_route="ollama_chat",
            api_base="http://127.0.0.1:11434",
            key_env=("OLLAMA_API_KEY",),
            key_optional=True,
            base_env=("OLLAMA_HOST", "OLLAMA_API_BASE"),
            metadata="",
            model_list="v1/models",
            start_hint="ollama serve",
            invitation="use a running Ollama and its models",
            free=True,
        )
    ]
