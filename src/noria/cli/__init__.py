"""The command line: one module a command group, none of which imports anything heavy at its top."""

from noria.cli.app import main

__all__ = ["main"]
