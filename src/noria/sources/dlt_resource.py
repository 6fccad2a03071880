"""Any resource or source of dlt as a source: extracted here, with its state kept in the lake beside the rows."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from noria.core import DataError, DeclarationError, NoriaError, TransientError, require, without_secrets
from noria.declarations import Secret
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 10_000
"""The most rows of a batch that dlt gives one by one."""
_REFERENCE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")


def _as_arguments(value: object) -> object:
    """Arguments as pairs: secrets by reference, all else as JSON texts, so that they can be hashed and stored."""
    if not isinstance(value, Mapping):
        return value
    return tuple((name, one if isinstance(one, Secret) else _as_json(name, one)) for name, one in value.items())


def _as_json(name: str, value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError(f"the argument '{name}' is no JSON: numbers, texts, lists and dicts of them") from None


class Dlt(Connector):
    """Reads a resource of dlt, without a pipeline of it: no working folder, no destination, no telemetry.

    It is named, not given, so that it is data like every declaration, and found when it is read.

    Rows are kept as dlt extracts them: nested values become JSON texts, not tables of their own.

    Parameters
    ----------
    url : str
        The reference, ``"module:function"``: a function decorated as dlt's resource or source, or one that gives such,
        or rows. The module is installed, or lies beside the project's file.
    arguments : dict of str to JSON value or Secret
        What it is called with.
    resource : str, optional
        Which resource of a source with several.
    state : bool
        It goes on from where it was, as dlt's own state says, which is committed with the rows: for a resource with
        ``dlt.sources.incremental``, in a source with ``incremental=``. Without it, it is read from its beginning.

    Examples
    --------
    >>> import noria as nr
    >>> issues = nr.Source("issues", nr.dlt(
    ...     "github:issues", owner="dlt-hub", token=nr.secret("GITHUB_TOKEN"), state=True),
    ...     incremental=nr.Incremental(update="merge"), contract=nr.Contract(key="id"))
    >>> issues.origin.increments
    'log'
    """

    url: str = Field(kw_only=False, pattern=_REFERENCE.pattern)
    arguments: Annotated[tuple[tuple[str, str | Secret], ...], BeforeValidator(_as_arguments)] = ()
    resource: str | None = Field(default=None, min_length=1)
    state: bool = False

    @model_validator(mode="after")
    def _arguments_once(self) -> Dlt:
        names = [name for name, _ in self.arguments]
        if len(set(names)) < len(names):
            raise ValueError("an argument is given twice")
        return self

    @property
    def increments(self) -> str:
        return "log" if self.state else ""

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """No digest: only reading tells."""
        self._refuse_in_vain(ask)
        return Fingerprint("", f"dlt {self._place()}")

    def _refuse_in_vain(self, ask: Ask) -> None:
        if self.state and ask.source.incremental is None:
            raise ask.source.refuse("state says nothing of a source that is read whole", field="origin", value=self.url,
                                    mend="incremental=Incremental(), or leave state= out")  # fmt: skip
        if self.state and ask.source.incremental is not None and ask.source.incremental.cursor is not None:
            raise ask.source.refuse(
                "dlt's own cursor tells what is new", field="incremental", value=ask.source.incremental.cursor,
                mend="leave cursor= and lookback= out: dlt.sources.incremental(…, lag=…) has them",
            )  # fmt: skip

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """The rows in bounded batches; the last has dlt's state."""
        self._refuse_in_vain(ask)
        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
        require("dlt", extra="dlt")
        from dlt.common.json import json as dlt_json

        state: dict[str, Any] = dlt_json.typed_loads(since["dlt"]) if self.state and since else {}
        secrets: list[str] = []
        last: Batch | None = None
        for number, frame in enumerate(self._frames(ask, state, secrets), 1):
            if last is not None:
                yield last
            last = Batch(frame, f"dlt {self._place()}, batch {number}", sparse=True, again=since is not None)
        if last is not None:
            yield replace(last, state={"dlt": dlt_json.typed_dumps(state)} if self.state else None)

    def _place(self) -> str:
        return self.url if self.resource is None else f"{self.url}, {self.resource}"

    def _frames(self, ask: Ask, state: dict[str, Any], secrets: list[str]) -> Iterator[pl.DataFrame]:
        from noria.sources.dlt_rows import frames

        with _faults(self._place(), secrets):
            yield from frames(self._opened(ask, state, secrets), MOST_ROWS)

    def _opened(self, ask: Ask, state: dict[str, Any], secrets: list[str]) -> Iterator[Any]:
        """The items that dlt extracts; the state is changed while they are."""
        from dlt.common.configuration.container import Container
        from dlt.common.pipeline import StateInjectableContext

        function = self._function(ask)
        arguments: dict[str, Any] = {}
        for name, value in self.arguments:
            if isinstance(value, Secret):
                arguments[name] = ask.reveal(value)
                secrets.append(arguments[name])
            else:
                arguments[name] = json.loads(value)
        with Container().injectable_context(StateInjectableContext(state=state)):
            return iter(self._chosen(function(**arguments) if callable(function) else function))

    def _function(self, ask: Ask) -> Callable[..., Any]:
        module, _, name = self.url.partition(":")
        folder = str(ask.base)
        added = folder not in sys.path
        if added:
            sys.path.insert(0, folder)
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ModuleNotFoundError, AttributeError) as error:
            if isinstance(error, ModuleNotFoundError) and error.name not in (module, module.partition(".")[0]):
                raise  # it is there, but what it needs is not
            raise DeclarationError(
                "there is no such function", place=self.written_at or None, value=self.url,
                mend="module:function; the module is installed, or lies beside the project's file",
            ) from None  # fmt: skip
        finally:
            if added:
                sys.path.remove(folder)
        return found  # type: ignore[no-any-return]

    def _chosen(self, made: Any) -> Any:
        """The one resource that is meant."""
        from dlt.extract.resource import DltResource
        from dlt.extract.source import DltSource

        if isinstance(made, DltSource):
            names = list(made.selected_resources)
            if self.resource is None and len(names) > 1:
                raise self.refuse("this dlt source has several resources", field="resource", value=", ".join(names),
                                  mend="name one of them: resource=…")  # fmt: skip
            if self.resource is not None and self.resource not in made.resources:
                raise self.refuse("this dlt source has no such resource", field="resource", value=self.resource,
                                  mend="one of " + ", ".join(made.resources))  # fmt: skip
            return made if self.resource is None else made.with_resources(self.resource)
        if self.resource is not None:
            raise self.refuse("only a dlt source has several resources", field="resource", value=self.resource,
                              mend="leave resource= out")  # fmt: skip
        if isinstance(made, DltResource):
            return made
        if isinstance(made, str | bytes | Mapping) or not hasattr(made, "__iter__"):
            raise DataError("this gives no rows", place=self.url, value=type(made).__name__,
                            mend="a dlt resource or source, or rows")  # fmt: skip
        return made


@contextmanager
def _faults(place: str, secrets: list[str]) -> Iterator[None]:
    """Errors of a resource as ours: what may pass by type, and without the secrets that it was given."""
    try:
        yield
    except NoriaError:
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None and "dlt" in type(cause).__module__:
            cause = cause.__cause__
        text = str(cause)
        for value in sorted(secrets, key=len, reverse=True):
            text = text.replace(value, "***")
        text = f"{type(cause).__name__}: {without_secrets(text)[:300]}"
        if _passes(cause):
            raise TransientError("the dlt resource cannot be read now", place=place, value=text) from None
        raise DataError("the dlt resource cannot be read", place=place, value=text) from None


def _passes(error: BaseException) -> bool:
    """Whether an error may pass: connections, timeouts, and servers that are busy or fail."""
    import requests

    if isinstance(error, requests.HTTPError):
        status = 0 if error.response is None else error.response.status_code
        return status in (408, 425, 429) or status >= 500
    return isinstance(error, ConnectionError | TimeoutError | requests.ConnectionError | requests.Timeout)


def dlt(reference: str, *, resource: str | None = None, state: bool = False, **arguments: Any) -> Dlt:
    """Rows from a resource or source of dlt; see `noria.sources.Dlt`."""
    return Dlt(reference, arguments=arguments, resource=resource, state=state)
