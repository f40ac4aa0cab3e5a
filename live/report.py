"""What `inventory live` says of its stages."""

from __future__ import annotations

from contextlib import suppress

import click


def report(text: str) -> None:
    """Write a line to stderr. Where nobody can take it, on a full disk or a closed pipe, the stages go on."""
    with suppress(OSError):
        click.echo(text, err=True)
