"""What the trainings of networks share: half the time on a CPU, and weights files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def fast_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 itself; others emulate it, slower than single precision."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # not public, and not in every release
    return any(getattr(torch.cpu, name, lambda: False)() for name in probes)


def write_weights(network: Any, out: Path) -> None:
    """Write a network's weights in half precision, beside and renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    torch.save(
        {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()},
        partial,
    )
    partial.replace(out)
