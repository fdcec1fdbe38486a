"""What is sampled follows from the trial's number and the parameter's name alone."""

from typing import Any

from optuna.distributions import FloatDistribution

from postproc.study.studies import MemoryStudies


def ask(number: int, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters of the trial of a number in a new study whose other trials were never finished."""
    ranges = {name: FloatDistribution(0, 1) for name in names}
    study = MemoryStudies().open("study", ranges)
    for _ in range(number):
        study.ask()
    return study.ask(dict(ranges)).params


def test_same_number_and_name_sample_the_same_whatever_is_asked_besides() -> None:
    assert ask(3, ("x", "y"))["y"] == ask(3, ("y", "z"))["y"]


def test_other_numbers_and_other_names_sample_differently() -> None:
    assert ask(3, ("x",)) != ask(4, ("x",))
    values = ask(0, ("close", "open", "weight ab", "weight ba"))  # anagrams too
    assert len(set(values.values())) == 4
