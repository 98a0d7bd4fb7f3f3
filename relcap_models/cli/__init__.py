"""The command `relcap`: what each command calls and prints, and what is said where something is wrong."""

from relcap_models.cli.commands import main

__all__ = ["main"]
