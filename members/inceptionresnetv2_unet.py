"""Inception-ResNet-v2 U-Net as segmentation-models builds it, strongly augmented."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="inceptionresnetv2",
    decoder="sm_unet",
    encoder_weights="imagenet",
    loss="bce_dice",
    augment="strong",
    scale=1.33,
    schedule="cosine",
    learning_rate=2e-4,
    warmup=2,
    epochs=60,
)

if __name__ == "__main__":
    run_member(__file__)
