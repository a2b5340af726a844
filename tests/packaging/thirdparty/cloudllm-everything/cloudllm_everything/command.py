"""A command of the entry-point group `cloudllm.cli`."""

import click


@click.command()
@click.argument("word")
def everything(word):
    """Say the word."""
    click.echo(f"everything says {word}")
