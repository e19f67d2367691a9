"""Reads a network in TensorFlow.js's format ("graph-model"): a JSON file of nodes, binary files of weights.

After tfjs-core's io/types.ts (weights manifest) and TensorFlow's graph.proto (nodes, attributes as JSON).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from models.weights import ModelError

Array = npt.NDArray[np.float32] | npt.NDArray[np.int64]


class ConversionError(ModelError):
    """The network cannot be converted: it is damaged, or uses what the converter does not know."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    """Tensors: a node's name, with `:1` its second output, and so on."""
    attributes: Mapping[str, Any]

    def numbers(self, key: str) -> list[int]:
        """An attribute that is a list of whole numbers."""
        try:
            return [int(each) for each in self.attributes[key]["list"]["i"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConversionError(f"{self}: attribute {key} is no list of whole numbers") from error

    def text(self, key: str) -> str:
        """An attribute that is a text."""
        try:
            return base64.b64decode(self.attributes[key]["s"], validate=True).decode()
        except (KeyError, TypeError, ValueError) as error:
            raise ConversionError(f"{self}: attribute {key} is no text") from error

    def flag(self, key: str) -> bool:
        """An attribute that is true or not there."""
        return bool(self.attributes.get(key, {}).get("b", False))

    def __str__(self) -> str:
        return f"{self.operation} {self.name!r}"


@dataclass(frozen=True, slots=True)
class TfjsModel:
    """A whole network; every node stands behind those whose tensors it reads."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    """By the node's name; whole numbers as int64."""
    inputs: Mapping[str, tuple[int, ...]]
    """Names and shapes of the nodes of kind Placeholder."""
    outputs: tuple[str, ...]
    """Tensors, by name."""


def read_tfjs(model: bytes, files: Mapping[str, bytes]) -> TfjsModel:
    """The network whose JSON file is `model`; `files`: its weight files by name. ConversionError when it
    is damaged, a file is missing, or it is of a kind that is not known here."""
    try:
        content = json.loads(model)
        nodes = [_node(each) for each in content["modelTopology"]["node"]]
        shapes = {
            each["name"]: tuple(int(side["size"]) for side in each["attr"]["shape"]["shape"]["dim"])
            for each in content["modelTopology"]["node"]
            if each["op"] == "Placeholder"
        }
        constants: dict[str, Array] = {}
        for group in content["weightsManifest"]:
            data = b"".join(_file(path, files) for path in group["paths"])
            constants.update(_group(group["weights"], data))
        outputs = tuple(sorted(each["name"] for each in content["signature"]["outputs"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConversionError(f"this is no graph model of TensorFlow.js ({error!r})"[:300]) from error
    return TfjsModel(_ordered(nodes), constants, shapes, outputs)


def _node(content: Any) -> Node:
    inputs = tuple(str(each) for each in content.get("input", ()))
    return Node(str(content["name"]), str(content["op"]), inputs, content.get("attr", {}))


def _file(path: str, files: Mapping[str, bytes]) -> bytes:
    if path not in files:
        raise ConversionError(f"the weight file {path!r} is missing; there are {sorted(files)}")
    return files[path]


def _group(entries: list[Any], data: bytes) -> dict[str, Array]:
    """The weights of one group; they lie one behind the other in `data`."""
    found: dict[str, Array] = {}
    place = 0
    for entry in entries:
        shape = tuple(int(side) for side in entry["shape"])
        stored = _stored(entry)
        end = place + prod(shape) * stored.itemsize
        if end > len(data):
            raise ConversionError(f"weights end in the middle of {entry['name']!r}")
        values = np.frombuffer(data[place:end], stored).reshape(shape)
        found[entry["name"]] = values.astype(np.float32) if stored.kind == "f" else values.astype(np.int64)
        place = end
    if place != len(data):
        raise ConversionError(f"{len(data) - place} bytes of weights belong to nothing")
    return found


def _stored(entry: Any) -> np.dtype[Any]:
    kind = entry["dtype"], entry.get("quantization", {}).get("dtype")
    known = {("float32", None): "<f4", ("float32", "float16"): "<f2", ("int32", None): "<i4"}
    if kind not in known:
        raise ConversionError(f"weights of {entry['name']!r} are stored as {kind}, which is not known")
    return np.dtype(known[kind])


def _ordered(nodes: list[Node]) -> tuple[Node, ...]:
    """The same nodes, each behind those that it reads."""
    waiting = {node.name: node for node in nodes}
    done: dict[str, Node] = {}
    while waiting:
        ready = [
            node
            for node in waiting.values()
            if not any(tensor.partition(":")[0] in waiting for tensor in node.inputs)
        ]
        if not ready:
            raise ConversionError(f"nodes wait for each other: {sorted(waiting)[:3]}")
        for node in ready:
            done[node.name] = waiting.pop(node.name)
    for node in nodes:
        for tensor in node.inputs:
            if tensor.partition(":")[0] not in done:
                raise ConversionError(f"{node} reads {tensor!r}, which is nowhere")
    return tuple(done.values())
