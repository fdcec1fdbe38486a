"""SE-ResNeXt-50 U-Net as segmentation-models builds it."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="seresnext50",
    decoder="sm_unet",
    encoder_weights="imagenet",
    loss="bce_lovasz",
    augment="d4_photo",
    schedule="cosine",
    learning_rate=2e-4,
    warmup=2,
    epochs=60,
)

if __name__ == "__main__":
    run_member(__file__)
