"""Writes ONNX files: the few messages of ONNX's protobuf that a converted network needs.

By hand and not by the package `onnx`, which would put 20 MB on every device for one conversion at install and
whose bytes differ from version to version: what is written here is pinned by its SHA-256 (weights.toml).
Field numbers after onnx.proto (ONNX 1.12 and later; IR version 8, operator set 18).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

IR_VERSION = 8
OPERATOR_SET = 18
PRODUCER = "classroom-agent"

Array = npt.NDArray[np.float32] | npt.NDArray[np.int64]
Attribute = int | float | str | Sequence[int]

_ELEMENTS = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}
"""Type of a tensor's values: TensorProto.DataType."""
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7
"""Type of an attribute: AttributeProto.AttributeType."""
_VARINT, _LENGTH, _FIXED32 = 0, 2, 5
"""Wire types of protobuf."""


@dataclass
class Graph:
    """A network under construction, in the order in which it computes."""

    inputs: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    """Names and shapes; float32."""
    outputs: list[str] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    _nodes: list[bytes] = field(default_factory=list)

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Attribute],
    ) -> None:
        """Let `operator` compute `outputs`; an input named "" is left out."""
        self._nodes.append(
            b"".join(_text(1, name) for name in inputs)
            + b"".join(_text(2, name) for name in outputs)
            + _text(3, outputs[0])
            + _text(4, operator)
            + b"".join(block(5, _attribute(name, value)) for name, value in attributes.items())
        )

    def encoded(self, name: str) -> bytes:
        """The file's content; the same for the same calls in the same order."""
        graph = (
            b"".join(block(1, node) for node in self._nodes)
            + _text(2, name)
            + b"".join(block(5, _tensor(key, value)) for key, value in self.constants.items())
            + b"".join(block(11, _value(key, shape)) for key, shape in self.inputs)
            + b"".join(block(12, _value(key, None)) for key in self.outputs)
        )
        operators = _text(1, "") + _number(2, OPERATOR_SET)
        return _number(1, IR_VERSION) + _text(2, PRODUCER) + block(7, graph) + block(8, operators)


def _tensor(name: str, value: Array) -> bytes:
    little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    dimensions = b"".join(_number(1, side) for side in value.shape)
    return dimensions + _number(2, _ELEMENTS[value.dtype]) + _text(8, name) + block(9, little.tobytes())


def _value(name: str, shape: tuple[int, ...] | None) -> bytes:
    """A float32 input or output; without a shape the runtime infers it."""
    tensor = _number(1, _ELEMENTS[np.dtype(np.float32)])
    if shape is not None:
        tensor += block(2, b"".join(block(1, _number(1, side)) for side in shape))
    return _text(1, name) + block(2, block(1, tensor))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        content, kind = _number(3, value), _INT
    elif isinstance(value, float):
        content, kind = _key(2, _FIXED32) + struct.pack("<f", value), _FLOAT
    elif isinstance(value, str):
        content, kind = _text(4, value), _STRING
    else:
        content, kind = b"".join(_number(8, each) for each in value), _INTS
    return _text(1, name) + content + _number(20, kind)


def _text(number: int, value: str) -> bytes:
    return block(number, value.encode())


def block(number: int, content: bytes) -> bytes:
    """A field of protobuf that has a length."""
    return _key(number, _LENGTH) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; negative ones as 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
