"""What a study found: the content of tuned.json, and the table on screen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from ensemble.selection.blend import Blend
from ensemble.statistics.estimates import LEVEL, estimate_score
from ensemble.statistics.metrics import METRICS, Objective
from members.common.console import stdout
from postproc.search.exact import Choice
from postproc.study.audit import Audit
from postproc.study.verdict import Step, Verdict
from postproc.submit import describe_blend, describe_recipe


def describe_verdict(
    verdict: Verdict, tables: Mapping[str, np.ndarray], audit: Audit, objective: Objective, study: str
) -> dict[str, Any]:
    """The content of tuned.json: scores in pooled IoU, by applying the recipes; those of steps as tuned for."""
    cross_fitted = audit.cross_fitted and estimate_score(audit.cross_fitted, "pooled_iou")
    return {
        "recipe": verdict.kept.full.recipe.model_dump(),
        "outlines": describe_outlines(verdict.kept.full),
        **Blend(verdict.kept.weights, tables).describe(),
        "scores": {
            "default": float(audit.default.score("pooled_iou")),
            "tuned_in_sample": float(audit.tuned.score("pooled_iou")),
            "tuned_cross_fitted": cross_fitted and cross_fitted.value,
            "tuned_cross_fitted_interval": cross_fitted and cross_fitted.interval,
        },
        "objective": objective,
        "steps": [describe_step(step, audit) for step in verdict.steps],
        "study": study,
    }


def describe_outlines(choice: Choice) -> dict[str, Any] | None:
    """How a choice outlines buildings; None where its mask stays as it is."""
    return None if choice.outlines is None else choice.outlines.model_dump()


def describe_choice(choice: Choice) -> str:
    """A choice's recipe in words, and of its outlines what is not as by default."""
    if choice.outlines is None:
        return describe_recipe(choice.recipe)
    changed = choice.outlines.model_dump(exclude_defaults=True)
    outlines = ", ".join(f"{name} {value:g}" for name, value in changed.items()) or "as by default"
    return f"{describe_recipe(choice.recipe)}, outlines {outlines}"


def describe_step(step: Step, audit: Audit) -> dict[str, Any]:
    """A step's entry in tuned.json."""
    return {
        "name": step.name,
        "kept": step.kept,
        "recipe": step.fit.full.recipe.model_dump(),
        "outlines": describe_outlines(step.fit.full),
        "members": dict(step.fit.weights),
        "in_sample": step.in_sample,
        "in_sample_gain": step.in_sample_gain,
        "cross_fitted": step.cross_fitted,
        "gain": None if step.cross_fitted is None else step.gain.value,
        "interval": step.gain.interval,
        "objects_lost": audit.find_share(step.name),
    }


def print_verdict(verdict: Verdict, audit: Audit, objective: Objective, tiles: int, groups: int) -> None:
    """Print the nested steps as a table."""
    table = Table(
        title=f"{METRICS[objective].title} on {tiles} validation tiles of {groups} groups; neutral: "
        f"{verdict.neutral:.4f}"
    )
    for heading in ("step", "in sample", "cross-fitted", "gain", f"{LEVEL:.0%} interval", "lost", "verdict"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it chooses")
    for step in verdict.steps:
        choice = describe_choice(step.fit.full)
        if step.fit.weights != verdict.steps[0].fit.weights:
            choice = f"{describe_blend(step.fit.weights)}, {choice}"
        judged = ["", f"{step.in_sample_gain:+.4f}", ""]
        if step.cross_fitted is not None and step.gain.interval is not None:
            interval = " .. ".join(f"{end:+.4f}" for end in step.gain.interval)
            judged = [f"{step.cross_fitted:.4f}", f"{step.gain.value:+.4f}", interval]
        table.add_row(
            step.name, f"{step.in_sample:.4f}", *judged, f"{audit.find_share(step.name):.1%}",
            "kept" if step.kept else "refused", choice,
        )  # fmt: skip
    stdout.print(table)
    stdout.print(
        f"gain: over the last kept step; lost: of {audit.objects} true objects, those that had a pixel of the mask "
        "before the step and have none after it"
    )
    if audit.cross_fitted is None:
        stdout.print("without cross-fitting these are in-sample scores, higher than what new tiles will show")
