"""The Open Inference Protocol's request and answer (version 2, JSON): features as named tensors or as two matrices."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from noria.serving.answer import Refusal
from noria.serving.fleet import Loaded

MOST_ROWS = 1000
_LONGEST_ID = 128
_NUMBERS = frozenset(("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))
_NESTED = re.compile(rb"\s*\[\s*\[")
_MATRICES = frozenset(("numbers", "categories"))


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """One input; `data` is flat in row order, or nested."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw
    parameters: dict[str, Any] | None = None


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class Inference(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[Wanted] | None = None
    parameters: dict[str, Any] | None = None


class Probability(msgspec.Struct):
    """The output."""

    shape: list[int]
    data: list[float]
    name: str = "probability"
    datatype: str = "FP64"


class Inferred(msgspec.Struct):
    """An answer."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Probability]


# Checked while it is decoded: what is beyond would be infinite as float32, and JSON has no infinity.
_MOST = float(np.finfo(np.float32).max)
_Number = Annotated[float, msgspec.Meta(ge=-_MOST, le=_MOST)] | None

_decode = msgspec.json.Decoder(Inference).decode
_flat_floats = msgspec.json.Decoder(list[_Number]).decode
_flat_texts = msgspec.json.Decoder(list[str | None]).decode
_nested_floats = msgspec.json.Decoder(list[list[_Number]]).decode
_nested_texts = msgspec.json.Decoder(list[list[str | None]]).decode


def read_inference(body: bytes) -> Inference:
    """A request of the protocol.

    Raises
    ------
    Refusal
        400: it is not one, or asks for something that there is not.
    """
    try:
        asked = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"not an inference request: {_short(error)}") from None
    if len(asked.id) > _LONGEST_ID:
        raise Refusal(400, f"an id has at most {_LONGEST_ID} characters")
    if asked.parameters or asked.outputs:
        if asked.parameters or any(output.parameters for output in asked.outputs or ()):
            raise Refusal(400, "this server knows no parameters")
        if any(output.name != "probability" for output in asked.outputs or ()):
            raise Refusal(400, "the only output is 'probability'")
    return asked


def matrices_of(asked: Inference, loaded: Loaded) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    """The features of a request of n rows as the model's two inputs: float32 ``[n, k]``, text ``[n, m]``.

    Raises
    ------
    Refusal
        400: a tensor is missing, unknown, given twice, or of a wrong shape or type; 413: too many rows.
    """
    tensors = {tensor.name: tensor for tensor in asked.inputs}
    if len(tensors) != len(asked.inputs):
        raise Refusal(400, "an input is given twice")
    for tensor in asked.inputs:
        if tensor.parameters:
            raise Refusal(400, "this server knows no parameters")
    if not tensors or not asked.inputs[0].shape:
        raise Refusal(400, "inputs with a shape are needed")
    rows = asked.inputs[0].shape[0]
    if rows < 1:
        raise Refusal(400, "at least one row is needed")
    if rows > MOST_ROWS:
        raise Refusal(413, f"at most {MOST_ROWS} rows at a time")
    if loaded.by_matrix and tensors.keys() <= _MATRICES:
        return _from_matrices(tensors, rows, loaded)
    return _from_features(tensors, rows, loaded)


def _from_matrices(
    tensors: dict[str, Tensor], rows: int, loaded: Loaded
) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    for name, names in (("numbers", loaded.numbers), ("categories", loaded.categories)):
        tensor = tensors.get(name)
        if tensor is None:
            if names:
                raise Refusal(400, f"the input '{name}' is missing")
        elif tensor.shape != [rows, len(names)]:
            raise Refusal(400, f"the shape of '{name}' must be [{rows}, {len(names)}]")
    width, count = len(loaded.numbers), len(loaded.categories)
    numbers = _numbers(tensors["numbers"], rows * width) if width else np.empty(0, np.float32)
    texts = _texts(tensors["categories"], rows * count) if count else []
    numbers.shape = rows, width
    return numbers, np.array(texts, object).reshape(rows, count)


def _from_features(
    tensors: dict[str, Tensor], rows: int, loaded: Loaded
) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
    for tensor in tensors.values():
        if tensor.shape not in ([rows], [rows, 1]):
            raise Refusal(400, f"the shape of '{tensor.name[:64]}' must be [{rows}]")
    if unknown := tensors.keys() - {*loaded.numbers, *loaded.categories}:
        raise Refusal(400, f"the model has no feature '{min(unknown)[:64]}'")
    numbers = np.empty((rows, len(loaded.numbers)), np.float32)
    categories = np.empty((rows, len(loaded.categories)), object)
    try:
        for place, name in enumerate(loaded.numbers):
            numbers[:, place] = _numbers(tensors[name], rows)
        for place, name in enumerate(loaded.categories):
            categories[:, place] = _texts(tensors[name], rows)
    except KeyError as error:
        raise Refusal(400, f"the input {error} is missing") from None
    return numbers, categories


def _numbers(tensor: Tensor, count: int) -> NDArray[np.float32]:
    """A tensor's values as float32 ``[count]``; null is NaN, because JSON has none."""
    if tensor.datatype not in _NUMBERS:
        raise Refusal(400, f"the datatype of '{tensor.name[:64]}' must be FP32 or another number")
    return np.array(_values(tensor, count, _flat_floats, _nested_floats), np.float32)


def _texts(tensor: Tensor, count: int) -> list[str]:
    """A tensor's values as text; null is the empty text."""
    if tensor.datatype != "BYTES":
        raise Refusal(400, f"the datatype of '{tensor.name[:64]}' must be BYTES")
    return [value or "" for value in _values(tensor, count, _flat_texts, _nested_texts)]


def _values(tensor: Tensor, count: int, flat: Any, nested: Any) -> list[Any]:
    try:
        try:
            values: list[Any] = flat(tensor.data)
        except msgspec.ValidationError:
            if not _NESTED.match(tensor.data):
                raise
            values = [value for row in nested(tensor.data) for value in row]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"the data of '{tensor.name[:64]}': {_short(error)}") from None
    if len(values) != count:
        raise Refusal(400, f"'{tensor.name[:64]}' has {len(values)} values; its shape says {count}")
    return values


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
