"""lite2_unet at half the resolution: it sees more ground at once, with a quarter of the multiply-adds."""

from members.training.spec import MemberSpec
from members.training.train import run_member

SPEC = MemberSpec(
    backbone="lite2",
    shrink=2,
    encoder_weights="lite",
    loss="bce_dice",
    augment="d4_cutmix",
    schedule="cosine",
    learning_rate=1e-3,
    dropout=(0.2, 0.2, 0.2, 0.1, 0.1),
    momentum=0.9,
    epochs=24,
)

if __name__ == "__main__":
    run_member(__file__)
