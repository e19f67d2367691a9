"""Inputs that no node reads are taken out of an ONNX file, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.onnx import OnnxModel
from models.onnx_file import Graph
from models.onnx_inputs import without_unread_inputs
from models.weights import ModelError, ModelFile, verified


def doubled(unread: int = 0) -> bytes:
    """A network that adds its input to itself, and asks for `unread` others."""
    others = [(f"unread{number}", (1, 3)) for number in range(unread)]
    graph = Graph(inputs=[("values", (1, 3)), *others], outputs=["sum"])
    graph.node("Add", ["values", "values"], ["sum"], {})
    return graph.encoded("doubled")


@pytest.mark.parametrize("unread", [1, 3])
def test_a_network_that_asks_for_more_than_it_reads_runs_on_what_it_reads(unread: int) -> None:
    model = OnnxModel(ModelFile(Path("doubled.onnx"), doubled(unread)))
    assert model.input_shape == (1, 3)
    (answer,) = model.run(np.array([[1, 2, 3]], np.float32))
    assert answer.tolist() == [[2, 4, 6]]


def test_nothing_else_is_taken_out() -> None:
    assert without_unread_inputs(doubled(2)) == without_unread_inputs(doubled()) == doubled()


def test_the_quantised_network_of_opencv_asks_for_one_picture() -> None:
    assert OnnxModel(verified("sface-128-v1")).input_shape == (1, 3, 112, 112)


@given(st.binary(max_size=200), st.integers(0, 120))
def test_what_is_damaged_is_refused_or_comes_out_no_longer(noise: bytes, cut: int) -> None:
    for content in (noise, doubled(2)[:cut], doubled(2)[:cut] + noise):
        try:
            assert len(without_unread_inputs(content)) <= len(content) + 9  # lengths may be written otherwise
        except ValueError as error:
            assert "byte" in str(error)


def test_a_damaged_file_is_an_error_with_its_name() -> None:
    with pytest.raises(ModelError, match=r"doubled\.onnx: onnxruntime cannot read it"):
        OnnxModel(ModelFile(Path("doubled.onnx"), doubled(2)[:-7]))
