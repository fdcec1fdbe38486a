"""Dialects of submissions: what is written in one is read back from it, by name or by the file's own header."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely import box

from members.common.errors import InputError
from postproc.formats.dialects.dialect import DIALECTS, KAGGLE, Dialect, find_dialect, parse_dialect
from postproc.formats.dialects.images import read_images
from postproc.formats.dialects.rows import read_header
from postproc.formats.dialects.samples import read_sample
from postproc.formats.rle import Order, decode_rle, encode_labels, encode_rle
from postproc.formats.submission import (
    Row,
    draw_labels,
    encode_image,
    encode_mask,
    open_submission,
    write_submission,
)
from postproc.polygons.buildings import Building
from postproc.polygons.labelling import label_components

masks = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(lambda shape: arrays(bool, shape))
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
orders = st.sampled_from(["columns", "rows"])
words = st.builds(
    lambda name, *more: ",".join([name, *more]),
    st.sampled_from(sorted(DIALECTS)),
    orders,
    st.sampled_from(["from0", "from1"]),
    st.sampled_from(["images", "buildings"]),
    st.sampled_from(["empty=", "empty=-1", "empty=nothing here"]),
)


def encode_naively(mask: np.ndarray, order: Order, start: int) -> str:
    """Pixel by pixel."""
    pixels = mask.ravel(order="F" if order == "columns" else "C").tolist()
    runs: list[list[int]] = []
    for number, value in enumerate(pixels):
        if value and number and pixels[number - 1]:
            runs[-1][1] += 1
        elif value:
            runs.append([number + start, 1])
    return " ".join(f"{first} {length}" for first, length in runs)


@given(masks, orders, st.integers(0, 1))
def test_runs_in_every_order_and_from_either_number(mask: np.ndarray, order: Order, start: int) -> None:
    text = encode_rle(mask, order, start)
    assert text == encode_naively(mask, order, start)
    found = decode_rle(text, mask.shape[0], mask.shape[1], order, start)
    np.testing.assert_array_equal(found, mask)
    assert found.flags.c_contiguous


@given(masks.flatmap(lambda mask: arrays(np.int32, mask.shape, elements=st.integers(0, 4))), orders, st.integers(0, 1))
def test_each_building_is_encoded_as_its_own_mask_is(labels: np.ndarray, order: Order, start: int) -> None:
    expected = [encode_naively(labels == number, order, start) for number in range(1, labels.max(initial=0) + 1)]
    assert encode_labels(labels, order, start) == expected


@given(words, st.dictionaries(ids, masks, max_size=4), st.booleans())
@settings(max_examples=60)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, text: str, rows: dict[str, np.ndarray], zipped: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / ("s.csv.gz" if zipped else "s.csv")
    dialect = parse_dialect(text)
    write_submission(path, rows, text)
    assert tuple(read_header(path)) == dialect.columns
    found = {dialect.find_id(image.name): image for image in read_images(path, dialect)}
    assert list(found) == list(rows)
    for image_id, mask in rows.items():
        np.testing.assert_array_equal(found[image_id].decode((mask.shape[0], mask.shape[1])), mask)
        if dialect.per_building:
            buildings = found[image_id].decode_buildings((mask.shape[0], mask.shape[1]))
            assert len(buildings) == label_components(mask).max(initial=0)


@given(words, st.dictionaries(ids.filter(lambda name: not name.endswith(".jpg")), masks, min_size=1, max_size=4))
@settings(max_examples=40)
def test_a_sample_makes_the_same_file_as_its_own_dialect(
    tmp_path_factory: pytest.TempPathFactory, text: str, rows: dict[str, np.ndarray]
) -> None:
    """A file serves as a sample of the same images: what comes out is that file again, image by image."""
    folder = tmp_path_factory.getbasetemp()
    write_submission(folder / "sample.csv", rows, text)
    sample = read_sample(folder / "sample.csv", rows, text)
    with open_submission(folder / "again.csv", rows, sample.dialect, sample) as add:
        for image_id in sample.names:
            add(image_id, encode_mask(image_id, rows[image_id], sample.dialect))
    first, again = ((folder / name).read_text() for name in ("sample.csv", "again.csv"))
    assert again == first


def test_gzip_is_the_same_to_the_byte_and_a_cut_file_is_said(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((60, 60)) < 0.5
    for name in ("a.csv.gz", "b.csv.gz", "c.csv"):
        write_submission(tmp_path / name, {"a": mask})
    content = (tmp_path / "a.csv.gz").read_bytes()
    assert content == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress(content) == (tmp_path / "c.csv").read_bytes()
    for damaged in (content[:-200], b"no gzip", content[:20] + bytes(40) + content[60:]):
        (tmp_path / "a.csv.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a.csv.gz: not a readable CSV|not UTF-8"):
            list(read_images(tmp_path / "a.csv.gz"))


def test_a_header_tells_its_columns_and_ids_their_ending() -> None:
    for name, dialect in DIALECTS.items():
        names = {dialect.name("a"), dialect.name("b")}
        found = find_dialect(Path("s.csv"), dialect.columns, names)
        told = replace(dialect, order="columns", per_building=False, constants={})
        assert found == told, name
        assert find_dialect(Path("s.csv"), dialect.columns, names, name) == dialect
    mixed = find_dialect(Path("s.csv"), ["PREDICTED", "filename", "HEIGHT", "width"], {"a.tif", "b.png"})
    assert mixed == Dialect(
        ("PREDICTED", "filename", "HEIGHT", "width"), "filename", "PREDICTED", width="width", height="HEIGHT"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("carvanna", r"format 'carvanna': no 'carvanna'; did you mean carvana\? give one of kaggle, airbus"),
        ("rows,airbus", "no 'airbus'; did you mean airbus"),
        ("rows,", "no ''; give one of"),
        ("from2", r"did you mean from0\?|from1"),
    ],
)
def test_words_that_are_none(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_dialect(text)


def test_what_stands_for_nothing_comes_from_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    for fill, empty in (("-1", "-1"), ("1 1", ""), ("", ""), ("authentic", "authentic"), ("7", "7")):
        path.write_text(f"id,rle\na,{fill}\nb,{fill}\n")
        assert read_sample(path, ["a"]).dialect.empty == empty


def test_touching_buildings_stay_apart_and_share_no_pixel() -> None:
    buildings = [Building(box(1, 1, 4, 5), "traced", 1.0), Building(box(4, 1, 8, 5), "traced", 1.0)]
    overlapping = [*buildings, Building(box(3, 3, 6, 9), "traced", 1.0), Building(box(-3, -3, 0.2, 0.2), "traced", 1.0)]
    labels = draw_labels(overlapping, (6, 9))
    assert np.bincount(labels.ravel()).tolist() == [54 - 12 - 16 - 3, 12, 16, 3]
    row = encode_image(labels, parse_dialect("airbus"))
    assert len(row.runs) == 3
    assert encode_image(np.zeros((2, 2), np.int32), KAGGLE) == Row(("",), (2, 2), row_digest())


def row_digest() -> bytes:
    return encode_mask("a", np.zeros((2, 2), bool)).digest
