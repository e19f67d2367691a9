"""A TensorFlow.js network to ONNX, without TensorFlow: the operations that NanoDet-g is made of.

TensorFlow computes convolutions on (picture, row, column, channel), ONNX on (picture, channel, row, column):
each is put between two transpositions, which onnxruntime takes out again in pairs when it loads the file.
What depends on constants alone, shapes mostly, is computed here and now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.onnx_file import Attribute, Graph
from models.tfjs import Array, ConversionError, Node, TfjsModel, read_tfjs

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_PADDING = {"VALID": "NOTSET", "SAME": "SAME_UPPER"}
"""ONNX's words; "NOTSET" with no padding given is the same as "VALID", and the only one in which onnxruntime
joins a padding before a convolution to it: a quarter of the time."""


def tfjs_to_onnx(name: str, model: bytes, files: Mapping[str, bytes]) -> bytes:
    """An ONNX file that computes what the network does whose JSON file is `model` and whose weight files are
    `files`, by name; always the same bytes. ConversionError for what cannot be converted."""
    read = read_tfjs(model, files)
    conversion = _Conversion(read)
    for node in read.nodes:
        conversion.add(node)
    return conversion.finished(name)


class _Conversion:
    def __init__(self, model: TfjsModel) -> None:
        self._model = model
        self._graph = Graph(inputs=list(model.inputs.items()))
        self._known: dict[str, Array] = dict(model.constants)
        """Tensors whose value does not depend on the picture."""

    def add(self, node: Node) -> None:
        if node.operation == "Placeholder":
            return
        if node.operation == "Const":
            if node.name not in self._known:
                raise ConversionError(f"{node} has no weights")
            return
        fold = _FOLDED.get(node.operation)
        if fold is not None and all(_plain(tensor) in self._known for tensor in node.inputs):
            self._known[node.name] = fold(*(self._known[_plain(tensor)] for tensor in node.inputs))
            return
        try:
            write = _WRITTEN[node.operation]
        except KeyError:
            raise ConversionError(f"{node}: this operation is not known; known: {sorted(_WRITTEN)}") from None
        write(self, node)

    def finished(self, name: str) -> bytes:
        for tensor in self._model.outputs:
            self._graph.outputs.append(_plain(tensor))
        return self._graph.encoded(name)

    def constant(self, node: Node, place: int) -> Array:
        """Input `place` of a node, which must not depend on the picture."""
        try:
            return self._known[_plain(node.inputs[place])]
        except (KeyError, IndexError):
            raise ConversionError(f"{node}: input {place} is no constant") from None

    def tensor(self, node: Node, place: int) -> str:
        """Name of input `place` of a node, whatever it is."""
        name = _plain(node.inputs[place])
        if name in self._known:
            self._graph.constants[name] = self._known[name]
        return name

    def store(self, name: str, value: Array) -> str:
        self._graph.constants[name] = value
        return name

    def write(
        self, operator: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Attribute
    ) -> None:
        self._graph.node(operator, inputs, [output] if isinstance(output, str) else output, attributes)

    def write_channels_first(
        self, operator: str, node: Node, more: Sequence[str], **attributes: Attribute
    ) -> None:
        """`operator` on a tensor with its channels last."""
        before, after = f"{node.name}/first", f"{node.name}/computed"
        self.write("Transpose", [self.tensor(node, 0)], before, perm=TO_CHANNELS_FIRST)
        self.write(operator, [before, *more], after, **attributes)
        self.write("Transpose", [after], node.name, perm=TO_CHANNELS_LAST)


def _plain(tensor: str) -> str:
    """A tensor has one name: "x:0" is "x"."""
    return tensor.removesuffix(":0")


def _windows(node: Node, key: str) -> list[int]:
    """Rows and columns of an attribute that is given for a tensor with its channels last."""
    numbers = node.numbers(key)
    if node.text("data_format") != "NHWC" or len(numbers) != 4 or numbers[0] != 1 or numbers[3] != 1:
        raise ConversionError(f"{node}: {key} = {numbers} in {node.text('data_format')} is not known")
    return numbers[1:3]


def _padding(node: Node) -> str:
    if (word := node.text("padding")) not in _PADDING:
        raise ConversionError(f"{node}: padding {word!r} is not known")
    return _PADDING[word]


def _convolution(to: _Conversion, node: Node) -> None:
    filters = np.asarray(to.constant(node, 1), np.float32)  # (rows, columns, channels in, channels out)
    weights = to.store(_plain(node.inputs[1]), np.ascontiguousarray(filters.transpose(3, 2, 0, 1)))
    to.write_channels_first(
        "Conv",
        node,
        [weights],
        strides=_windows(node, "strides"),
        dilations=_windows(node, "dilations"),
        auto_pad=_padding(node),
    )


def _largest(to: _Conversion, node: Node) -> None:
    to.write_channels_first(
        "MaxPool",
        node,
        [],
        kernel_shape=_windows(node, "ksize"),
        strides=_windows(node, "strides"),
        auto_pad=_padding(node),
    )


def _resized(to: _Conversion, node: Node) -> None:
    if not node.flag("half_pixel_centers") or node.flag("align_corners"):
        raise ConversionError(f"{node}: only half-pixel centres are known")
    size = to.store(f"{node.name}/size", np.asarray(to.constant(node, 1), np.int64))
    to.write_channels_first(
        "Resize",
        node,
        ["", "", size],
        axes=(2, 3),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _padded(to: _Conversion, node: Node) -> None:
    around = np.asarray(to.constant(node, 1), np.int64)  # one row a dimension: before, behind
    inputs = [to.tensor(node, 0), to.store(f"{node.name}/pads", np.ascontiguousarray(around.T).ravel())]
    if node.operation == "PadV2":
        inputs.append(to.tensor(node, 2))
    to.write("Pad", inputs, node.name, mode="constant")


def _transposed(to: _Conversion, node: Node) -> None:
    order = [int(axis) for axis in to.constant(node, 1)]
    to.write("Transpose", [to.tensor(node, 0)], node.name, perm=order)


def _reshaped(to: _Conversion, node: Node) -> None:
    shape = to.store(f"{node.name}/shape", np.asarray(to.constant(node, 1), np.int64))
    to.write("Reshape", [to.tensor(node, 0), shape], node.name)


def _joined(to: _Conversion, node: Node) -> None:
    last = len(node.inputs) - 1
    parts = [to.tensor(node, place) for place in range(last)]
    to.write("Concat", parts, node.name, axis=int(to.constant(node, last)))


def _split(to: _Conversion, node: Node) -> None:
    lengths = np.asarray(to.constant(node, 1), np.int64)
    parts = [node.name, *(f"{node.name}:{number}" for number in range(1, len(lengths)))]
    inputs = [to.tensor(node, 0), to.store(f"{node.name}/lengths", lengths)]
    to.write("Split", inputs, parts, axis=int(to.constant(node, 2)))


def _leaky(to: _Conversion, node: Node) -> None:
    alpha = float(node.attributes.get("alpha", {}).get("f", 0.2))
    to.write("LeakyRelu", [to.tensor(node, 0)], node.name, alpha=alpha)


def _same(operator: str) -> Callable[[_Conversion, Node], None]:
    """An operation that ONNX has too, under the name `operator`."""

    def write(to: _Conversion, node: Node) -> None:
        to.write(operator, [to.tensor(node, place) for place in range(len(node.inputs))], node.name)

    return write


def _dense(places: Array, shape: Array, values: Array, default: Array) -> Array:
    made = np.full(shape.tolist(), default)
    made[tuple(places.T)] = values
    return made


_FOLDED: Mapping[str, Callable[..., Array]] = {"SparseToDense": _dense, "Add": np.add, "AddV2": np.add}
_WRITTEN: Mapping[str, Callable[[_Conversion, Node], None]] = {
    "Add": _same("Add"),
    "AddV2": _same("Add"),
    "ConcatV2": _joined,
    "Conv2D": _convolution,
    "Identity": _same("Identity"),
    "LeakyRelu": _leaky,
    "MaxPool": _largest,
    "Pad": _padded,
    "PadV2": _padded,
    "Reshape": _reshaped,
    "ResizeBilinear": _resized,
    "Sigmoid": _same("Sigmoid"),
    "SplitV": _split,
    "Transpose": _transposed,
}
