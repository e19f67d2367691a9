"""Write the trained net as ONNX: `python -m models.training.export --work FOLDER --out FILE`.

Batch norms are folded into the layers before them by the exporter; height and width stay open (multiples of
32). What onnxruntime answers must be what torch does. Prints the file's size and SHA-256 for weights.toml.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from models.training.network import HeadNet

OPSET = 13
"""Old enough for onnxruntime and for OpenCV's DNN module."""


def load(checkpoint: Path, kind: str) -> tuple[HeadNet, int]:
    """A checkpoint's averaged net ("average") or the last one ("net"), and after how many crops."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net = HeadNet()
    net.load_state_dict(state[kind])
    return net.eval(), int(state["seen"])


def export(net: HeadNet, out: Path) -> float:
    """Write `out`; the largest difference between onnxruntime's and torch's answers to a random picture."""
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 320, 320),),
        str(out),
        dynamo=False,
        opset_version=OPSET,
        input_names=["pictures"],
        output_names=["heads"],
        dynamic_axes={"pictures": {2: "height", 3: "width"}, "heads": {2: "rows", 3: "columns"}},
    )
    picture = torch.randn(1, 3, 256, 416, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net(picture).numpy()
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    found = session.run(None, {"pictures": picture.numpy()})[0]
    return float(np.abs(found - expected).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with last.pt")
    parser.add_argument("--kind", choices=("average", "net"), default="average")
    parser.add_argument("--out", type=Path, required=True)
    words = parser.parse_args()
    torch.set_num_threads(1)
    net, seen = load(words.work / "last.pt", words.kind)
    difference = export(net, words.out)
    content = words.out.read_bytes()
    print(f"{seen} crops; differs by {difference:.2e}; bytes = {len(content)}")
    print(f'sha256 = "{hashlib.sha256(content).hexdigest()}"')
    if difference > 1e-3:
        raise SystemExit("onnxruntime answers otherwise than torch")


if __name__ == "__main__":
    main()
