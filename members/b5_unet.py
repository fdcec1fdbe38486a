"""EfficientNet-B5 with the notebook's U-Net decoder, strongly augmented, under the Lovasz hinge."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="efficientnetb5",
    encoder_weights="imagenet",
    loss="lovasz",
    augment="strong",
    scale=1.33,
    schedule="cosine",
    learning_rate=1e-4,
    warmup=2,
    clip_norm=1.0,
    epochs=80,
)

if __name__ == "__main__":
    run_member(__file__)
