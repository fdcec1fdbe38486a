"""The front door: one command line that mounts each package's commands."""

import typer

from ensemble.predict import predict
from members.console import run_app
from members.training.train import train

app = typer.Typer(
    help="Ensembles and honest post-processing for building segmentation in aerial images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(train)
app.command()(predict)


def main() -> None:
    """Run the command line."""
    run_app(app)


if __name__ == "__main__":
    main()
