"""TensorFlow.js to ONNX: a small network made by hand, computed by onnxruntime, held against numpy."""

from __future__ import annotations

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
from tests.models.tfjs_network import BIAS, FILTERS, SIDE, TfjsNetwork, numbers, small_network, text, windows

Floats = npt.NDArray[np.float32]


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
