"""Amazon Bedrock, with a Bedrock key or with whatever credentials AWS's own tools would use."""

from __future__ import annotations

import re
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from cloudllm import (
    Client,
    ConfigurationError,
    ModelInfo,
    Provider,
    ProviderSettings,
    hookimpl,
)

_OLD = "anthropic.claude-sonnet-4-20250514-v1:0"


class BedrockSettings(BaseModel):
    """The table `[providers.bedrock]`; `profile` is one of AWS's configuration files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str = ""
    profile: str | None = None


class BedrockProvider(Provider):
    """Each region has a host of its own; without a key AWS's chain of credentials is asked."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client; raises `ConfigurationError` without a region."""
        options = settings.options
        given = options if isinstance(options, BedrockSettings) else BedrockSettings()
        # It names the host, to which the key goes.
        if not re.fullmatch(r"[a-z0-9-]+", given.region):
            raise ConfigurationError(
                f"{self.name} needs a region, not {given.region!r}",
                advice="Set AWS_REGION, for example to us-east-1",
            )
        china = ".cn" if given.region.startswith("cn-") else ""
        base = f"https://bedrock-runtime.{given.region}.amazonaws.com{china}"
        made = super().client(model, replace(settings, api_base=settings.api_base or base))
        params = {**made.params, "aws_region_name": given.region}
        if settings.api_key is None and given.profile:
            params["aws_profile_name"] = given.profile
        return replace(made, params=params)


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Amazon Bedrock; the variables are those of AWS's own tools."""
    return [
        BedrockProvider(
            name="bedrock",
            label="Amazon Bedrock",
            litellm_route="bedrock/converse",
            key_env=("AWS_BEARER_TOKEN_BEDROCK",),
            key_optional=True,
            own_credentials=True,
            base_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
            key_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
            key_prefix=("ABSK",),
            default_model="global.anthropic.claude-sonnet-5-5",
            models=tuple(
                ModelInfo(name=name)
                for name in (
                    "global.anthropic.claude-sonnet-5-5",
                    "global.anthropic.claude-haiku-5-5",
                    "global.amazon.nova-2-lite-v1:0",
                )
            ),
            metadata="bedrock_converse",
            successors={
                f"{where}{_OLD}": f"{where}anthropic.claude-sonnet-5-5"
                for where in ("", "us.", "eu.", "apac.", "global.")
            },
            settings_model=BedrockSettings,
            settings_env={
                "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
                "profile": ("AWS_PROFILE",),
            },
        )
    ]
