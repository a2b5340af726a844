"""Bundled plugins that are not providers; each is an entry point, like any third party's."""
