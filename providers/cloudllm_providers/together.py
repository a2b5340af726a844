"""Together AI, open models in OpenAI's format."""

from __future__ import annotations

from cloudllm import ModelInfo, Provider, hookimpl


@hookimpl
def cloudllm_providers() -> list[Provider]:
    """Together AI; the second variable is that of its first library."""
    return [
        Provider(
            name="together",
            label="Together AI",
            litellm_route="together_ai",
            api_base="https://api.together.xyz/v1",
            key_env=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
            base_env=("TOGETHER_API_BASE",),
            key_url="https://api.together.ai/settings/api-keys",
            key_prefix=("tgp_",),
            default_model="openai/gpt-oss-120b",
            models=tuple(
                ModelInfo(name=name)
                for name in ("openai/gpt-oss-120b", "moonshotai/Kimi-K3", "zai-org/GLM-5.3")
            ),
            metadata="together_ai",
            model_list="models",
            successors={
                "meta-llama/Llama-3.3-70B-Instruct-Turbo": "openai/gpt-oss-120b",
                "openai/gpt-oss-20b": "openai/gpt-oss-120b",
                "moonshotai/Kimi-K2.6": "moonshotai/Kimi-K3",
                "moonshotai/Kimi-K2.7-Code": "moonshotai/Kimi-K3",
                "zai-org/GLM-5": "zai-org/GLM-5.3",
                "zai-org/GLM-5.1": "zai-org/GLM-5.3",
                "deepseek-ai/DeepSeek-V3.1": "deepseek-ai/DeepSeek-V4.1-Flash",
                "deepseek-ai/DeepSeek-V4-Flash-0731": "deepseek-ai/DeepSeek-V4.1-Flash",
            },
        )
    ]
