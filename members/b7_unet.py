"""The baseline: an EfficientNet-B7 U-Net, every layer trained, with Dice, focal and boundary loss."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="efficientnetb7",
    encoder_weights="imagenet",
    loss="dice_focal_boundary",
    augment="none",
    views="none",
    schedule="plateau",
    learning_rate=5e-5,
    epochs=150,
)

if __name__ == "__main__":
    run_member(__file__)
