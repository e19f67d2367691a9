"""A model file computes here what it computed where it was measured: a fixed input, known outputs.

The hash says that the file is right; this says that the runtime and the processor are. The input is made by a
formula, not by a random generator, so that it is the same everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.weights import ModelError, ModelFile, manifest, weights

TOLERANCE = 0.05
"""Largest difference to the expected figures, in standard deviations of the outputs. Processors and versions
of the runtimes differ by less than 0.001 (dlib's whole pixels by 0.045), another network by more than 0.2."""
OPEN_SIDE = 320
"""Height and width given to a model that takes any."""

Values = npt.NDArray[np.float32]


def self_test(name: str, file: ModelFile) -> float:
    """Run the model `file` as row `name`; the largest difference found, in units of TOLERANCE's.

    ModelError when it cannot be run, computes something else, or has no expected figures in weights.toml.
    """
    expected = manifest()["weights"][name].get("self_test")
    if expected is None:
        raise ModelError(f"{weights(name).file}: weights.toml has no self-test for it")
    found = figures(name, file)
    unit = max(abs(float(expected[1])), 1e-6)
    difference = max(abs(a - float(b)) for a, b in zip(found, expected, strict=True)) / unit
    if not difference <= TOLERANCE:  # NaN too
        raise ModelError(
            f"{file.path}: computes {[round(value, 4) for value in found]}, expected {expected}: the file is "
            "right, so this machine's onnxruntime or dlib is not; install classroom-agent again"
        )
    return difference


def figures(name: str, file: ModelFile) -> list[float]:
    """Mean and standard deviation of all outputs together, then the first, middle and last of them."""
    values = _outputs(name, file).astype(np.float64)
    return [float(x) for x in (values.mean(), values.std(), values[0], values[values.size // 2], values[-1])]


def _outputs(name: str, file: ModelFile) -> Values:
    if file.path.suffix == ".onnx":
        from models.onnx import OnnxModel

        model = OnnxModel(file)
        shape = tuple(side if isinstance(side, int) else OPEN_SIDE for side in model.input_shape)
        found = model.run(_pattern(shape).astype(np.float32) / np.float32(127.5) - np.float32(1))
        return np.concatenate([output.ravel() for output in found])
    return _dlib_outputs(name, file)


def _dlib_outputs(name: str, file: ModelFile) -> Values:
    import dlib

    library: Any = dlib
    image = np.ascontiguousarray(_pattern((1, 3, 150, 150))[0].transpose(1, 2, 0))
    try:
        with file.opened() as opened:
            if name == "dlib-resnet-v1":
                network = library.face_recognition_model_v1(opened)
                return np.asarray(network.compute_face_descriptor(image), np.float32)
            parts = library.shape_predictor(opened)(image, library.rectangle(20, 20, 129, 129)).parts()
        return np.array([value for part in parts for value in (part.x, part.y)], np.float32)
    except RuntimeError as error:  # dlib's own word for a file that it cannot parse
        raise ModelError(f"{file.path}: dlib cannot read it ({error}); install dlib-bin again") from error


def _pattern(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Blocks and slopes of every grey in every channel: shape (1, channels, height, width), uint8."""
    _, channels, height, width = shape
    c, y, x = np.meshgrid(np.arange(channels), np.arange(height), np.arange(width), indexing="ij")
    blocks = ((x // 8 + y // 8 + c) % 3) * 60
    slope = (3 * x + 2 * y + 40 * c) % 128
    return np.asarray(blocks + slope, np.uint8)[None]
