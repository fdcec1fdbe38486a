"""ResNet-34 PSPNet: it sees the whole tile at once, but only every eighth pixel."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="resnet34",
    decoder="sm_pspnet",
    encoder_weights="imagenet",
    loss="bce_dice",
    augment="d4_photo",
    schedule="cosine",
    learning_rate=3e-4,
    epochs=60,
)

if __name__ == "__main__":
    run_member(__file__)
