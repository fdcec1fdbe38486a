"""Networks come with their spec, and what is no trained network is said so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Standin

from ensemble.inference.networks import load_network, load_networks
from members.common.errors import InputError
from members.common.files import write_json
from members.data.run import FoldFolder
from members.training.catalog import find_spec
from members.training.networks.weights import write_content, write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fold whose weights are no weights."""
    write_json(tmp_path / "fold0/spec.json", find_spec("lite0_unet").model_dump())
    write_content(b"weights", FoldFolder(tmp_path / "fold0"))
    return tmp_path / "fold0"


def test_a_network_is_what_was_saved(
    folder: Path, lite0_network: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("members.training.networks.network.build_network", lambda spec: lite0_network)
    write_weights(lite0_network, FoldFolder(folder))
    batch = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    saved = lite0_network.get_weights()
    lite0_network.set_weights([np.zeros_like(values) for values in saved])
    capfd.readouterr()
    network = load_network(str(folder))
    assert network.spec == find_spec("lite0_unet")
    for values, found in zip(saved, lite0_network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, values)
    seen = network.predict(batch)
    assert seen.shape == (2, 64, 64, 1)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, lite0_network(batch, training=False), atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_folders_without_a_trained_network(folder: Path, lite0_network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.training.networks.network.build_network", lambda spec: lite0_network)
    with pytest.raises(InputError, match=r"best.weights.h5: of another network than its spec.json \(.*\); retrain"):
        load_network(folder)
    (folder / "best.weights.h5").write_bytes(b"weight")
    with pytest.raises(InputError, match=r"best.weights.h5: damaged, not the file that training wrote \(hash .*\);"):
        load_network(folder)
    (folder / "best.weights.h5").unlink()
    with pytest.raises(InputError, match=r"best.weights.h5: no such file, so no trained network here; train it, or"):
        load_network(folder)
    with pytest.raises(InputError, match=r"absent/spec.json: no such file"):
        load_network(folder / "absent")


def test_weights_that_are_not_the_manifests(folder: Path) -> None:
    with pytest.raises(InputError, match=r"best.weights.h5: hash \w+, but the manifest of the maps says 0f; the"):
        load_networks((folder,), ("0f",), "keras", lambda folder, engine: Standin().network)
