"""The other side of bench_predict.py: the member's network as a PyTorch module, shown to ttach; a process of its own.

It needs torch, ttach and NumPy alone, and takes the same weights: `python peer_ttach.py WEIGHTS IMAGES MAPS` reads
every layer's arrays as Keras has them (npz, `layer/number`) and a stack of images (npy, uint8). For each line on
standard input, "FIRST LAST", it predicts those images with their eight views, writes all maps so far (npy, uint8), and
prints the seconds and CPU seconds of that as a line of JSON.
"""

import json
import sys
import time
from collections.abc import Mapping

import numpy as np
import torch
import ttach
from torch import nn
from torch.nn.functional import interpolate, pad

STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))  # as in the EfficientNet paper
BATCH = 8
Weights = Mapping[str, np.ndarray]


class Convolution(nn.Module):
    """Convolution, batch normalisation if there is one, and an activation; padded as TensorFlow pads."""

    def __init__(self, weights: Weights, layer: str, norm: str, stride: int = 1, activation: nn.Module | None = None):
        super().__init__()
        kernel = weights[f"{layer}/0"]  # (h, w, in, out), depthwise (h, w, in, 1)
        depthwise = layer.endswith("dwconv")
        tensor = torch.from_numpy(
            kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
        ).contiguous()
        bias = weights.get(f"{layer}/1")
        self.convolve = nn.Conv2d(
            kernel.shape[2],
            len(tensor),
            len(kernel),
            stride,
            padding=len(kernel) // 2 if stride == 1 else 0,
            groups=kernel.shape[2] if depthwise else 1,
            bias=bias is not None,
        )
        self.convolve.weight.data = tensor
        if bias is not None:
            self.convolve.bias.data = torch.from_numpy(bias)
        self.normalise = nn.Identity()
        if norm:
            self.normalise = nn.BatchNorm2d(len(tensor), eps=1e-3)
            parts = ("weight", "bias", "running_mean", "running_var")
            self.normalise.load_state_dict(
                {part: torch.from_numpy(weights[f"{norm}/{number}"]) for number, part in enumerate(parts)}, strict=False
            )
        self.activate = activation or nn.Identity()
        self.before = (len(kernel) - 2) // 2 if stride == 2 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.before is not None:  # of an even side: one pixel more after it than before it
            x = pad(x, (self.before, self.before + 1, self.before, self.before + 1))
        return self.activate(self.normalise(self.convolve(x)))


class Block(nn.Module):
    """An inverted residual block; also gives what it expands to, which the decoder may want."""

    def __init__(self, weights: Weights, name: str, stride: int):
        super().__init__()
        self.expand = None
        if f"{name}expand_conv/0" in weights:
            self.expand = Convolution(weights, f"{name}expand_conv", f"{name}expand_bn", 1, nn.ReLU6())
        self.filter = Convolution(weights, f"{name}dwconv", f"{name}bn", stride, nn.ReLU6())
        self.project = Convolution(weights, f"{name}project_conv", f"{name}project_bn")
        inner = weights[f"{name}dwconv/0"].shape[2]
        self.residual = stride == 1 and weights.get(f"{name}expand_conv/0", np.zeros((1, 1, inner))).shape[2] == len(
            self.project.convolve.weight
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        expanded = x if self.expand is None else self.expand(x)
        y = self.project(self.filter(expanded))
        return (y + x if self.residual else y), expanded


class Unet(nn.Module):
    """EfficientNet-Lite with the notebook's decoder, from RGB 0..255 to probabilities, channels first."""

    def __init__(self, weights: Weights):
        super().__init__()
        self.stem = Convolution(weights, "stem_conv", "stem_bn", 2, nn.ReLU6())
        names = [
            (f"block{stage}{letter}_", stride if letter == "a" else 1)
            for stage, (_, _, stride) in enumerate(STAGES, start=1)
            for letter in "abcdefgh"
            if f"block{stage}{letter}_dwconv/0" in weights
        ]
        self.blocks = nn.ModuleList(Block(weights, *each) for each in names)
        self.skipped = [name in ("block2a_", "block3a_", "block4a_", "block6a_") for name, _ in names]
        self.top = Convolution(weights, "top_conv", "top_bn", 1, nn.ReLU6())
        self.steps = nn.ModuleList(
            nn.Sequential(
                *(
                    Convolution(weights, f"decoder{step}{half}_conv", f"decoder{step}{half}_bn", 1, nn.ReLU())
                    for half in "ab"
                )
            )
            for step in range(1, 6)
        )
        self.last = Convolution(weights, "probability", "", 1, nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem((x - 127) / 128)
        skips = []
        for block, skipped in zip(self.blocks, self.skipped, strict=True):
            x, expanded = block(x)
            if skipped:
                skips.append(expanded)
        x = self.top(x)
        for step in self.steps:
            x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = step(torch.cat([x, skips.pop()], 1) if skips else x)
        return self.last(x)


def predict(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Predict with ttach's d4, its mean, in batches: uint8 (n, h, w, 3) to uint8 (n, h, w)."""
    wrapped = ttach.SegmentationTTAWrapper(network, ttach.aliases.d4_transform(), merge_mode="mean")
    maps = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2).float()
            maps.append(wrapped(batch)[:, 0].mul(255).round().byte().numpy())
    return np.concatenate(maps)


def main(weights: str, images: str, maps: str) -> None:
    """Build, then predict, time and write what each line asks for: the first and the last number of a few images."""
    network = Unet(dict(np.load(weights))).eval()
    stack, seen = np.load(images), []
    predict(network, stack[:BATCH])
    print("ready", flush=True)
    for line in sys.stdin:
        first, last = map(int, line.split())
        began, cpu = time.perf_counter(), time.process_time()
        seen.append(predict(network, stack[first:last]))
        taken = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
        np.save(maps, np.concatenate(seen))
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
