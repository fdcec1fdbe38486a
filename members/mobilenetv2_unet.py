"""MobileNetV2 U-Net as segmentation-models builds it: the cheapest of the downloads."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="mobilenetv2",
    decoder="sm_unet",
    encoder_weights="imagenet",
    loss="bce_dice",
    augment="d4_photo",
    schedule="cosine",
    learning_rate=3e-4,
    epochs=60,
)

if __name__ == "__main__":
    run_member(__file__)
