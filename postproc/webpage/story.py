"""What a report tells of a run, from the files that its stages have left: sections, as far as there are any."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensemble.statistics.estimates import LEVEL
from ensemble.statistics.metrics import METRICS
from members.common.errors import InputError
from members.common.files import read_json
from members.common.tables import ResultTable
from members.data.run import Run
from postproc.webpage.charts import draw_steps, draw_training
from postproc.webpage.page import Section

WAYS = {"mean": "mean of all", "single": "best single", "greedy": "greedy", "given": "given"}

COMMANDS = 200
"""Lines of commands.sh that are told, at most."""


def read_stage(path: Path, cure: str) -> dict[str, Any] | None:
    """Read what a stage has left; None where it was not run.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    content = read_json(path, cure)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not an object; {cure}")
    return content


def read_histories(run: Run) -> dict[str, list[dict[str, float]]]:
    """Read the training curves of every fold: its name -> a row an epoch.

    Raises:
        InputError: a history is damaged.
    """
    histories = {}
    for member in run.list_members():
        for path in sorted((run.members_folder / member).glob("fold*/history.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                try:
                    rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
                except (ValueError, TypeError):
                    raise InputError(f"{path}: not a history of numbers; train the fold again") from None
            if rows:
                histories[f"{member} {path.parent.name}"] = rows
    return histories


def tell_verdict(tuned: Mapping[str, Any] | None, tiles: int, groups: int) -> str:
    """Say what there is to know of a run in a sentence or two."""
    where = f"{tiles} validation tiles of {groups} groups"
    if tuned is None:
        return f"Not tuned yet: the mean of all members at threshold 128, on {where}. Run roofstack tune."
    if promise := tuned.get("promise"):
        return f"{begin(promise['words'])}. Measured on {where}."
    scores, kept = tuned["scores"], [step for step in tuned["steps"] if step["kept"]]
    sentence = f"Pooled IoU {scores['default']:.4f} untuned"
    if scores["tuned_cross_fitted"] is not None:
        low, high = scores["tuned_cross_fitted_interval"] or (None, None)
        interval = "" if low is None else f", {LEVEL:.0%} interval {low:.4f} to {high:.4f}"
        sentence += f", {scores['tuned_cross_fitted']:.4f} tuned, cross-fitted{interval}"
    sentence += f", on {where}. Tuned for {METRICS[tuned['objective']].title}: "
    if not kept:
        return (
            sentence + "no step is likely enough to help on new places, so masks stay as the neutral recipe cuts them."
        )
    words = [
        f"{each['name']} ({each['chance']:.0%} likely to help)" if each["chance"] is not None else each["name"]
        for each in kept
    ]
    return sentence + f"kept {', '.join(words)}."


def begin(sentence: str) -> str:
    """Return a sentence with a capital letter; `str.capitalize` would make IoU iou.

    >>> begin("pooled IoU")
    'Pooled IoU'
    """
    return sentence[:1].upper() + sentence[1:]


def tell_promise(tuned: Mapping[str, Any]) -> Section | None:
    """Tell what is promised of masks, or within how far of ours the true outlines lie; None where nobody knows."""
    if promise := tuned.get("promise"):
        section = Section("Promise", f"{begin(promise['words'])}.")
        confidence = promise["confidence"]
        rows = [
            ("what is promised", f"{promise['measure']} of {promise['level']:g} or more in a new place"),
            ("how surely", "on average" if confidence is None else f"with a confidence of {confidence:.0%}"),
            ("what keeps it", f"threshold {promise['threshold']}, in place of the steps below"),
            ("what it rests on", f"{promise['tiles']} tiles of {promise['groups']} groups; new places drawn like them"),
            ("here", f"{promise['mean']:.1%}, the mean over these groups"),
        ]
        section.add_table(ResultTable("the promise, part by part", ("part", "words"), rows))
        return section
    margin = tuned.get("margin")
    return Section("Margin", f"{begin(margin['words'])}.") if margin else None


def tell_members(run: Run, histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Section:
    """Tell of the members: what each reached in training."""
    section = Section("Members", "What each fold reached on the tiles that it did not train on, map by map at 0.5.")
    rows = []
    for name, epochs in histories.items():
        best = max(epochs, key=lambda row: row["val_iou"])
        minutes = sum(row["seconds"] for row in epochs) / 60
        rows.append((name, str(len(epochs)), f"{best['epoch']:.0f}", f"{best['val_iou']:.4f}", f"{minutes:.1f}"))
    if rows:
        header = ("member, fold", "epochs", "best epoch", "validation IoU", "minutes")
        section.add_table(ResultTable("training", header, rows))
        caption = "IoU over the epochs, of validation (solid) and training (dotted)"
        section.add_chart(draw_training(histories), caption)
    else:
        names = ", ".join(run.list_mapped_members("valid"))
        section.add_notes([f"maps of other programs, so nothing is known of their training: {names}"])
    return section


def tell_blend(content: Mapping[str, Any]) -> Section:
    """Tell of blend.json: the ways to blend, and how alike the members err."""
    section = Section("Blend", "Each way to blend is scored on groups that it was not chosen on.")
    rows = []
    for method, score in content.get("scores", {}).items():
        gain = score.get("gain") or {}
        value, interval = gain.get("gain"), gain.get("interval")
        rows.append(
            (
                WAYS.get(method, method),
                ", ".join(f"{weight} x {name}" for name, weight in score.get("weights", {}).items() if weight),
                f"{score['in_sample']:.4f}",
                "" if score.get("cross_fitted") is None else f"{score['cross_fitted']:.4f}",
                "" if value is None or method == "mean" else f"{value:+.4f}",
                "" if not interval or method == "mean" else f"{interval[0]:+.4f} .. {interval[1]:+.4f}",
                "kept" if method == content.get("method") else "",
            )
        )
    header = ("blend", "weights", "in sample", "cross-fitted", "over the mean", f"{LEVEL:.0%} interval", "verdict")
    section.add_table(ResultTable("pooled IoU at the best threshold", header, rows))
    correlation = content.get("error_correlation", [])
    if len(correlation) > 1:
        members = list(content["members"])
        cells = [
            (name, *("" if value is None else f"{value:.3f}" for value in row))
            for name, row in zip(members, correlation, strict=True)
        ]
        section.add_table(
            ResultTable("correlation of errors: the lower, the more a blend can gain", ("member", *members), cells)
        )
    if calibration := content.get("calibration"):
        kept = "kept" if calibration["kept"] else "refused"
        section.add_notes([f"{calibration['by']} calibration: {kept}"])
    return section


def tell_steps(tuned: Mapping[str, Any]) -> Section:
    """Tell of tuned.json: the nested steps, what each gains, and why it is kept or not."""
    title = METRICS[tuned["objective"]].title
    section = Section(
        "Steps of tuning", "Each step is chosen on all groups, and again without each fold, to be scored there."
    )
    rows = []
    for step in tuned["steps"]:
        interval = step["interval"]
        rows.append(
            (
                step["name"],
                f"{step['in_sample_gain']:+.4f}",
                "" if step["gain"] is None else f"{step['gain']:+.4f}",
                "" if not interval else f"{interval[0]:+.4f} .. {interval[1]:+.4f}",
                "" if step["chance"] is None else f"{step['chance']:.0%}",
                step["verdict"],
            )
        )
    header = ("step", "in sample", "cross-fitted", f"{LEVEL:.0%} interval", "helps", "verdict")
    section.add_table(ResultTable(f"gain in {title} over the last kept step", header, rows))
    section.add_chart(draw_steps(tuned["steps"], tuned["objective"]), f"gain of each step, points of {title}")
    return section


def tell_origin(run: Run) -> Section:
    """Tell of the environment, and of every command that worked on the run."""
    record = run.read_record()
    section = Section(
        "How it was made", f"Data: {record.data}, {record.tiles} tiles, fingerprint {record.fingerprint}."
    )
    versions = tuple((name, version) for name, version in record.versions.items())
    section.add_table(ResultTable("machine and versions when the run began", ("what", "version"), versions))
    if run.commands_file.is_file():
        lines = run.commands_file.read_text(encoding="utf-8").splitlines()
        if len(lines) > COMMANDS:
            section.add_notes([f"the last {COMMANDS} of {len(lines)} commands; {run.commands_file} has them all"])
        section.add_text("\n".join(lines[-COMMANDS:]))
    return section
