"""Train the head net: `python -m models.training.train --data FOLDER --work FOLDER`; see README.md.

Each process takes one processor core and its own share of every batch; every few steps the processes' weights
are averaged (local SGD). On a machine that has other work that loses less than threads inside every layer.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import distributed, multiprocessing, nn
from torch.nn import functional

from models.training.crops import Floats, Labelled, batch, build_cache, open_cache
from models.training.network import HeadNet
from models.training.warm_start import warm_net

SHARES = {"train_scenes": 0.72, "train_rooms": 0.28}
"""Share of the crops from each folder; the rooms' pictures are few and look like what the device sees."""


@dataclass(frozen=True)
class Recipe:
    """All that the result depends on."""

    crops: int
    batch: int
    rate: float
    decay: float
    """Weight decay of AdamW."""
    last: float
    """Share of the crops over which the rate falls to 0: until there any checkpoint can be prolonged."""
    warm_up: int
    """Crops over which the rate rises."""
    ema: float
    seed: int
    ranks: int
    together: int
    """Steps after which the processes' weights are averaged."""


def rate_at(recipe: Recipe, seen: int) -> float:
    """Learning rate after `seen` crops: up, level, down to 0 over the last share."""
    rise = min(1.0, (seen + recipe.batch) / recipe.warm_up)
    fall = min(1.0, (recipe.crops - seen) / (recipe.crops * recipe.last))
    return recipe.rate * rise * max(fall, 0.003)


def loss_of(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Focal loss of the heat (Law and Deng, 2018: alpha 2, beta 4) and L1 of the boxes, per head."""
    logit, heat, heat_weight = found[:, 0], wanted[:, 0], wanted[:, 6]
    probability = torch.sigmoid(logit)
    is_centre = heat.eq(1)
    hit = functional.logsigmoid(logit) * (1 - probability) ** 2
    miss = functional.logsigmoid(-logit) * probability**2 * (1 - heat) ** 4
    heads = is_centre.sum().clamp(min=1)
    heat_loss = -(torch.where(is_centre, hit, miss) * heat_weight).sum() / heads
    weight = wanted[:, 5]
    difference = (found[:, 1:5] - wanted[:, 1:5]).abs() * weight[:, None]
    each = difference.sum((0, 2, 3)) / weight.sum().clamp(min=1)
    return heat_loss + 0.5 * (each[0] + each[1]) + 1.0 * (each[2] + each[3])


class Average:
    """Exponential moving average of a net: good at any stopping point."""

    def __init__(self, net: nn.Module, most: float) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self._most, self._steps = most, 0

    def update(self, net: nn.Module) -> None:
        self._steps += 1
        keep = min(self._most, self._steps / (self._steps + 10))
        ours, theirs = self.net.state_dict(), net.state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - keep)
            else:
                value.copy_(theirs[name])


def average_weights(net: nn.Module, ranks: int) -> None:
    """The mean of every process's weights, in every process."""
    values = [value for value in net.state_dict().values() if value.is_floating_point()]
    flat = torch.cat([value.reshape(-1) for value in values])
    distributed.all_reduce(flat)
    flat /= ranks
    start = 0
    for value in values:
        value.copy_(flat[start : start + value.numel()].view_as(value))
        start += value.numel()


def step(net: nn.Module, pictures: Any, wanted: Floats, device: torch.device, recipe: Recipe) -> torch.Tensor:
    """Forward and backward of one process's share; the loss."""
    values = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2)
    values = values.to(dtype=torch.float32, memory_format=torch.channels_last).sub_(114).div_(64)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        found = net(values)
    loss = loss_of(found.float(), torch.from_numpy(wanted).to(device))
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def train(rank: int, recipe: Recipe, work: Path, device_name: str, exported: Path | None) -> None:
    """One process of the training; goes on where `work`/last.pt stands, else begins with the weights
    `exported`, or with none."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(recipe.seed)
    device = torch.device(device_name)
    if recipe.ranks > 1:
        place = f"file://{work}/meeting"
        distributed.init_process_group("gloo", init_method=place, rank=rank, world_size=recipe.ranks)
    data = open_cache(work / "cache")
    net = HeadNet() if exported is None else warm_net(exported, data, recipe.seed)
    net = net.to(device=device, memory_format=torch.channels_last)
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate)
    average, seen = Average(net, recipe.ema), 0
    if (work / "last.pt").exists():
        state = torch.load(work / "last.pt", map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        average.net.load_state_dict(state["average"])
        average._steps = state["seen"] // recipe.batch // recipe.together
        optimizer.load_state_dict(state["optimizer"])
        seen = state["seen"]
    _loop(rank, recipe, work, data, net, optimizer, average, seen, device)


def _loop(
    rank: int,
    recipe: Recipe,
    work: Path,
    data: Labelled,
    net: HeadNet,
    optimizer: torch.optim.Optimizer,
    average: Average,
    seen: int,
    device: torch.device,
) -> None:
    share = recipe.batch // recipe.ranks
    began, cpu, losses, first = time.monotonic(), time.process_time(), [], seen
    saved = time.monotonic()
    while seen < recipe.crops:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(recipe, seen)
        start = seen + rank * share
        pictures, wanted = batch(data, recipe.seed, range(start, start + share))
        optimizer.zero_grad(set_to_none=False)
        losses.append(float(step(net, pictures, wanted, device, recipe)))
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        seen += recipe.batch
        if (seen // recipe.batch) % recipe.together and seen < recipe.crops:
            continue
        if recipe.ranks > 1:
            average_weights(net, recipe.ranks)
        if rank:
            continue
        average.update(net)
        if (seen // recipe.batch) % 64 == 0 or seen >= recipe.crops:
            spent = time.monotonic() - began
            print(
                f"{seen} crops, loss {sum(losses[-64:]) / len(losses[-64:]):.3f}, "
                f"{(seen - first) / spent:.1f} crops/s, "
                f"{(time.process_time() - cpu) / (seen - first) * recipe.ranks * 1000:.0f} ms of a core each",
                flush=True,
            )
        if time.monotonic() - saved > 60 or seen >= recipe.crops:
            _save(work, recipe, net, optimizer, average, seen)
            saved = time.monotonic()


def _save(
    work: Path, recipe: Recipe, net: HeadNet, optimizer: torch.optim.Optimizer, average: Average, seen: int
) -> None:
    state = {
        "net": net.state_dict(),
        "average": average.net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "seen": seen,
        "recipe": json.dumps(asdict(recipe)),
    }
    torch.save(state, work / "new.pt")
    (work / "new.pt").replace(work / "last.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train_scenes and train_rooms")
    parser.add_argument("--work", type=Path, required=True, help="cache and checkpoints")
    parser.add_argument("--crops", type=int, default=150_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--last", type=float, default=0.4)
    parser.add_argument("--ranks", type=int, default=2, help="processes, one core each")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--weights", type=Path, help="begin with this exported net, not with none")
    words = parser.parse_args()
    words.work.mkdir(parents=True, exist_ok=True)
    if not (words.work / "cache.json").exists():
        build_cache({str(words.data / name): share for name, share in SHARES.items()}, words.work / "cache")
    (words.work / "meeting").unlink(missing_ok=True)
    recipe = Recipe(
        crops=words.crops,
        batch=words.batch,
        rate=words.rate,
        decay=0.02,
        last=words.last,
        warm_up=4_000,
        ema=0.96,
        seed=words.seed,
        ranks=words.ranks,
        together=8,
    )
    if recipe.ranks == 1:
        train(0, recipe, words.work, words.device, words.weights)
    else:
        multiprocessing.spawn(train, (recipe, words.work, words.device, words.weights), nprocs=recipe.ranks)


if __name__ == "__main__":
    main()
