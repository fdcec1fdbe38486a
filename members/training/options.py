"""The options of every command that trains."""

import typer

EPOCHS = typer.Option(help="At most; default: the member's.")
BATCH_SIZE = typer.Option(help="Tiles a step; default: the member's, 8.")
CROP = typer.Option(help="Train on random crops of this side, px, a multiple of 32; default: 256.")
ENCODER_WEIGHTS = typer.Option(help="imagenet, lite, none, or a file; default: the member's.")
PRECISION = typer.Option(help="Of activations; mixed ones are faster on a GPU; default: the member's.")
FOLD = typer.Option(help="Train this fold alone, 0-based, as folds run on different machines.", min=0)
TIME_BUDGET = typer.Option(help="Such as 8.5h, 90m or 600s: begin no epoch that would end later; resumable.")
DRY_RUN = typer.Option("--dry-run", help="Say what would be trained, and about how long that takes; write nothing.")
RESTART = typer.Option("--restart/--resume", help="Train anew, or go on with what a stopped run has left.")
