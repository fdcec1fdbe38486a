"""The front door: one command line that mounts each package's commands."""

import typer

from ensemble import maps as exchange
from ensemble.blend import blend
from ensemble.predict import predict
from ensemble.tta_gain import tta_gain
from members.common.console import run_app
from members.training.overview import augment, show_members
from members.training.train import train
from postproc.demo import demo
from postproc.score import score
from postproc.show import show
from postproc.submit import submit
from postproc.tune import tune

app = typer.Typer(
    help="Ensembles and honest post-processing for building segmentation in aerial images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, augment, train, predict, tta_gain, blend, tune, submit, show, score):
    app.command()(command)
app.command("members")(show_members)
app.add_typer(exchange.app, name="maps")


def main() -> None:
    """Run the command line."""
    run_app(app)


if __name__ == "__main__":
    main()
