"""A process that runs command lines in forks of itself, each of which may be made to end at any moment.

It has imported what the commands need, so that a fork begins at once. Requests and answers are JSON, one a line:
    {"argv": [..], "within": FOLDER, "log": FILE, "signal": NUMBER, "event": N or null, "after": SECONDS or null}
    {"code": exit code, or minus the signal, "events": how often the command began to write within FOLDER,
     "sockets": how often it wanted to connect, "memory": the most that it had, bytes}
A write is any opening of a file to write it, and any renaming, removing and making of one, as Python's audit hooks tell
of them; the signal comes just before the Nth.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link")
HUNG = 120.0
"""Seconds after which a command hangs; it is killed, and its code is None."""


def prepare(trains: bool) -> None:
    """Import the commands, load what is compiled, and put small networks in place of the members'."""
    import numpy as np
    from conftest import pytest_xdist_setupnodes
    from matplotlib.figure import Figure

    import postproc.reporting.plots
    import postproc.score
    import postproc.submit
    import postproc.tune  # noqa: F401
    from ensemble import predict
    from ensemble.inference import sharing
    from ensemble.inference.networks import Network
    from members.data.run import FoldFolder
    from members.training.catalog import find_spec
    from members.training.networks.weights import read_weights

    pytest_xdist_setupnodes()
    for name in ("geopandas", "optuna.importance._fanova._evaluator", "pycocotools.mask", "pyogrio", "psycopg"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    Figure().savefig(io.BytesIO())
    scale = np.float32(255)
    predict.choose_backend = lambda: None  # type: ignore[assignment, return-value]

    def load(folder: Path, engine: str = "keras") -> Network:
        read_weights(FoldFolder(folder))
        return Network(find_spec("lite0_unet"), lambda batch: batch[..., :1] / scale)

    sharing.load_network = load  # type: ignore[assignment]
    if trains:
        import keras
        import tensorboardX  # noqa: F401
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)  # to trace a graph takes most of the time of a training as small as these
        from members.training import fit, train
        from members.training.augment import import_albumentations

        import_albumentations()

        def build(spec: Any, encoder_weights: str | None = None) -> keras.Model:
            image = keras.Input((None, None, 3))
            features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
            features = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(features))
            return keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(features))

        fit.build_network = build
        import members.training.networks.network as networks

        networks.build_network = build
        assert train


class Watch:
    """An audit hook that counts writes within a folder, and sends this process a signal at one of them."""

    def __init__(self, within: str, event: int | None, number: int | None, counted: Path) -> None:
        self.within, self.event, self.number, self.counted = within, event, number, counted
        self.events = self.sockets = 0

    def __call__(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & WRITES:
                return
        elif name in CHANGES:
            path = arguments[0]
        elif name in ("socket.connect", "socket.getaddrinfo"):
            self.sockets += 1
            return
        else:
            return
        if not isinstance(path, str | os.PathLike) or not str(path).startswith(self.within):
            return
        self.events += 1
        if self.events == self.event and self.number is not None:
            os.kill(os.getpid(), self.number)


def run_fork(request: dict[str, Any]) -> None:
    """Run a command line in this fork; it never returns."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    watch = Watch(request["within"], request["event"], request["signal"], Path(request["log"] + ".events"))
    sys.addaudithook(watch)
    sys.argv = ["roofstack", *request["argv"]]
    code = 70
    try:
        import roofstack

        roofstack.main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        watch.counted.write_text(json.dumps({"events": watch.events, "sockets": watch.sockets}))
        os._exit(code)


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        counted = Path(request["log"] + ".events")
        counted.unlink(missing_ok=True)
        Path(request["log"]).write_bytes(b"")  # a fork may be ended before it opens it
        child = os.fork()
        if child == 0:
            run_fork(request)
        began, sent, code, memory = time.monotonic(), False, None, 0
        while code is None and time.monotonic() - began < HUNG:
            done, status, usage = os.wait4(child, os.WNOHANG)
            if done:
                code, memory = os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
            elif request["after"] is not None and not sent and time.monotonic() - began >= request["after"]:
                os.kill(child, request["signal"])
                sent = True
            else:
                time.sleep(0.002 if request["after"] is not None and not sent else 0.01)
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        counts = json.loads(counted.read_text()) if counted.is_file() else {"events": 0, "sockets": 0}
        print(json.dumps({"code": code, "memory": memory, **counts}), flush=True)


if __name__ == "__main__":
    prepare("train" in sys.argv[1:])
    gc.freeze()  # else each fork's first collection copies all that was imported
    print("ready", flush=True)
    serve()
