"""Settings: read from flags, environment and `config.toml`; every value knows its origin."""

from cloudllm.settings.edit import set_value
from cloudllm.settings.envfile import read_env_file
from cloudllm.settings.model import Settings

__all__ = ("Settings", "read_env_file", "set_value")
