"""ResNet-34 Linknet as segmentation-models builds it: skips are added, not concatenated."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="resnet34",
    decoder="sm_linknet",
    encoder_weights="imagenet",
    loss="bce_lovasz",
    augment="d4",
    schedule="cosine",
    learning_rate=3e-4,
    epochs=60,
)

if __name__ == "__main__":
    run_member(__file__)
