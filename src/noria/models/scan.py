"""Refuse an ONNX file that names other files or foreign operators, before any library reads it.

ONNX can keep tensors in other files (``external_data``), with paths that reach out of the folder; libraries have
followed them even for models that came as bytes. So the serving path reads the protobuf wire format itself: every
message is walked along the fields of the ONNX schema, at any depth.
"""

from __future__ import annotations

from collections.abc import Iterator

from noria.core import IntegrityError

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_MOST_BYTES = 1 << 30
_MOST_DEPTH = 64

# message -> field number -> the message in it; fields in which no tensor and no operator can be are passed over
_SCHEMA: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "OperatorSet", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Function": {7: "Node", 9: "OperatorSet", 11: "Attribute"},
    "Training": {1: "Graph", 2: "Graph"},
    "Tensor": {13: "External"},
    "OperatorSet": {},
}
# Text fields that name an operator's domain.
_DOMAINS = {"Node": 7, "OperatorSet": 1, "Function": 10}
_TENSOR_LOCATION = 14


def refuse_unsafe(model: bytes, place: str) -> None:
    """Check the bytes of an ONNX model.

    Raises
    ------
    IntegrityError
        They are not an ONNX model; a tensor anywhere in it (initialiser, attribute, subgraph, function, training info)
        lies in another file; an operator or function is of a domain outside `ALLOWED_DOMAINS`; it is over 1 GiB.
    """
    if bytes(model[4:8]) == b"ORTM":
        raise IntegrityError("not an ONNX model but ONNX Runtime's own format", place=place, mend="export it as ONNX")
    if len(model) > _MOST_BYTES:
        raise IntegrityError("the model is too large", place=place, value=f"{len(model):,} bytes", mend="at most 1 GiB")
    found = _walk(memoryview(model), "Model", place, 0)
    if "Graph" not in found:
        raise IntegrityError("not an ONNX model: it has no graph", place=place)


def _walk(data: memoryview, message: str, place: str, depth: int) -> set[str]:
    if depth > _MOST_DEPTH:
        raise IntegrityError("the model is nested too deeply", place=place)
    schema, domain, found = _SCHEMA[message], _DOMAINS.get(message), set()
    for number, value in _fields(data, place):
        if message == "Tensor" and ((number == _TENSOR_LOCATION and value != 0) or schema.get(number) == "External"):
            raise IntegrityError("the model keeps a tensor in another file", place=place, mend="export it in one file")
        if number == domain:
            name = bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else repr(value)
            if name not in ALLOWED_DOMAINS:
                allowed = "only ai.onnx and ai.onnx.ml"
                raise IntegrityError("the model uses a foreign operator", place=place, value=name, mend=allowed)
        inner = schema.get(number)
        if inner is None:
            continue
        if not isinstance(value, memoryview):
            raise _malformed(place)
        _walk(value, inner, place, depth + 1)
        found.add(inner)
    return found


def _fields(data: memoryview, place: str) -> Iterator[tuple[int, memoryview | int]]:
    """Field numbers with what they hold: bytes, or a number of the wire types that have no length."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position, place)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag >> 32:
            raise _malformed(place)
        if wire == 0:
            value, position = _varint(data, position, place)
            yield number, value
        elif wire == 2:
            size, position = _varint(data, position, place)
            if size > end - position:
                raise _malformed(place)
            yield number, data[position : position + size]
            position += size
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
            if position > end:
                raise _malformed(place)
            yield number, 0
        else:  # groups are not in the ONNX schema
            raise _malformed(place)


def _varint(data: memoryview, position: int, place: str) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if position >= len(data):
            raise _malformed(place)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position  # as protobuf does
        shift += 7
    raise _malformed(place)


def _malformed(place: str) -> IntegrityError:
    return IntegrityError("not an ONNX model", place=place, mend="package the version again")
