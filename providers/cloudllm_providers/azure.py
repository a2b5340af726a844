"""Azure OpenAI: OpenAI's models in a resource of one's own, each under the name it is deployed by."""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from cloudllm import (
    Client,
    ConfigurationError,
    ModelInfo,
    Provider,
    ProviderSettings,
    hookimpl,
)


class AzureSettings(BaseModel):
    """The table `[providers.azure]`; `deployments` names those that are not called as their model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_version: str = "2025-04-01-preview"
    deployments: dict[str, str] = Field(default_factory=dict)


class AzureProvider(Provider):
    """Finds the deployment of a model; the address is the user's."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client; raises `ConfigurationError` if nobody said where the resource is."""
        if not settings.api_base:
            raise ConfigurationError(
                f"{self.name} needs the address of your resource",
                advice="Set AZURE_OPENAI_ENDPOINT to https://NAME.openai.azure.com",
            )
        options = settings.options
        given = options if isinstance(options, AzureSettings) else AzureSettings()
        made = super().client(model, settings)
        made = replace(
            made,
            model=given.deployments.get(model, model),
            info=made.info or ModelInfo(name=model),
        )
        # Azure's newer address is spoken to in OpenAI's own format.
        if settings.api_base.rstrip("/").endswith("/openai/v1"):
            return replace(made, route="openai")
        return replace(made, params={**made.params, "api_version": given.api_version})


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Azure OpenAI; the first variables are those of Microsoft's library, the others litellm's."""
    return [
        AzureProvider(
            name="azure",
            label="Azure OpenAI",
            litellm_route="azure",
            key_env=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
            base_env=("AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"),
            key_url="https://ai.azure.com",
            default_model="gpt-6-luna",
            models=tuple(
                ModelInfo(name=name) for name in ("gpt-6-luna", "gpt-6.1-sol", "gpt-6-astra")
            ),
            successors={
                "o1": "gpt-6.1-sol",
                "o3": "gpt-6.1-sol",
                "o3-mini": "gpt-6-luna",
                "o4-mini": "gpt-6-luna",
            },
            settings_model=AzureSettings,
            settings_env={"api_version": ("AZURE_API_VERSION", "OPENAI_API_VERSION")},
        )
    ]
