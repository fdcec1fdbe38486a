"""EfficientNet-Lite1 with the notebook's U-Net decoder, under the strongest augmentation and the Lovasz hinge."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="lite1",
    encoder_weights="lite",
    loss="lovasz",
    augment="strong",
    scale=1.33,
    schedule="cosine",
    learning_rate=1e-3,
    momentum=0.9,
    epochs=12,
)

if __name__ == "__main__":
    run_member(__file__)
