"""The front door, twice: the command line `roofstack`, and `import roofstack as rs` for notebooks.

Both are tables. A command or a name of the library is imported when it is first asked for, so that neither help nor
`import roofstack` waits for libraries that it does not need.
"""

import importlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from members.common.console import choose_volume, run_app
from members.common.lazy_commands import Row, build_app

if TYPE_CHECKING:
    from ensemble.inference.arrays import predict_maps as predict_maps
    from ensemble.inference.networks import Network as Network
    from ensemble.inference.networks import load_network as load_network
    from ensemble.mapfolder.samples import ArraySamples as ArraySamples
    from ensemble.mapfolder.samples import RunSamples as RunSamples
    from ensemble.mapfolder.samples import Samples as Samples
    from ensemble.selection.blend import Blend as Blend
    from ensemble.selection.report import BlendReport as BlendReport
    from ensemble.selection.report import select_blend as select_blend
    from members.common.errors import InputError as InputError
    from postproc.formats.submission import write_submission as write_submission
    from postproc.pipeline.outlines import OutlineRecipe as OutlineRecipe
    from postproc.pipeline.pipeline import Pipeline as Pipeline
    from postproc.pipeline.recipe import Recipe as Recipe
    from postproc.scoring.scores import Scores as Scores
    from postproc.scoring.scores import score_masks as score_masks
    from postproc.tuning.promise import Goal as Goal
    from postproc.tuning.promise import Promise as Promise
    from postproc.tuning.promise import make_promise as make_promise
    from postproc.tuning.tuning import Tuning as Tuning
    from postproc.tuning.tuning import tune_pipeline as tune_pipeline

__version__ = "0.2.0"

API = {
    "ArraySamples": "ensemble.mapfolder.samples",
    "Blend": "ensemble.selection.blend",
    "BlendReport": "ensemble.selection.report",
    "Goal": "postproc.tuning.promise",
    "InputError": "members.common.errors",
    "Network": "ensemble.inference.networks",
    "OutlineRecipe": "postproc.pipeline.outlines",
    "Pipeline": "postproc.pipeline.pipeline",
    "Promise": "postproc.tuning.promise",
    "Recipe": "postproc.pipeline.recipe",
    "RunSamples": "ensemble.mapfolder.samples",
    "Samples": "ensemble.mapfolder.samples",
    "Scores": "postproc.scoring.scores",
    "Tuning": "postproc.tuning.tuning",
    "load_network": "ensemble.inference.networks",
    "make_promise": "postproc.tuning.promise",
    "predict_maps": "ensemble.inference.arrays",
    "score_masks": "postproc.scoring.scores",
    "select_blend": "ensemble.selection.report",
    "tune_pipeline": "postproc.tuning.tuning",
    "write_submission": "postproc.formats.submission",
}
"""The names of the library and the module that each is defined in."""

__all__ = [*API, "__version__"]

COMMANDS = {
    "demo": Row(
        "postproc.demo:demo",
        "Train two members, predict, blend, tune and submit in a few minutes, and show what each stage brings.",
    ),
    "members": Row(
        "members.training.overview:show_members",
        "List the members: parameters, multiply-adds for one 256x256 tile, encoder weights and whether they are here.",
    ),
    "augment": Row(
        "members.training.overview:augment",
        "Draw a contact sheet of what a member's network sees: augmented tiles with the outlines of their masks.",
    ),
    "prepare": Row(
        "postproc.prepare:prepare",
        "Make a data set of images and what says where buildings are: OUT/images, OUT/masks, and what goes with them.",
    ),
    "audit": Row(
        "postproc.audit:audit",
        "Look for what makes scores too good or labels wrong: copies, shared ground, blank images, shifted masks.",
    ),
    "train": Row("members.training.train:train", "Train members and keep the best weights of each."),
    "distill": Row(
        "ensemble.distill:distill",
        "Train a student: one network that learns what several know, from their maps and the masks.",
    ),
    "predict": Row(
        "ensemble.predict:predict",
        "Predict probability maps: RUN/maps/PART/MEMBER/IMAGE_ID.tif, uint8 GeoTIFF, probability = value / 255.",
    ),
    "export": Row(
        "ensemble.export:export",
        "Export a member as one network for other programs, QGIS's Deepness plugin among them.",
    ),
    "tta-gain": Row(
        "ensemble.tta_gain:tta_gain",
        "Measure what each view and each set of views gains on the validation tiles, and what it costs.",
    ),
    "maps": Row("ensemble.maps:app", "Check folders of probability maps, or import maps of other programs."),
    "blend": Row(
        "ensemble.blend:blend",
        "Choose how much each member counts, and say what that is worth on tiles that it was not chosen on.",
    ),
    "tune": Row(
        "postproc.tune:tune",
        "Tune threshold, closing, opening, minimum areas, blend weights and outlines; keep only the steps that pay.",
    ),
    "submit": Row(
        "postproc.submit:submit",
        "Write a submission, and on request buildings for a GIS: blend the maps, apply the recipe, write, and check.",
    ),
    "show": Row(
        "postproc.show:show",
        "Draw an image: truth, probability map, mask, outlines, and errors coloured, with the IoU in the title.",
    ),
    "report": Row(
        "postproc.report:report", "Tell all of a run on one page: an HTML file that needs no network and no server."
    ),
    "outline": Row(
        "postproc.outline:outline",
        "Give straight walls to the buildings of any mask, probability map or layer, and write them for a GIS.",
    ),
    "score": Row(
        "postproc.score:score", "Score a submission CSV, or outlines of buildings, against true masks or outlines."
    ),
}
"""The commands of the command line, in the order of the flow."""

app = build_app("Ensembles and cross-validated post-processing for building segmentation in aerial images.", COMMANDS)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"roofstack {__version__}")
        raise typer.Exit


@app.callback()
def take_options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Say which version this is.", callback=show_version, is_eager=True),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors alone.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more, and where an error was raised.")] = False,
) -> None:
    """Take the options that stand before a command."""
    choose_volume(quiet, verbose)


def __getattr__(name: str) -> Any:
    if name not in API:
        raise AttributeError(f"roofstack has no {name!r}; it offers {', '.join(__all__)}")
    return getattr(importlib.import_module(API[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *API})


def main() -> None:
    """Run the command line."""
    run_app(app)


if __name__ == "__main__":
    main()
