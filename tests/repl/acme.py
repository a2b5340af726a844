"""A provider for tests whose model has a price, found by its metadata as pip's are."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

_SOURCE = """
import time
from cloudllm import ModelInfo, Provider, hookimpl

class Acme(Provider):
    def client(self, model, settings):
        time.sleep({seconds})
        return super().client(model, settings)

@hookimpl
def cloudllm_providers():
    info = ModelInfo(
        name="one", context_limit={limit}, output_limit=1000, input_price=10.0, output_price=20.0
    )
    return [Acme(name="acme", label="Acme", litellm_route="openai", api_base={url!r},
                 default_model="one", models=(info,), key_optional=True)]
"""


def write_acme(site: Path, url: str, *, limit: int = 8_000, seconds: float = 0.0) -> None:
    """Install provider `acme` into `site`, a folder for PYTHONPATH; its model is `acme/one`.

    Its client takes `seconds` to be made. An answer of 1,000 tokens costs 2 cents.
    """
    module = f"acme_{uuid4().hex}"  # modules are cached by name
    folder = site / "cloudllm_acme-1.2.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: cloudllm-acme\nVersion: 1.2\n")
    (folder / "entry_points.txt").write_text(f"[cloudllm.providers]\nacme = {module}\n")
    source = _SOURCE.format(url=url, limit=limit, seconds=seconds)
    (site / f"{module}.py").write_text(source)
