"""EfficientNet-B0 feature pyramid as segmentation-models builds it, on few tiles without buildings."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="efficientnetb0",
    decoder="sm_fpn",
    encoder_weights="imagenet",
    loss="bce_dice",
    augment="strong",
    scale=1.33,
    schedule="cosine",
    learning_rate=3e-4,
    balance=0.9,
    epochs=60,
)

if __name__ == "__main__":
    run_member(__file__)
