"""One way to run an ONNX model: two threads or fewer, no spinning, its warnings silenced, its errors ours.

onnxruntime is imported when the first model is loaded: a process without one need not hold its 60 MB.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from models.onnx_inputs import without_unread_inputs
from models.weights import ModelError, ModelFile

THREADS = 2
Floats = npt.NDArray[np.float32]


class OnnxModel:
    """A loaded model with one input. Not safe for use by two threads at once."""

    def __init__(self, file: ModelFile, *, threads: int = THREADS) -> None:
        """Load `file`. ModelError when it or the runtime cannot be used."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError(
                f"{file.path.name}: the Python package onnxruntime cannot be imported ({error}); "
                "install classroom-agent again"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin between two pictures would take the cores that recording and encoding need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Networks meet denormal numbers, which processors compute a hundred times slower: a template network
        # took 4 to 7 times the time.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        # Quantised weights become numbers once, when the file is loaded, and not again for each picture.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.log_severity_level = 3
        load = onnxruntime.InferenceSession
        try:
            content = without_unread_inputs(file.content)
            self._session: Any = (
                _thread().submit(load, content, options, providers=["CPUExecutionProvider"]).result()
            )
        except _errors() as error:
            raise ModelError(
                f"{file.path}: onnxruntime cannot read it ({_first_line(error)}); "
                "run `classroom-agent models install` again"
            ) from error
        self._input = self._session.get_inputs()[0]
        _give_back_memory()

    @property
    def input_shape(self) -> tuple[int | str, ...]:
        """Shape of what `run` takes; a side that may be any has a name."""
        return tuple(self._input.shape)

    def run(self, values: Floats) -> list[Floats]:
        """Every output, in the model's order."""
        outputs: list[Floats] = _thread().submit(self._session.run, None, {self._input.name: values}).result()
        return outputs


@cache
def _thread() -> ThreadPoolExecutor:
    """The one thread that loads and runs every model: onnxruntime makes the thread that loads the first one
    take denormals for zero, for good, which is no other code's arithmetic."""
    return ThreadPoolExecutor(1, thread_name_prefix="onnx")


def _give_back_memory() -> None:
    """What loading needed and freed goes back to the system: of a quantised network more than it keeps."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


def _errors() -> tuple[type[Exception], ...]:
    """What onnxruntime and `without_unread_inputs` raise for a file that cannot be loaded; onnxruntime's own
    derive from Exception alone."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NoSuchFile")
    every = (*names, "NotImplemented", "RuntimeException")
    return (ValueError, *(getattr(state, name) for name in every))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
