"""Files of installed distributions: ``package://DISTRIBUTION/path``, found without importing it."""

from __future__ import annotations

import difflib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from noria.core import DataError, DeclarationError
from noria.declarations import Source
from noria.sources.transports.local import Local


class Package(Local):
    """Lists and opens a file of an installed distribution."""


def file_in(source: Source, url: str) -> Path:
    """The file that a ``package`` URL means."""
    name, _, inside = url.removeprefix("package://").partition("/")
    try:
        package = distribution(name)
    except (PackageNotFoundError, ValueError):
        raise DeclarationError(
            f"source '{source.name}': the package '{name}' is not installed",
            place=source.written_at or None,
            mend=f"pip install {name}",
        ) from None
    known = {str(file): file for file in package.files or ()}
    for path in (inside, f"{name}/{inside}"):
        if path in known and ".." not in Path(path).parts:
            return Path(str(package.locate_file(known[path])))
    near = difflib.get_close_matches(inside, [path.removeprefix(f"{name}/") for path in known], n=1)
    raise DataError(
        f"source '{source.name}': the package '{name}' has no such file",
        place=source.written_at or None,
        value=inside,
        mend=f"did you mean '{near[0]}'?" if near else None,
    )
