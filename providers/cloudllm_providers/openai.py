"""OpenAI, the default provider."""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from cloudllm import Client, ModelInfo, Provider, ProviderSettings, hookimpl


class OpenAISettings(BaseModel):
    """The table `[providers.openai]`: who pays, for a key that belongs to several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organization: str | None = None
    project: str | None = None


class OpenAIProvider(Provider):
    """Sends the organization and the project as OpenAI's own library does."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client."""
        options = settings.options
        given = options if isinstance(options, OpenAISettings) else OpenAISettings()
        headers = {"OpenAI-Organization": given.organization, "OpenAI-Project": given.project}
        sent = {name: value for name, value in headers.items() if value}
        made = super().client(model, settings)
        return replace(made, params={**made.params, "extra_headers": sent}) if sent else made


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """OpenAI under its own name; the other two variables are those of the Rust crate."""
    return [
        OpenAIProvider(
            name="openai",
            label="OpenAI",
            litellm_route="openai",
            api_base="https://api.openai.com/v1",
            key_env=("OPENAI_API_KEY", "OPEN_AI_SECRET", "OPENAI_KEY"),
            base_env=("OPENAI_BASE_URL",),
            key_url="https://platform.openai.com/api-keys",
            key_prefix=("sk-proj-", "sk-svcacct-"),
            default_model="gpt-6-luna",
            models=tuple(
                ModelInfo(name=name) for name in ("gpt-6-luna", "gpt-6.1-sol", "gpt-6-astra")
            ),
            model_list="models",
            successors={
                "gpt-3.5-turbo": "gpt-6-luna",
                "gpt-4": "gpt-6.1-sol",
                "gpt-4-turbo": "gpt-6.1-sol",
                "gpt-4.1-nano": "gpt-6-luna",
                "gpt-4.1-nano-2025-04-14": "gpt-6-luna",
                "gpt-4o-2024-05-13": "gpt-4o",
                "gpt-5-chat-latest": "chat-latest",
                "gpt-5.1-chat-latest": "chat-latest",
                "gpt-5.2-chat-latest": "chat-latest",
                "gpt-5.3-chat-latest": "chat-latest",
                "o1": "gpt-6.1-sol",
                "o3-mini": "gpt-6-luna",
                "o4-mini": "gpt-6-luna",
            },
            settings_model=OpenAISettings,
            settings_env={
                "organization": ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION"),
                "project": ("OPENAI_PROJECT_ID",),
            },
        )
    ]
