"""The interactive chat: the only package that imports prompt_toolkit."""
