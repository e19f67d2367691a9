"""Who gave a score: what stands beside each count, so that scores are held only against their likes.

Beside models/weights.py because the archive asks it, which loads no model.
"""

from __future__ import annotations

from models.weights import manifest


def scorer(name: str) -> str:
    """The weights `name` with the beginning of their SHA-256 and what makes probabilities of their logits,
    e.g. "head-net-v1-aefa62e4+3.109+0.969": trained or fitted again, they are another. KeyError when
    `weights.toml` has no calibrated weights of that name."""
    row = manifest()["weights"][name]
    calibration = row["calibration"]
    return f"{name}-{row['sha256'][:8]}+{calibration['slope']}+{calibration['offset']}"
