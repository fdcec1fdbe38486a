"""EfficientNet-Lite0 that looks at twice the resolution: small buildings have more of its cells."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="lite0",
    encoder_weights="lite",
    zoom=2,
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
