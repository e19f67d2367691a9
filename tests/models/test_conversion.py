"""TensorFlow.js to ONNX: a small network made by hand, computed by onnxruntime, held against numpy."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.conversion import tfjs_to_onnx
from models.onnx import OnnxModel
from models.tfjs import ConversionError
from models.weights import ModelFile

Floats = npt.NDArray[np.float32]
SIDE = 4
RNG = np.random.default_rng(3)
FILTERS = RNG.normal(size=(3, 3, 2, 4)).astype(np.float16)
"""Rows, columns, channels in, channels out."""
BIAS = RNG.normal(size=4).astype(np.float32)


class TfjsNetwork:
    """What the converter of TensorFlow.js writes, made by hand."""

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

    def converted(self) -> bytes:
        return tfjs_to_onnx("hand-made", self.file(), {"net.bin": self.data})


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


def computed_by_hand(picture: Floats) -> tuple[Floats, Floats]:
    """The small network in numpy."""
    padded = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)))[0]
    made = np.zeros((4, SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            patch = padded[:, row : row + 3, column : column + 3].transpose(1, 2, 0)
            made[:, row, column] = np.tensordot(patch, FILTERS.astype(np.float64), 3) + BIAS
    made = np.where(made < 0, 0.1 * made, made)
    made = np.pad(made, ((0, 0), (1, 0), (1, 0)), constant_values=-1000)[:, :4, :4]
    made = made.reshape(4, 2, 2, 2, 2).max((2, 4))
    # From 2 to 8, centres of pixels: outside the outer centres the edge goes on.
    place = np.clip((np.arange(8) + 0.5) / 4 - 0.5, 0, 1)
    made = made[:, :1] * (1 - place)[:, None] + made[:, 1:] * place[:, None]
    made = 2 * (made[:, :, :1] * (1 - place) + made[:, :, 1:] * place)
    low, high = made[:2], made[2:]
    joined = np.concatenate([high, low])
    return (1 / (1 + np.exp(-low))).reshape(1, 2, 64), joined.reshape(1, -1)


def loaded(content: bytes, folder: Path) -> OnnxModel:
    return OnnxModel(ModelFile(folder / "net.onnx", content))


def test_a_network_made_by_hand_computes_what_numpy_computes(tmp_path: Path) -> None:
    model = loaded(small_network().converted(), tmp_path)
    assert model.input_shape == (1, 2, SIDE, SIDE)
    picture = np.random.default_rng(5).normal(size=(1, 2, SIDE, SIDE)).astype(np.float32)
    found = model.run(picture)
    for one, other in zip(found, computed_by_hand(picture), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_strides_and_both_ways_to_pad(tmp_path: Path, padding: str) -> None:
    """A filter of one at its first place shows where the windows lie."""
    net = TfjsNetwork()
    net.node("picture", "Placeholder", shape={"shape": {"dim": [{"size": str(n)} for n in (1, 5, 5, 1)]}})
    pick = np.zeros((2, 2, 1, 1), np.float32)
    pick[0, 0] = 1
    attributes = windows(strides=numbers(1, 2, 2, 1), dilations=numbers(1, 1, 1, 1))
    net.node(
        "out", "Conv2D", "picture", net.constant("pick", pick), **{**attributes, "padding": text(padding)}
    )
    net.outputs = ["out"]
    picture = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    (found,) = loaded(net.converted(), tmp_path).run(picture)
    # TensorFlow pads the odd row and column behind, not before.
    assert np.array_equal(
        found[0, :, :, 0], picture[0, : 5 if padding == "SAME" else 4 : 2, ::2, 0][:, : len(found[0])]
    )


def test_the_same_network_is_always_the_same_file() -> None:
    assert small_network().converted() == small_network().converted()


def _without(key: str) -> Callable[[TfjsNetwork], None]:
    def spoil(net: TfjsNetwork) -> None:
        net.nodes = [each for each in net.nodes if each["name"] != key]

    return spoil


def _operation(name: str, **changes: Any) -> Callable[[TfjsNetwork], None]:
    def spoil(net: TfjsNetwork) -> None:
        (node,) = (each for each in net.nodes if each["name"] == name)
        node.update({key: value for key, value in changes.items() if key != "attr"})
        node["attr"] = {**node["attr"], **changes.get("attr", {})}

    return spoil


def _stored_as(dtype: str) -> Callable[[TfjsNetwork], None]:
    def spoil(net: TfjsNetwork) -> None:
        net.entries[0]["dtype"] = dtype

    return spoil


def _cut(net: TfjsNetwork) -> None:
    net.data = net.data[:-3]


def _longer(net: TfjsNetwork) -> None:
    net.data += b"more"


SPOILT = {
    "an operation that is not known": (_operation("sure", op="Softplus"), r"Softplus 'sure'.*not known"),
    "a node that is nowhere": (_without("leaky"), r"reads 'leaky', which is nowhere"),
    "a circle": (_operation("padded", input=["largest", "around"]), "wait for each other"),
    "weights cut short": (_cut, "weights end in the middle of 'flat'"),
    "weights left over": (_longer, "4 bytes of weights belong to nothing"),
    "weights of an unknown kind": (_stored_as("complex64"), "complex64.*not known"),
    "channels first": (_operation("convolved", attr={"data_format": text("NCHW")}), "NCHW is not known"),
    "another padding": (_operation("largest", attr={"padding": text("EXPLICIT")}), "EXPLICIT.*not known"),
    "corners aligned": (_operation("resized", attr={"align_corners": {"b": True}}), "half-pixel centres"),
    "filters that the picture decides": (
        _operation("convolved", input=["turned", "padded"]),
        "is no constant",
    ),
}


@pytest.mark.parametrize("what", sorted(SPOILT))
def test_what_cannot_be_converted_is_refused_with_its_name(what: str) -> None:
    spoil, says = SPOILT[what]
    net = small_network()
    spoil(net)
    with pytest.raises(ConversionError, match=says):
        net.converted()


def test_a_missing_weight_file_is_named() -> None:
    net = small_network()
    with pytest.raises(ConversionError, match=r"net\.bin.*missing.*other\.bin"):
        tfjs_to_onnx("x", net.file(), {"other.bin": net.data})


@settings(max_examples=25)
@given(
    st.one_of(st.binary(max_size=60), st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps))
)
def test_what_is_no_network_is_refused_with_a_sentence(content: bytes | str) -> None:
    with pytest.raises(ConversionError, match="graph model"):
        tfjs_to_onnx("x", content if isinstance(content, bytes) else content.encode(), {})


@settings(max_examples=25)
@given(
    place=st.sampled_from(["modelTopology", "weightsManifest", "signature"]),
    value=st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
)
def test_a_network_with_a_part_replaced_is_refused_with_a_sentence(place: str, value: Any) -> None:
    content = json.loads(small_network().file())
    content[place] = value
    with pytest.raises(ConversionError):
        tfjs_to_onnx("x", json.dumps(content).encode(), {"net.bin": small_network().data})
