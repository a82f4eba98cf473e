"""Networks and pictures made on the spot, for tests that must not hang on what the shipped weights have learned."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.behaviour import INPUT_PX
from models.behaviour_net import build_network
from models.registry import find_weights
from models.training.behaviour import start_from_detector, write_weights


def write_behaviour_network(path: Path, seed: int = 0) -> Path:
    """Weights of a behaviour network whose answers differ from picture to picture: the shipped detector's eyes, and a
    judgement that is made up.
    """
    torch.manual_seed(seed)
    network = build_network()
    start_from_detector(network, find_weights("students"))
    head = network.eval().model[-1].train()
    head.conv.bn.momentum = None  # the mean over all that is shown
    with torch.no_grad():
        for shown in pictures(24, seed).split(8):
            network(shown)
        logits = network(pictures(16, seed + 1))
        gain = 0.5 / logits.std(dim=0).mean()
        head.linear.bias.copy_(gain * (head.linear.bias - logits.mean(dim=0)))
        head.linear.weight *= gain
    write_weights(network, path)
    return path


def pictures(count: int, seed: int = 0) -> Tensor:
    """(count, 3, 128, 128) in 0..1: noise of several grains on grounds of several colours."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for index in range(count):
        grain = (2, 4, 16, 64)[index % 4]
        coarse = torch.rand(1, 3, grain, grain, generator=generator)
        noise = nn.functional.interpolate(coarse, size=INPUT_PX, mode="bilinear")
        made.append((noise + torch.rand(1, 3, 1, 1, generator=generator)) / 2)
    return torch.cat(made)
