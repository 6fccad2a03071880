"""Optional libraries: imported where they are used, with an error that says what to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from noria.core.errors import MissingExtra


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional library.

    Parameters
    ----------
    module : str
        The module to import.
    extra : str
        The extra of ``noria`` that installs it.

    Raises
    ------
    MissingExtra
        It is not installed; the mend is the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the library is there, but something that it needs is not
        raise MissingExtra(
            f"the library '{module}' is not installed", mend=f"install Noria's extra: pip install -e '.[{extra}]'"
        ) from error
