"""Specs refuse what cannot be built, and come back from disk as they were."""

import json
from pathlib import Path
from typing import Any

import pytest

from members.common.errors import InputError
from members.training.catalog import list_specs
from members.training.spec import MemberSpec, read_spec, revise_spec, validate_spec

SPEC = MemberSpec(name="any", backbone="lite0", schedule="cosine", epochs=5)


@pytest.mark.parametrize("spec", list_specs().values(), ids=list_specs())
def test_specs_survive_json(spec: MemberSpec, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(spec.model_dump()))
    assert read_spec(tmp_path / "spec.json") == spec


def test_a_spec_on_disk_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({"backbone": "lite0"}))
    with pytest.raises(InputError, match=r"spec.json: name: Field required"):
        read_spec(tmp_path / "spec.json")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crop": 100}, "crop = 100: .*multiple of 32"),
        ({"decoder": "sm_unet"}, "no Lite backbones"),
        ({"backbone": "resnet34"}, "no skips of resnet34"),
        ({"warmup": 5}, "5 epochs of warm-up in 5"),
        ({"warmup": 1, "schedule": "plateau"}, "cosine schedule only"),
        ({"warmup": 1, "cycles": 2}, "several cycles .* without a warm-up"),
        ({"cycles": 6}, "6 cycles in 5 epochs"),
        ({"scale": 0.5}, "greater than or equal to 1"),
        ({"mixup": 0.2, "loss": "bce_lovasz"}, "bce_lovasz is of masks"),
        ({"ema": 1.0}, "less than 1"),
        ({"balance": 0.0}, "greater than 0"),
        ({"precision": "float8"}, "mixed_bfloat16"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=f"^member any: .*{reason}") as caught:
        revise_spec(SPEC, **changes)
    assert "\n" not in str(caught.value)


def test_a_spec_of_before_an_option_has_its_default() -> None:
    old = {key: value for key, value in SPEC.model_dump().items() if key not in ("ema", "precision", "balance")}
    assert validate_spec(old, "old.json") == SPEC


def test_the_pyramid_needs_another_multiple() -> None:
    assert SPEC.size_multiple == 32
    assert MemberSpec(name="any", backbone="resnet34", decoder="sm_pspnet").size_multiple == 48
