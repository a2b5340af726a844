"""Google's Vertex AI, with the credentials of `gcloud auth application-default login`."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from pydantic import BaseModel, ConfigDict

from cloudllm import (
    Client,
    ConfigurationError,
    KnownGap,
    ModelInfo,
    Provider,
    ProviderSettings,
    hookimpl,
)


class VertexSettings(BaseModel):
    """The table `[providers.vertex]`; without a project the credentials' own is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: str | None = None
    location: str = "global"

    @property
    def host(self) -> str:
        """Where that location answers."""
        if self.location == "global":
            return "aiplatform.googleapis.com"
        if "-" not in self.location:  # a whole continent: us, eu
            return f"aiplatform.{self.location}.rep.googleapis.com"
        return f"{self.location}-aiplatform.googleapis.com"


class VertexProvider(Provider):
    """Each location has a host of its own; google-auth finds the credentials and renews them."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client; raises `ConfigurationError` for what can be no location."""
        options = settings.options
        given = options if isinstance(options, VertexSettings) else VertexSettings()
        # It names the host, to which the token goes.
        if not re.fullmatch(r"[a-z0-9-]+", given.location):
            raise ConfigurationError(
                f"{self.name} has no location {given.location!r}",
                advice="Set GOOGLE_CLOUD_LOCATION, for example to global or europe-west1",
            )
        base = settings.api_base or f"https://{given.host}"
        made = super().client(model, replace(settings, api_base=base))
        params = {**made.params, "vertex_location": given.location}
        if given.project:
            params["vertex_project"] = given.project
        return replace(made, params=params)


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Vertex AI; the variables are those of Google's own library and of litellm."""
    return [
        VertexProvider(
            name="vertex",
            label="Google Vertex AI",
            litellm_route="vertex_ai",
            own_credentials=True,
            key_url="https://cloud.google.com/docs/authentication/application-default-credentials",
            default_model="gemini-3.8-flash",
            models=tuple(
                ModelInfo(name=name)
                for name in ("gemini-3.8-flash", "gemini-4-argon", "gemini-3.5-flash-lite")
            ),
            metadata="vertex_ai",
            successors={
                "gemini-2.0-flash": "gemini-3.8-flash",
                "gemini-2.0-flash-lite": "gemini-3.5-flash-lite",
                "gemini-2.5-flash": "gemini-3.8-flash",
                "gemini-2.5-flash-lite": "gemini-3.5-flash-lite",
                "gemini-2.5-pro": "gemini-4-argon",
                "gemini-3.6-flash": "gemini-3.8-flash",
            },
            settings_model=VertexSettings,
            settings_env={
                "project": ("GOOGLE_CLOUD_PROJECT", "VERTEXAI_PROJECT"),
                "location": ("GOOGLE_CLOUD_LOCATION", "VERTEXAI_LOCATION"),
            },
            requires={"google.auth": "cloudllm[vertex]", "requests": "cloudllm[vertex]"},
            known_gaps=(
                KnownGap(
                    item="parameters",
                    reason="litellm sends the temperature 1.0, Google's own default, if none is set",
                    since=date(2026, 11, 22),
                ),
            ),
        )
    ]
