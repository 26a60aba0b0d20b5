"""What the trainings of a study say to its questions: sentences that are made of numbers and their intervals.

An interval is Student's over the seeds, 95 %. Conditions are compared seed by seed: the difference from the baseline
with the same seed. Where an interval has 0 in it, what is said is that these seeds show no difference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.demo.study.carrying_out import of_condition
from layerwise.demo.study.plan import Condition, Study
from layerwise.demo.study.training import SPARSENESS, WEIGHT_SPREAD, WEIGHT_TAILS, ZEROS, Moment, Training

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its interval; without one where there is a single seed."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def shown(self, digits: int = 3, *, signed: bool = False) -> str:
        """`0.123 (0.100 to 0.146)`."""
        form = f"{'+' if signed else ''}.{digits}f"
        if self.low is None or self.high is None:
            return f"{self.mean:{form}} (one seed)"
        return f"{self.mean:{form}} ({self.low:{form}} to {self.high:{form}})"


@dataclass(frozen=True)
class Answer:
    """A question of the author's, and what this study says to it."""

    question: str
    sentences: tuple[str, ...]


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of values that are independent of each other, with Student's interval."""
    from scipy import stats

    defined = np.asarray([value for value in values if math.isfinite(value)])
    if len(defined) < 2:
        return Estimate(float(defined.mean()) if len(defined) else math.nan, None, None, len(defined))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(defined) - 1) * defined.std(ddof=1) / math.sqrt(len(defined))
    return Estimate(float(defined.mean()), float(defined.mean() - half), float(defined.mean() + half), len(defined))


def tell_difference(what: str, difference: Estimate, than: str, digits: int = 3) -> str:
    """A sentence on a difference: on which side of 0 its interval is, or that it is on neither."""
    numbers = f"{difference.shown(digits, signed=True)}"
    if difference.low is None:
        return f"{what}: {numbers} against {than}; of one seed nobody knows what chance did."
    if difference.sign:
        return f"{what} is {'higher' if difference.sign > 0 else 'lower'} than {than}: {numbers}."
    return f"{what} does not differ from {than} as far as {difference.n} seeds can show: {numbers}."


def paired(study: Study, trainings: Sequence[Training], name: str, of: Callable[[Training], float]) -> Estimate:
    """The difference of a condition from the baseline, seed by seed."""
    baseline = of_condition(trainings, study.conditions[0].name)
    other = of_condition(trainings, name)
    return estimate([of(one) - of(base) for one, base in zip(other, baseline, strict=True)])


def answer(study: Study, trainings: Sequence[Training]) -> list[Answer]:
    """The answers of a study whose trainings are all there."""
    baseline = of_condition(trainings, study.conditions[0].name)
    found = [_on_learning(baseline), _on_sparseness(baseline)]
    for condition in study.conditions[1:]:
        say = _on_lacking if condition.kind == "without" else _on_loss
        found.append(say(study, condition, trainings))
    return found


def _change(trainings: Sequence[Training], of: Callable[[Moment], float]) -> Estimate:
    """What became of a number from the untrained network to the trained one."""
    return estimate([of(training.last) - of(training.first) for training in trainings])


def _on_learning(baseline: Sequence[Training]) -> Answer:
    sentences = [
        tell_difference("Smoothness after learning", _change(baseline, lambda one: one.smoothness), "before"),
        tell_difference("The sum of all steps", _change(baseline, lambda one: sum(one.steps)), "before"),
    ]
    for words, which in (("Before learning", "first"), ("After learning", "last")):
        largest = Counter(_largest_step(training, getattr(training, which)) for training in baseline)
        (place, count), *_ = largest.most_common(1)
        sentences.append(f"{words} the largest step is {place}, in {count} of {len(baseline)} trainings.")
    return Answer("How does the decorrelation change over learning?", tuple(sentences))


def _largest_step(training: Training, moment: Moment) -> str:
    at = int(np.nanargmax(moment.steps))
    return f"from {training.layers[at]} to {training.layers[at + 1]}"


def _on_sparseness(baseline: Sequence[Training]) -> Answer:
    def mean_of(name: str) -> Callable[[Moment], float]:
        return lambda moment: float(np.nanmean((moment.statistics | moment.weights)[name]))

    said = (
        ("Sparseness of the hidden layers after learning (Treves-Rolls, over units)", SPARSENESS, 3),
        ("The share of activations that are 0", ZEROS, 3),
        ("The spread of the weights (standard deviation, mean over tensors)", WEIGHT_SPREAD, 3),
        ("The excess kurtosis of the weights, which is 0 for a normal distribution,", WEIGHT_TAILS, 2),
    )
    sentences = tuple(
        tell_difference(words, _change(baseline, mean_of(name)), "before learning", digits)
        for words, name, digits in said
    )
    return Answer("How sparse are the activations, how are the weights distributed, meanwhile?", sentences)


def _on_lacking(study: Study, condition: Condition, trainings: Sequence[Training]) -> Answer:
    baseline = of_condition(trainings, study.conditions[0].name)
    gained = paired(study, trainings, condition.name, lambda one: one.last.accuracy)
    smoother = paired(study, trainings, condition.name, lambda one: one.last.smoothness)
    fewer = 1 - of_condition(trainings, condition.name)[0].n_parameters / baseline[0].n_parameters
    sentences = [
        tell_difference(f"Accuracy of a network that is trained {condition.described}", gained, "with them"),
        tell_difference("Its smoothness", smoother, "with them"),
        f"It has {100 * fewer:.0f} % fewer parameters.",
    ]
    cost = estimate([training.accuracy_lost.get(condition.lacks, math.nan) for training in baseline])
    if cost.n:
        sentences.insert(0, f"Silencing them in the trained network loses {cost.shown()} of accuracy.")
        sentences.append(_conclude_lacking(cost, gained))
    return Answer(f"What if the {condition.lacks.rpartition('/')[2]} branches are taken out?", tuple(sentences))


def _conclude_lacking(cost: Estimate, gained: Estimate) -> str:
    """What silencing and never having had them say together."""
    if cost.low is None or gained.low is None:
        return "One seed cannot tell whether they are needed."
    needed, worse = cost.sign > 0, gained.sign < 0
    if needed and worse:
        return "So they are used, and what they do is not learned otherwise in the same time."
    if needed:
        return "So they are used; that a network which never had them does worse, these seeds do not show."
    if worse:
        return "So silencing them shows no loss, and yet learning goes worse without them."
    return "So neither silencing them nor learning without them shows a loss."


def _on_loss(study: Study, condition: Condition, trainings: Sequence[Training]) -> Answer:
    plain = study.conditions[0].name
    smoother = paired(study, trainings, condition.name, lambda one: one.last.smoothness)
    better = paired(study, trainings, condition.name, lambda one: one.last.accuracy)
    sentences = (
        tell_difference(f"Smoothness {condition.described}", smoother, plain),
        tell_difference("Accuracy", better, plain),
        _conclude_loss(smoother, better),
    )
    return Answer(f"What does training {condition.described} do; is a smoother decorrelation better?", sentences)


def _conclude_loss(smoother: Estimate, better: Estimate) -> str:
    """What smoothness and accuracy say together."""
    if smoother.low is None or better.low is None:
        return "One seed cannot tell whether it is better."
    if smoother.sign < 0:
        return "So it made the decorrelation less smooth, and says nothing of whether a smoother one would be better."
    if not smoother.sign:
        return "So these seeds do not show that it makes the decorrelation smoother, let alone better."
    words = {1: "and better", 0: "and whether that is better or worse, these seeds do not show", -1: "and worse"}
    return f"So here the decorrelation is smoother, {words[better.sign]} (at this weight and budget)."
