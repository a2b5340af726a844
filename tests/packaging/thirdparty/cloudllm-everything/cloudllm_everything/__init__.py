"""Every hook and every entry-point group, used by one plugin."""
