"""EfficientNet-B4 with the notebook's U-Net decoder, its weights averaged over the last thousand steps."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="efficientnetb4",
    encoder_weights="imagenet",
    loss="dice_focal_boundary",
    augment="d4_photo",
    schedule="cosine",
    learning_rate=2e-4,
    warmup=2,
    ema=0.999,
    epochs=80,
)

if __name__ == "__main__":
    run_member(__file__)
