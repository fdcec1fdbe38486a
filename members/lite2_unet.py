"""EfficientNet-Lite2 with the notebook's U-Net decoder: wider and deeper than lite0_unet, and trained for longer."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="lite2",
    encoder_weights="lite",
    loss="dice_focal_boundary",
    augment="d4_cutmix",
    schedule="cosine",
    learning_rate=1e-3,
    dropout=(0.2, 0.2, 0.2, 0.1, 0.1),
    momentum=0.9,
    epochs=36,  # at 12 it is still far from what it can learn
)

if __name__ == "__main__":
    run_member(__file__)
