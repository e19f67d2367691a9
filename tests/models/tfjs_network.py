"""A network in TensorFlow.js's format, made by hand as its converter writes them."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from models.conversion import tfjs_to_onnx

SIDE = 4
RNG = np.random.default_rng(3)
FILTERS = RNG.normal(size=(3, 3, 2, 4)).astype(np.float16)
"""Rows, columns, channels in, channels out."""
BIAS = RNG.normal(size=4).astype(np.float32)


class TfjsNetwork:
    """Nodes and weights as they come."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.entries: list[dict[str, Any]] = []
        self.data = b""
        self.outputs: list[str] = []

    def node(self, name: str, operation: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append({"name": name, "op": operation, "input": list(inputs), "attr": attributes})
        return name

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        array = np.asarray(value)
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        if array.dtype == np.float16:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        elif array.dtype.kind in "iu":
            entry["dtype"], array = "int32", array.astype(np.int32)
        self.entries.append(entry)
        self.data += array.tobytes()
        return self.node(name, "Const")

    def file(self) -> bytes:
        signature = {f"{name}:0": {"name": f"{name}:0"} for name in self.outputs}
        content = {
            "format": "graph-model",
            "signature": {"outputs": signature},
            "modelTopology": {"node": self.nodes},
            "weightsManifest": [{"paths": ["net.bin"], "weights": self.entries}],
        }
        return json.dumps(content).encode()

    def converted(self, name: str = "hand-made") -> bytes:
        return tfjs_to_onnx(name, self.file(), {"net.bin": self.data})


def numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def text(value: str) -> dict[str, Any]:
    return {"s": base64.b64encode(value.encode()).decode()}


def windows(**more: Any) -> dict[str, Any]:
    return {"data_format": text("NHWC"), "padding": text("VALID"), **more}


def small_network() -> TfjsNetwork:
    """Every operation once: (1, 2, 4, 4) to (1, 2, 64) and (1, 128)."""
    net = TfjsNetwork()
    net.node("picture", "Placeholder", shape={"shape": {"dim": [{"size": str(n)} for n in (1, 2, 4, 4)]}})
    # Behind those that read it, as converters write them.
    net.node("far", "Identity", "left")
    around = net.constant("around", [[0, 0], [0, 0], [1, 1], [1, 1]])
    padded = net.node("padded", "Pad", "picture", around)
    last = net.constant("last", [0, 2, 3, 1])
    turned = net.node("turned", "Transpose", padded, last)
    filters = net.constant("filters", FILTERS)
    unit = numbers(1, 1, 1, 1)
    net.node("convolved", "Conv2D", turned, filters, **windows(strides=unit, dilations=unit))
    net.node("biased", "Add", "convolved", net.constant("bias", BIAS))
    net.node("leaky", "LeakyRelu", "biased", alpha={"f": 0.1})
    more = net.constant("more", [[0, 0], [1, 0], [1, 0], [0, 0]])
    net.node("padded2", "PadV2", "leaky", more, net.constant("low", np.float32(-1000)))
    size = numbers(1, 2, 2, 1)
    net.node("largest", "MaxPool", "padded2", **windows(strides=size, ksize=size))
    twice = net.constant("twice", [8, 8])
    net.node("resized", "ResizeBilinear", "largest", twice, half_pixel_centers={"b": True})
    net.node("sum", "AddV2", "resized", "resized")
    first = net.constant("first", [0, 3, 1, 2])
    net.node("turned2", "Transpose", "sum", first)
    halves, axis = net.constant("halves", [2, 2]), net.constant("axis", 1)
    net.node("halved", "SplitV", "turned2", halves, axis)
    net.node("sure", "Sigmoid", "halved")
    # Shapes are reckoned from constants, as TensorFlow leaves them.
    none = net.constant("none", np.zeros((0, 1), np.int32)), net.constant("nothing", np.zeros(0, np.int32))
    zeros = net.node("zeros", "SparseToDense", none[0], net.constant("three", [3]), none[1], "zero")
    net.constant("zero", np.int32(0))
    shape = net.node("shape", "AddV2", net.constant("base", [1, 2, 64]), zeros)
    net.node("left", "Reshape", "sure", shape)
    net.node("joined", "ConcatV2", "halved:1", "halved", axis)
    net.node("right", "Reshape", "joined", net.constant("flat", [1, -1]))
    net.outputs = ["far", "right"]
    return net
