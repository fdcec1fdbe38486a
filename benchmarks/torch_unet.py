"""The U-Net of `b7_unet` in PyTorch, layer by layer: the yardstick of `gpu.py`.

EfficientNet (Tan and Le 2019, https://arxiv.org/abs/1905.11946) with the notebook's decoder and the sum of Dice, focal
and boundary loss, as `members/training` has them. As many parameters and running statistics as the Keras network.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

COEFFICIENTS = {"b0": (1.0, 1.0), "b7": (2.0, 3.1)}
STAGES = (  # repeats, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
SKIP_STAGES = (1, 2, 3, 5)
DROP_CONNECT = 0.2
FILTERS = (256, 128, 64, 32, 16)
DROPOUT = (0.5, 0.5, 0.5, 0.25, 0.25)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EPSILON, SMOOTH = 1e-6, 1e-5


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: of an odd number of pixels the last side takes one more."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, pads))


def convolve(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution without bias, and its normalisation."""
    norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
    return nn.Sequential(SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False), norm)


class Block(nn.Module):
    """Expand, filter each channel, weigh the channels, project; the input is added where the shape stays the same."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop: float) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = convolve(inputs, inner) if expansion > 1 else None
        self.filter = convolve(inner, inner, kernel, stride, groups=inner)
        self.reduce = nn.Conv2d(inner, max(1, inputs // 4), 1)
        self.weigh = nn.Conv2d(max(1, inputs // 4), inner, 1)
        self.project = convolve(inner, outputs)
        self.drop = drop
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and the activation after the expansion."""
        wide = x if self.expand is None else functional.silu(self.expand(x))
        out = functional.silu(self.filter(wide))
        weights = self.weigh(functional.silu(self.reduce(out.mean((2, 3), keepdim=True))))
        out = self.project(out * torch.sigmoid(weights))
        if self.adds:
            if self.drop and self.training:  # stochastic depth
                kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
                out = out * kept / (1 - self.drop)
            out = out + x
        return out, wide


class UNet(nn.Module):
    """From RGB 0..255, float (n, 3, h, w), to the probability of building, float32 (n, 1, h, w)."""

    def __init__(self, backbone: str = "b7", dropout: Sequence[float] = DROPOUT) -> None:
        super().__init__()
        width, depth = COEFFICIENTS[backbone]

        def scale(filters: int) -> int:
            scaled = max(8, int(filters * width + 4) // 8 * 8)
            return scaled + 8 if scaled < 0.9 * filters * width else scaled

        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.stem = convolve(3, scale(32), 3, 2)
        self.blocks, self.skips = nn.ModuleList(), []
        channels, skip_channels = scale(32), []
        total, number = sum(math.ceil(depth * stage[0]) for stage in STAGES), 0
        for index, (repeats, kernel, stride, expansion, filters) in enumerate(STAGES):
            for repeat in range(math.ceil(depth * repeats)):
                if repeat == 0 and index in SKIP_STAGES:
                    self.skips.append(number)
                    skip_channels.append(channels * expansion)
                drop = DROP_CONNECT * number / total
                own = stride if repeat == 0 else 1
                self.blocks.append(Block(channels, scale(filters), kernel, own, expansion, drop))
                channels, number = scale(filters), number + 1
        self.top = convolve(channels, scale(1280))
        channels = scale(1280)
        self.steps = nn.ModuleList()
        for filters, rate, skip in zip(FILTERS, dropout, [*reversed(skip_channels), 0], strict=True):
            halves: list[nn.Module] = [nn.Dropout(rate)]
            for inputs in (channels + skip, filters):
                halves += [nn.Conv2d(inputs, filters, 3, padding=1), nn.BatchNorm2d(filters, eps=1e-3), nn.ReLU()]
            self.steps.append(nn.Sequential(*halves))
            channels = filters
        self.probability = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.stem((x - self.mean) / self.std))
        skips = []
        for number, block in enumerate(self.blocks):
            x, wide = block(x)
            if number in self.skips:
                skips.append(wide)
        x = functional.silu(self.top(x))
        for step in self.steps:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear")
            x = step(torch.cat([x, skips.pop()], 1) if skips else x)
        with torch.autocast(x.device.type, enabled=False):
            return torch.sigmoid(self.probability(x.float()))


def measure_loss(truth: Tensor, prediction: Tensor) -> Tensor:
    """Return the sum of soft Dice, focal and boundary loss, as `members/training/losses.py` has them."""
    dice = 1 - (2 * (truth * prediction).sum() + SMOOTH) / (truth.sum() + prediction.sum() + SMOOTH)
    bounded = prediction.clamp(1e-7, 1 - 1e-7)
    entropy = -(truth * bounded.log() + (1 - truth) * (1 - bounded).log())
    right = truth * prediction + (1 - truth) * (1 - prediction)
    focal = ((truth * 0.25 + (1 - truth) * 0.75) * (1 - right) ** 2 * entropy).mean()
    true_edge, own_edge = (functional.max_pool2d(1 - mask, 3, 1, 1) - (1 - mask) for mask in (truth, prediction))
    near_truth, near_own = (
        functional.avg_pool2d(edge, 5, 1, 2, count_include_pad=False) for edge in (true_edge, own_edge)
    )
    precision = ((own_edge * near_truth).sum() + EPSILON) / (own_edge.sum() + EPSILON)
    recall = ((true_edge * near_own).sum() + EPSILON) / (true_edge.sum() + EPSILON)
    return dice + focal + 1 - 2 * precision * recall / (precision + recall + EPSILON * EPSILON)


def count_values(network: nn.Module) -> int:
    """Count parameters and running statistics, as Keras does."""
    running = [buffer for name, buffer in network.named_buffers() if "running" in name]
    return sum(values.numel() for values in (*network.parameters(), *running))
