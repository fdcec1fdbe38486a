"""What several test modules share: the real data, where it is present, tiny data sets, and the command line."""

import hashlib
import itertools
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
from hypothesis import settings

from ensemble.inference.networks import Network
from ensemble.mapfolder.samples import ArraySamples
from members.common.files import write_json
from members.data.run import FoldFolder, Run
from members.training.catalog import find_spec
from members.training.networks.weights import write_content

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
settings.register_profile("patient", deadline=None)  # a slow machine breaks no test
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
GEOREFERENCE = {"crs": "EPSG:3857", "transform": rasterio.Affine(0.25, 0, 9_500_000, 0, -0.5, 3_200_000)}


def pytest_configure(config: pytest.Config) -> None:
    """Let tests write images without georeferencing, and without a warning."""
    config.addinivalue_line("filterwarnings", "ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Compile the loops that most tests use, before processes begin that would each compile them at once."""
    import roofstack as rs

    samples = draw_samples(2)
    maps = {name: [maps[number] for maps, _ in samples] for number, name in enumerate(samples.members)}
    truths = [truth for _, truth in samples]
    tuning = rs.tune_pipeline(maps, truths, samples.groups, cross_fit=False)
    rs.score_masks([tuning.pipeline.mask(values) for values in maps["m0"]], truths, samples.groups)
    rs.select_blend(maps, truths, samples.groups, bags=1)


SHARERS = (
    "tests/campaign/test_quick.py",
    "tests/ensemble/inference/test_networks.py",
    "tests/ensemble/inference/test_sharing.py",
    "tests/ensemble/test_predict.py",
    "tests/members/common/test_workers.py",
    "tests/postproc/search/test_counting.py",
    "tests/postproc/test_score.py",
    "tests/postproc/test_submit.py",
    "tests/postproc/test_tune.py",
)
"""The files whose tests share a cluster, a server of forks or a network: one process of xdist runs them all, as each of
those that did would begin its own."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal out tests by file, and the sharers as one."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "sharers" if file in SHARERS else file

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


CPU_LIMIT = 20  # s, of a test that is not marked slow


def read_cpu() -> float:
    """Seconds of computing by this process and by the children that have ended."""
    return sum(os.times()[:4])


spent = read_cpu()
at_end = False  # whether what is torn down is what tests share: processes, which have computed for all of them


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Tell what one test has computed from what its process has to end."""
    global at_end
    at_end = nextitem is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what each phase of a test has computed; what is noted comes back from the processes of xdist."""
    global spent
    report = yield
    before, spent = spent, read_cpu()
    report.__dict__["cpu"] = spent - before
    report.__dict__["shared"] = report.when == "teardown" and at_end
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much the tests have computed together, and which of them too much; and the figures of campaigns."""
    seconds: Counter[str] = Counter()
    campaigns: dict[str, Counter[str]] = {}
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", None) == "call":
            for name, figures in report.user_properties:
                campaigns.setdefault(name, Counter()).update(figures)
        if hasattr(report, "cpu"):
            seconds["shared" if report.shared else report.nodeid] += report.cpu
    for name, total in campaigns.items():
        terminalreporter.write_line(json.dumps({"campaign": name, **total}))
    for report in terminalreporter.stats.get("skipped", []):
        if "campaign" in report.keywords:
            terminalreporter.write_line(f"left out of the campaign: {report.nodeid}: {report.longrepr[2]}")
    shared = seconds.pop("shared", 0.0)
    terminalreporter.write_line(
        f"{seconds.total() + shared:.0f} s of computing in {len(seconds)} tests, {shared:.0f} of them by "
        "processes that tests share"
    )
    for test, amount in seconds.most_common(10):
        if amount > CPU_LIMIT:
            terminalreporter.write_line(
                f"{amount:.0f} s: {test}, more than {CPU_LIMIT}; make it smaller, or mark it slow"
            )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get("ROOFSTACK_DATA", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ROOFSTACK_DATA")
    return folder


def write_raster(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    """Write (h, w) or (h, w, bands) in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, count = bands.shape
    shape = {"height": height, "width": width, "count": count, "dtype": bands.dtype}
    with rasterio.open(path, "w", driver=DRIVERS[path.suffix.lower()], **shape, **profile) as raster:
        raster.write(bands.transpose(2, 0, 1))
    return path


def write_tiles(folder: Path, count: int = 6, size: tuple[int, int] = (64, 64), suffix: str = ".tif") -> Path:
    """Write images/, masks/ and groups.csv: tile0, tile1, .. of random pixels, two neighbours a group."""
    georeference = GEOREFERENCE if suffix == ".tif" else {}
    for number in range(count):
        rng = np.random.default_rng(number)
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        write_raster(folder / "images" / f"tile{number}{suffix}", image, **georeference)
        write_raster(folder / "masks" / f"tile{number}{suffix}", (image[..., 0] > 127) * np.uint8(255), **georeference)
    rows = [f"tile{number},g{number // 2}\n" for number in range(count)]
    (folder / "groups.csv").write_text("image_id,group\n" + "".join(rows))
    return folder


TILE_GROUPS = ["b", "a", "b", "c"]


def draw_samples(members: int, seed: int = 0, noise: float = 60, groups: Sequence[str] = TILE_GROUPS) -> ArraySamples:
    """Draw four tiles of three sizes: maps of a random truth by members m0, m1, .., each noisier than the last."""
    rng = np.random.default_rng(seed)
    truths: list[np.ndarray] = []
    maps: dict[str, list[np.ndarray]] = {f"m{member}": [] for member in range(members)}
    for size in [(6, 9), (4, 5), (6, 9), (7, 3)]:
        truths.append(rng.random(size) < 0.4)
        for member, own in enumerate(maps.values()):
            values = 128 + 90 * (truths[-1] - 0.5) + rng.normal(0, noise + 5 * member, size)
            own.append(np.clip(values, 0, 255).astype(np.uint8))
    return ArraySamples(maps, truths, groups)


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """A data set of six 64x64 tiles in three groups."""
    return write_tiles(tmp_path / "data")


def draw_pairs(count: int, seed: int) -> dict[str, Any]:
    """Draw training tiles by image id: image and mask, a bright rectangle on dark ground; each fourth is empty."""
    rng = np.random.default_rng(seed)
    pairs = {}
    for index in range(count):
        mask = np.zeros((48, 48), bool)
        if index % 4:
            top, left = rng.integers(4, 24, 2)
            mask[top : top + 16, left : left + 20] = True
        image = np.where(mask[..., None], 180, 60) + rng.integers(-40, 40, (48, 48, 3))
        pairs[f"tile{index}"] = image.astype(np.uint8), mask
    return pairs


def hash_folder(folder: Path) -> dict[str, str]:
    """Every path below a folder with the hash of its bytes; to see whether anything on disk has changed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()
        for path in folder.rglob("*")
    }


def write_fold(run: Run, member: str, fold: int, weights: bytes = b"weights", base: str = "lite0_unet") -> FoldFolder:
    """Write what training leaves of one fold, with any bytes for weights."""
    folder = run.fold(member, fold)
    write_json(folder.spec_file, find_spec(base).model_dump() | {"name": member})
    write_json(folder.record_file, run.read_record().model_dump())
    write_content(weights, folder)
    return folder


Turn = Callable[[np.ndarray], np.ndarray]


def pair_turns(turns: int, flip: bool) -> tuple[Turn, Turn]:
    """Give a symmetry of an image and how to get back, in NumPy's words alone."""

    def turn(image: np.ndarray) -> np.ndarray:
        return np.rot90(image[:, ::-1] if flip else image, turns)

    def undo(image: np.ndarray) -> np.ndarray:
        return np.rot90(image, -turns)[:, :: -1 if flip else 1]

    return turn, undo


SYMMETRIES = [pair_turns(turns, flip) for turns in range(4) for flip in (False, True)]


def draw_stack(*shape: int) -> np.ndarray:
    """Draw random images, uint8 (*shape, 3)."""
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


class Standin:
    """Stands in for a network: the red channel / 255 times `slope`, and `tilt` of it lost from left to right.

    A contact member sees borders in the green channel, and contacts in the blue one.
    """

    def __init__(self, slope: float = 1.0, tilt: float = 0.0, member: str = "lite0_unet") -> None:
        self.slope, self.tilt, self.spec = np.float32(slope), tilt, find_spec(member)
        self.batches: list[np.ndarray] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch)
        assert batch.dtype == np.float32
        assert not any(side % self.spec.size_multiple for side in batch.shape[1:3])
        ramp = 1 - self.tilt * np.linspace(0, 1, batch.shape[2], dtype=np.float32)
        bands = batch[..., : len(self.spec.bands)]
        return bands / np.float32(255) * self.slope * ramp[:, None].astype(np.float32)

    @property
    def network(self) -> Network:
        return Network(self.spec, self.predict)


@pytest.fixture(scope="session")
def lite0_network() -> Any:
    """The network of lite0_unet with random weights: seconds to build, so the tests share it."""
    from members.training.networks.backend import load_backend

    load_backend()
    from members.training.networks.network import build_network

    return build_network(find_spec("lite0_unet"))


def build_small(seed: int) -> Any:
    """Build a network with all that is special in members: preprocessing, padding, bilinear upsampling, a skip."""
    from members.training.networks.backend import load_backend

    load_backend()
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="rgb")
    x = layers.Rescaling(1 / 128, -127 / 128)(image)
    skip = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(5, strides=2, padding="same")(skip)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(layers.Conv2D(8, 1)(x))
    x = layers.Dropout(0.5)(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.Concatenate()([x, skip])
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid", kernel_initializer="random_normal")(x)
    return keras.Model(image, x)


@pytest.fixture
def write_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FoldFolder]:
    """Write a trained fold of the small network; `build_network` builds such."""
    from members.training.networks.weights import write_weights

    monkeypatch.setattr("members.training.networks.network.build_network", lambda spec: build_small(0))

    def write(seed: int = 0, path: Path = tmp_path / "fold0") -> FoldFolder:
        files = FoldFolder(path)
        write_json(files.spec_file, find_spec("lite0_unet").model_dump(mode="json"))
        write_weights(build_small(seed), files)
        return files

    return write


class Lopsided:
    """Knows the truth (red above 127) well on the left and badly on the right, so that mirrored views help it."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        truth = batch[..., :1] / np.float32(255)
        noise = np.random.default_rng(0).normal(0, 0.5, truth.shape).astype(np.float32)
        return np.clip(truth + noise * np.linspace(0, 1, batch.shape[2], dtype=np.float32)[:, None], 0, 1)


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """The address of a Dask scheduler with two workers, a process each."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Runs command lines for the campaigns, in forks that have loaded what they need."""
    from campaign_runs import open_server

    with open_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system in memory of some bytes at a folder; skips where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def call(size: int) -> Path:
        subprocess.run(["umount", folder], capture_output=True, check=False)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
        if done.returncode:
            pytest.skip("no right to mount a file system: run as root")
        return folder

    yield call
    subprocess.run(["umount", folder], capture_output=True, check=False)


def find_program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a throwaway PostgreSQL cluster on loopback; skips where PostgreSQL is not installed."""
    initdb, pg_ctl = find_program("initdb"), find_program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL here (initdb, pg_ctl): apt-get install postgresql")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="roofstack-pg", ignore_cleanup_errors=True) as folder:
        as_owner: list[str] = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        quiet: dict[str, Any] = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
        cluster = f"{folder}/cluster"
        subprocess.run([*as_owner, initdb, "-D", cluster, "-U", "tuner", "-A", "trust", "--no-sync"], **quiet)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        control = [*as_owner, pg_ctl, "-D", cluster, "-w"]
        subprocess.run([*control, "-l", f"{folder}/log", "-o", options, "start"], **quiet)
        try:
            yield f"postgresql://tuner@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)


class Outcome(NamedTuple):
    """What a command line has left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def roofstack(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `roofstack ARGUMENTS` in this process; what C libraries write to the terminal is captured too."""

    import roofstack as front_door

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["roofstack", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            front_door.main()
        out, err = capfd.readouterr()
        return Outcome(int(end.value.code or 0), out, err)

    return call
