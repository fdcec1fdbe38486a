"""What a member is: a frozen, validated record, enough to train it and to rebuild its network."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from members.errors import InputError
from members.files import read_json

SIZE_MULTIPLE = 32
"""Every network halves its input five times, so sides are padded to a multiple of 2**5."""

Backbone = Literal["efficientnetb7", "lite0", "lite1", "lite2", "resnet34"]
Decoder = Literal["unet", "sm_unet"]
Loss = Literal["bce_dice", "bce_lovasz", "dice_focal_boundary", "lovasz"]
Policy = Literal["none", "d4", "d4_photo", "strong"]
Schedule = Literal["plateau", "cosine"]


class MemberSpec(BaseModel):
    """One member of the ensemble. Networks take RGB 0..255 and hold their own preprocessing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="the script's name in members/")]
    backbone: Backbone
    decoder: Annotated[Decoder, Field(description="unet: the notebook's; sm_unet: segmentation-models'")] = "unet"
    encoder_weights: Annotated[str, Field(description="imagenet, lite, none, or a .h5 file")] = "imagenet"
    loss: Loss = "bce_dice"
    augment: Annotated[Policy, Field(description="augmentation policy")] = "d4"
    views: Annotated[Literal["none", "flips", "d4"], Field(description="the TTA views that it was trained to bear")] = (
        "d4"
    )
    schedule: Annotated[Schedule, Field(description="how the learning rate falls")] = "plateau"
    learning_rate: Annotated[float, Field(gt=0, description="Adam's, at the start")] = 5e-5
    epochs: Annotated[int, Field(ge=1, description="at most")] = 150
    patience: Annotated[int, Field(ge=1, description="epochs without a lower validation loss before it stops")] = 10
    batch_size: Annotated[int, Field(ge=1, description="tiles")] = 8
    crop: Annotated[int, Field(ge=32, multiple_of=SIZE_MULTIPLE, description="side of training crops, px")] = 256
    momentum: Annotated[float, Field(ge=0, lt=1, description="of the decoder's batch normalisation")] = 0.99
    seed: Annotated[int, Field(ge=0, description="of initial weights, order and augmentation")] = 42


def revise_spec(spec: MemberSpec, **changes: object) -> MemberSpec:
    """A validated copy with the changes that are not None.

    Raises:
        InputError: a change breaks a rule of the spec.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    return validate_spec(spec.model_dump() | given, source=f"member {spec.name}")


def read_spec(path: Path) -> MemberSpec:
    """Read a spec.json.

    Raises:
        InputError: it is missing, not JSON, or not a spec.
    """
    return validate_spec(read_json(path), source=str(path))


def validate_spec(values: object, source: str) -> MemberSpec:
    try:
        return MemberSpec.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{source}: {field} = {problem['input']!r}: {problem['msg']}") from None
