"""EfficientNet-Lite0 with the notebook's U-Net decoder: real results without a GPU."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="lite0",
    encoder_weights="lite",
    loss="bce_dice",
    augment="d4_cutmix",
    schedule="cosine",
    learning_rate=1e-3,
    dropout=(0.2, 0.2, 0.2, 0.1, 0.1),  # a dozen epochs are too few to average over more
    momentum=0.9,
    epochs=12,
)

if __name__ == "__main__":
    run_member(__file__)
