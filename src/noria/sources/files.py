"""Files as a source: what a path, a glob or a URL means, of every format, from here or from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from noria.declarations import Names, Secret, SignIn, Source, as_pairs
from noria.sources.ahead import ahead
from noria.sources.connector import Ask, Batch, Connector, Fingerprint, State
from noria.sources.content import LET_GO, broken_as_data_error, format_of, size_text, unpacked
from noria.sources.formats import FORMATS, Given, Options, known_format
from noria.sources.transports import Listed, Transport, transport

_LARGE = 8 << 20
"""Bytes of a file that is read ahead: below, a thread is not worth its while."""


class Files(Connector):
    """Files, with what their names do not say. It is made by `noria.files`, which documents it.

    Parameters
    ----------
    url : str
        A path, a glob or a URL.
    format, compression, separator, quote, encoding, header, skip, sheet, sign_in, store, hosts : optional
        See `noria.files`.

    Examples
    --------
    >>> Files("data/*.csv", separator=";").separator
    ';'
    """

    format: (
        Literal["csv", "tsv", "jsonl", "ndjson", "parquet", "arrow", "feather", "avro", "xlsx", "xls", "ods"] | None
    ) = None
    compression: Literal["gz", "zip", "zst", "none"] | None = None
    separator: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str | None = Field(default=None, max_length=1)
    encoding: str | None = None
    header: bool | Names | None = None
    skip: int | None = Field(default=None, ge=0)
    sheet: int | str | None = None
    sign_in: SerializeAsAny[SignIn] | None = None
    store: Annotated[tuple[tuple[str, str | Secret], ...], BeforeValidator(as_pairs)] = ()
    hosts: Names = ()

    @field_validator("separator", "quote")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value and (not value.isascii() or value in "\r\n\0"):
            raise ValueError("one ASCII character that is no line end")
        return value

    @property
    def increments(self) -> str:
        return "files"

    def fingerprint(self, ask: Ask) -> Fingerprint:
        """A digest of the listing, in the order of names.

        Of this machine's files it is their formats and bytes that count, not their names and times; of others their
        names, sizes, and entity tags or times. With a cache only files here that changed since are read.
        """
        ways = transport(ask, self)
        try:
            files = ways.listed(marks=True)
        finally:
            ways.close()
        digest = hashlib.blake2b(digest_size=16)
        for file in files:
            kind, packed = self._format(ask.source, file)
            about = file.mark if ways.by_content else f"|{file.name}|{file.size}|{file.mark}|"
            digest.update(f"{(kind, packed)}{about}".encode(errors="surrogateescape"))
        sizes = sum(max(file.size, 0) for file in files)
        reads = f"{len(files)} file{'s' if len(files) > 1 else ''}, {size_text(sizes)}"
        return Fingerprint(digest.hexdigest() if all(file.mark for file in files) else "", reads)

    def batches(self, ask: Ask, since: State | None = None) -> Iterator[Batch]:
        """The rows of each file, in order; with `since`, of those that are new or were written anew.

        The state is each file's size, mark and number of rows. A file that is gone keeps its place in it: if it comes
        back as it was, its rows are there already.
        """
        incremental = ask.source.incremental is not None
        ways = transport(ask, self)
        try:
            known: dict[str, Any] = dict((since or {}).get("files", {}))
            for file in ways.listed(marks=incremental):
                about = [file.size, file.mark]
                if file.name in known and file.mark and known[file.name] == about:
                    continue
                again = file.name in known
                known[file.name] = about
                state = {"files": dict(known)} if incremental else None
                yield from self._batches_of(ask, ways, file, state, again)
        finally:
            ways.close()

    def _batches_of(self, ask: Ask, ways: Transport, file: Listed, state: State | None, again: bool) -> Iterator[Batch]:
        """All batches of a file; the last one bears the state, for one can only stop between files."""
        kind, packed = self._format(ask.source, file)
        before: Batch | None = None
        first = 1
        with ways.opened(file) as stream, broken_as_data_error(ask.source, file.place):
            size = stream.seek(0, 2)
            stream.seek(0)
            if not kind:
                with unpacked(ask.source, file.place, stream, size, packed) as (_, inner):
                    kind = known_format(ask.source, file.place, format_of(inner)[0])
                stream.seek(0)
                self._refuse_options(ask.source, file, kind)
            reader = FORMATS[kind]
            options = Options(self.separator, self.quote, self.encoding, self.sheet, self.header, self.skip)
            given = Given(ask.source, file.place, kind, packed, stream, size, options)
            frames = (
                ahead(lambda say: reader.frames(given), ask.say, wait=LET_GO) if size > _LARGE else reader.frames(given)
            )
            for frame in frames:
                if before is not None and len(before.frame):
                    yield before
                before = Batch(frame, file.place, first, untyped=reader.untyped, sparse=reader.sparse, again=again)
                first += len(frame)
        # Only now is it sure that the file did not change meanwhile.
        if before is not None:
            yield replace(before, state=state)

    def _format(self, source: Source, file: Listed) -> tuple[str, str]:
        """Format and packing of a file; a format of "" stands in its archive. What it has no options for is refused."""
        kind, packed = format_of(file.name.removesuffix("?***"))
        if self.compression is not None:
            packed = "" if self.compression == "none" else f".{self.compression}"
        kind = f".{self.format}" if self.format else kind
        if kind == "" and packed == ".zip":
            return "", packed
        known_format(source, file.place, kind)
        self._refuse_options(source, file, kind)
        return kind, packed

    def _refuse_options(self, source: Source, file: Listed, kind: str) -> None:
        given: Mapping[str, object] = {
            "separator": self.separator, "quote": self.quote, "encoding": self.encoding, "sheet": self.sheet,
            "header": self.header, "skip": self.skip, "null_values": source.null_values or None,
        }  # fmt: skip
        for name, value in given.items():
            if value is None or name in FORMATS[kind].options:
                continue
            if name == "null_values":
                raise source.refuse(
                    "null values can only be named for texts without types",
                    field="null_values",
                    value=f"{', '.join(source.null_values)} in {file.name}",
                    mend="leave null_values out: this format says itself what is null",
                )
            raise source.refuse(f"{kind} has no such thing", field=name, value=f"{value} for {file.name}",
                                mend=f"leave {name} out, or say format=…")  # fmt: skip

    def files(self, source: Source, base: Path) -> list[Path]:
        """The files of this machine that the URL means; a kind of one's own finds them its own way, by any scheme."""
        from noria.sources.transports.local import files_at
        from noria.sources.transports.package import file_in

        if self.url.startswith("package://"):
            return [file_in(source, self.url)]
        return files_at(source.written_at or None, source.name, self.url, base)


def files(
    url: str,
    *,
    format: str | None = None,
    compression: str | None = None,
    separator: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    header: bool | list[str] | None = None,
    skip: int | None = None,
    sheet: int | str | None = None,
    sign_in: SignIn | None = None,
    store: Mapping[str, str | Secret] | None = None,
    hosts: str | list[str] = (),  # type: ignore[assignment]
) -> Files:
    """Files as the origin of a source, where the URL alone does not say enough.

    What a format or a transport has no such thing for is refused, never passed over.

    Parameters
    ----------
    url : str
        A path, relative to the project's folder, or a URL: ``file``, ``package``, ``https``, ``s3``, ``gs``, ``az``,
        ``sftp``, ``hdfs``. ``*``, ``?``, ``[…]`` and ``**`` match many files, but not over HTTP, which lists nothing.
    format : str, optional
        ``"csv"``, ``"tsv"``, ``"jsonl"``, ``"parquet"``, ``"arrow"``, ``"avro"``, ``"xlsx"``, …, where the name does
        not say.
    compression : str, optional
        ``"gz"``, ``"zip"``, ``"zst"`` or ``"none"``, where the name does not say.
    separator, quote : str, optional
        What stands between and around the fields of a CSV; ``quote=""``: quotes mean nothing.
    encoding : str, optional
        What a text is written in, such as ``"latin-1"``; UTF-8 otherwise.
    header : bool or list of str, optional
        Whether the first row names the columns of a CSV or a sheet; the names, where it does not. With False they are
        ``column_1``, ``column_2``, ….
    skip : int, optional
        How many lines stand before the header.
    sheet : int or str, optional
        Which sheet of a workbook, by name or number from 1; needed where there are several.
    sign_in : SignIn, optional
        How the server knows who asks, such as `noria.ssh`.
    store : dict of str to str or Secret, optional
        Settings of an object store: ``endpoint``, ``region``, ``access_key_id``, ``secret_access_key``,
        ``skip_signature``, …. What is not given comes from the environment.
    hosts : str or list of str, optional
        Other hosts that a web server may redirect to; they never see the sign-in.

    Examples
    --------
    >>> import noria as nr
    >>> orders = nr.Source("orders", nr.files("orders/*.txt", format="csv", separator=";", encoding="latin-1"))
    >>> orders.origin.separator
    ';'
    """
    return Files(
        url, format=format, compression=compression, separator=separator, quote=quote, encoding=encoding, header=header,
        skip=skip, sheet=sheet, sign_in=sign_in, store=store or (), hosts=hosts,
    )  # fmt: skip
