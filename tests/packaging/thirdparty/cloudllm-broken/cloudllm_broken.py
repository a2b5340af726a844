"""A provider plugin that fails as soon as it is imported."""

raise RuntimeError("the broken plugin was imported")
