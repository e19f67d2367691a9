"""Some ONNX files list inputs that none of their nodes reads: onnxruntime asks for all of them nevertheless.

OpenCV's quantised networks do: their weights were inputs with a default once, and the nodes read what is
computed from the quantised ones since. Field numbers after onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.onnx_file import block

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INPUT, _NODE_INPUT, _VALUE_NAME = 7, 1, 11, 1, 1
_FIXED = {1: 8, 5: 4}
"""Wire types of fixed length, and their bytes."""


def without_unread_inputs(model: bytes) -> bytes:
    """The ONNX file `model` less those inputs of its graph that none of its nodes reads. ValueError when it
    is no file of protobuf's. Graphs within nodes (loops, branches) are not looked into."""
    parts: list[bytes | memoryview] = []
    for number, content, whole in _fields(memoryview(model)):
        parts.append(_graph(content) if number == _MODEL_GRAPH else whole)
    return b"".join(parts)


def _graph(graph: memoryview) -> bytes:
    fields = list(_fields(graph))
    read = {
        bytes(name)
        for number, node, _ in fields
        if number == _GRAPH_NODE
        for field, name, _ in _fields(node)
        if field == _NODE_INPUT
    }
    kept = [whole for number, value, whole in fields if number != _GRAPH_INPUT or _name(value) in read]
    return block(_MODEL_GRAPH, b"".join(kept))


def _name(value: memoryview) -> bytes:
    return next((bytes(name) for number, name, _ in _fields(value) if number == _VALUE_NAME), b"")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Number, content and whole bytes of every field; the content of a number is its bytes."""
    place = 0
    while place < len(message):
        start = place
        key, place = _varint(message, place)
        content = place
        if key & 7 == 2:
            length, content = _varint(message, place)
            place = content + length
        elif key & 7 == 0:
            _, place = _varint(message, place)
        elif key & 7 in _FIXED:
            place += _FIXED[key & 7]
        else:
            raise ValueError(f"wire type {key & 7} at byte {start} is none of protobuf's")
        if place > len(message):
            raise ValueError(f"a field of {place - content} bytes at byte {start} ends behind the file's end")
        yield key >> 3, message[content:place], message[start:place]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, and the place behind it."""
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError(f"a number at byte {place} does not end")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
