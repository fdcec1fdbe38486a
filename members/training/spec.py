"""What a member is: a frozen, validated record, enough to train it and to rebuild its network."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from members.common.choices import BANDS, Precision
from members.common.errors import InputError
from members.common.files import read_json
from members.data.record import RETRAIN

STRIDE = 32
"""Encoders halve their input five times, so sides are padded to a multiple of 2**5."""
PYRAMID_MULTIPLE = 48
"""PSPNet pools features of stride 8 into 6 x 6 cells."""

Backbone = Literal[
    "efficientnetb0", "efficientnetb4", "efficientnetb5", "efficientnetb7",
    "inceptionresnetv2", "lite0", "lite1", "lite2", "mobilenetv2", "resnet34", "seresnext50",
]  # fmt: skip
Decoder = Literal["unet", "sm_fpn", "sm_linknet", "sm_pspnet", "sm_unet"]
Loss = Literal["bce_dice", "bce_lovasz", "dice_focal_boundary", "lovasz"]
Policy = Literal["none", "d4", "d4_photo", "d4_cutmix", "strong"]
Schedule = Literal["plateau", "cosine"]
Rate = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1)]


class Distillation(BaseModel):
    """How a student is taught by maps of other members (Hinton et al. 2015, https://arxiv.org/abs/1503.02531)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_weight: Annotated[
        float, Field(ge=0, le=1, description="of the mask, where there is one, beside the teachers' map")
    ] = 0.5
    temperature: Annotated[
        float, Field(gt=0, description="that the map's log-odds are divided by: above 1 it is softer")
    ] = 1.0
    floor: Annotated[
        float, Field(ge=0.5, lt=1, description="probability, of building or of none, below which no pixel is taught")
    ] = 0.5


class MemberSpec(BaseModel):
    """One member of the ensemble. Networks take RGB 0..255 and hold their own preprocessing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="that of the script's file, which the catalog fills in")
    ] = ""
    backbone: Backbone
    decoder: Annotated[Decoder, Field(description="unet: the notebook's; sm_*: segmentation-models'")] = "unet"
    shrink: Annotated[
        Literal[1, 2, 4], Field(description="by which the network shrinks a tile before it looks: it sees more ground")
    ] = 1
    encoder_weights: Annotated[str, Field(description="imagenet, lite, none, or a .h5 file")] = "imagenet"
    loss: Loss = "bce_dice"
    augment: Annotated[Policy, Field(description="augmentation policy")] = "d4"
    views: Annotated[Literal["none", "flips", "d4"], Field(description="TTA views that its training covers")] = "d4"
    contact: Annotated[
        bool, Field(description="learns, from outlines, the borders of buildings and where they touch, too")
    ] = False
    scale: Annotated[
        float,
        Field(ge=1, le=4, description="crops show the ground up to so many times larger or smaller"),
    ] = 1.0
    mixup: Annotated[
        float | None, Field(gt=0, description="of two examples, in shares drawn from Beta(mixup, mixup); None: none")
    ] = None
    student: Annotated[
        Distillation | None, Field(description="how it is taught by other members' maps; None: by masks alone")
    ] = None
    schedule: Annotated[Schedule, Field(description="how the learning rate falls")] = "plateau"
    learning_rate: Annotated[float, Field(gt=0, description="Adam's, at the start")] = 5e-5
    epochs: Annotated[int, Field(ge=1, description="at most")] = 150
    patience: Annotated[int, Field(ge=1, description="epochs without a lower validation loss before it stops")] = 10
    batch_size: Annotated[int, Field(ge=1, description="tiles")] = 8
    crop: Annotated[int, Field(ge=32, multiple_of=STRIDE, description="side of training crops, px")] = 256
    dropout: Annotated[
        tuple[Rate, Rate, Rate, Rate, Rate], Field(description="of the notebook decoder's five steps, coarsest first")
    ] = (0.5, 0.5, 0.5, 0.25, 0.25)
    filters: Annotated[tuple[Width, Width, Width, Width, Width], Field(description="of the same five steps")] = (
        256,
        128,
        64,
        32,
        16,
    )
    momentum: Annotated[float, Field(ge=0, lt=1, description="of the decoder's batch normalisation")] = 0.99
    warmup: Annotated[int, Field(ge=0, description="epochs of linear rise before the cosine")] = 0
    cycles: Annotated[int, Field(ge=1, description="of the cosine: how often the rate falls, from the start anew")] = 1
    clip_norm: Annotated[float | None, Field(gt=0, description="largest norm of all gradients together")] = None
    ema: Annotated[
        float | None, Field(gt=0, lt=1, description="decay a step of the averaged weights that are kept; None: none")
    ] = None
    balance: Annotated[
        float | None, Field(gt=0, le=1, description="share of an epoch's tiles that have buildings; None: as they are")
    ] = None
    frozen: Annotated[
        int, Field(ge=0, le=5, description="the encoder's finest stages, of five, that keep the weights they came with")
    ] = 0
    precision: Annotated[Precision, Field(description="mixed: float32 weights, half-size activations")] = "float32"
    seed: Annotated[int, Field(ge=0, description="of initial weights, order and augmentation")] = 42

    @model_validator(mode="after")
    def check_combination(self) -> Self:
        """Refuse what cannot be built or trained together."""
        if self.backbone.startswith("lite") and self.decoder != "unet":
            raise ValueError("segmentation-models has no Lite backbones; decoder unet")
        if self.decoder == "unet" and not self.backbone.startswith(("lite", "efficientnet")):
            raise ValueError(f"no skips of {self.backbone} for the notebook's decoder; decoder sm_unet or another sm_*")
        if self.frozen and self.decoder != "unet":
            raise ValueError("stages are frozen of encoders that the notebook's decoder takes; decoder unet")
        if self.contact and self.decoder != "unet":
            raise ValueError("borders and contacts are drawn by the notebook's decoder alone; decoder unet")
        if self.student and self.contact:
            raise ValueError("maps teach a student buildings alone; one that learns no borders and contacts")
        if self.student and "lovasz" in self.loss:
            raise ValueError(f"{self.loss} is of masks, not of probabilities; a student with loss bce_dice")
        if self.mixup and "lovasz" in self.loss:
            raise ValueError(f"{self.loss} is of masks, not of mixed ones; mixup with loss bce_dice or another")
        if self.cycles > 1 and (self.schedule != "cosine" or self.warmup):
            raise ValueError("several cycles come with the cosine schedule only, without a warm-up")
        if self.cycles > self.epochs:
            raise ValueError(f"{self.cycles} cycles in {self.epochs} epochs; more epochs, or fewer cycles")
        if self.warmup and self.schedule != "cosine":
            raise ValueError("a warm-up comes with the cosine schedule only")
        if self.warmup >= self.epochs:
            raise ValueError(f"{self.warmup} epochs of warm-up in {self.epochs}; more epochs, or a shorter warm-up")
        return self

    @property
    def bands(self) -> tuple[str, ...]:
        """What the network tells of each pixel, the first of which every member does."""
        return BANDS if self.contact else BANDS[:1]

    @property
    def size_multiple(self) -> int:
        """Of what the sides of the network's input are multiples, px; other tiles are padded and cropped again."""
        return self.shrink * (PYRAMID_MULTIPLE if self.decoder == "sm_pspnet" else STRIDE)


def revise_spec(spec: MemberSpec, **changes: object) -> MemberSpec:
    """Return a validated copy with the changes that are not None.

    Raises:
        InputError: a change breaks a rule of the spec.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    return validate_spec(spec.model_dump() | given, source=f"member {spec.name}")


def check_encoder_weights(backbone: str, weights: str) -> None:
    """Check that encoder weights can be had for a backbone, as far as that shows without a network or a framework.

    Raises:
        InputError: there are none of the name, or no such file.
    """
    lite = backbone.startswith("lite")
    if weights == "imagenet" and lite:
        raise InputError(f"{backbone} has no imagenet download; --encoder-weights lite, none or FILE")
    if weights == "lite" and not lite:
        raise InputError("--encoder-weights lite is for the lite members; imagenet, none or FILE here")
    if weights not in ("imagenet", "lite", "none") and not Path(weights).is_file():
        raise InputError(f"--encoder-weights {weights}: no such file; imagenet, lite, none or a .h5 file")


def read_spec(path: Path) -> MemberSpec:
    """Read a spec.json.

    Raises:
        InputError: it is missing, not JSON, or not a spec.
    """
    content = read_json(path, RETRAIN)
    try:
        spec = validate_spec(content, source=str(path))
    except InputError as error:
        raise InputError(f"{error}; {RETRAIN}") from None
    if not spec.name:
        raise InputError(f"{path}: name: Field required; {RETRAIN}")
    return spec


def validate_spec(values: object, source: str) -> MemberSpec:
    """Make a spec of values as a JSON file has them; `source` is where they are from.

    Raises:
        InputError: they break a rule of the spec.
    """
    try:
        return MemberSpec.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise InputError(
            f"{source}: {field + ' = ' + repr(problem['input']) + ': ' if field else ''}{problem['msg']}"
        ) from None
