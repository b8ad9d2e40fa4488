"""The terms of tables, figures and verdicts, each in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.measures import MEASURES
from analysis.verdicts.verdict import Judged

GLOSSARY: Mapping[str, str] = {
    "top-1": "The share of validation images whose most probable class is the right one.",
    "top-5": "The share of validation images whose right class is among the five most probable.",
    "box AP": "COCO's average precision of boxes: of precision over recall, the mean over classes "
    "and over ten thresholds of overlap (IoU 0.50 to 0.95).",
    "mask AP": "The same of masks: the overlap is that of pixels.",
    "box AP50": "Average precision of boxes; an overlap (IoU) of 0.50 is enough.",
    "box AP75": "Average precision of boxes; an overlap (IoU) of 0.75 is enough.",
    "mask AP50": "Average precision of masks; an overlap (IoU) of 0.50 is enough.",
    "mask AP75": "Average precision of masks; an overlap (IoU) of 0.75 is enough.",
    "mIoU": "The mean over classes of intersection over union: of the pixels that have a class or "
    "are predicted to have it, the share that has both.",
    "pixel accuracy": "The share of labelled pixels whose most probable class is the right one.",
    "loss": "The cross-entropy on validation images; lower is better.",
    "mean ± std (n)": "Mean and sample standard deviation over n runs with different seeds.",
    "seed": "The number that draws initialization, order of images and augmentation.",
    "change": "The difference of means from the row that this one starts from.",
    "GMACs": "1e9 multiply-accumulates of convolution and linear weights, for one image.",
    "parameters": "The learned numbers of the network.",
    "difference": "What is subtracted from what is written above the table of verdicts.",
    "95 % interval": "A range that contains the true difference in 95 % of studies like this one.",
    "over seeds": "The same if only the seeds were drawn again, on the same validation images.",
    "over images": "The same if only the validation images were drawn again.",
    "p (Holm)": "How often runs without any true difference would differ at least this much. It is "
    "adjusted, because a study asks several questions: below .05 a step is better or worse.",
    "P>0": "The probability that the true difference is above zero, shrunk by what the other steps "
    "show.",
    "P<0": "The probability that the true difference is below zero, shrunk by what the other steps "
    "show.",
    "MDE": "Minimum detectable effect: the smallest true difference that this many runs decide in "
    "four of five studies.",
    "runs needed": "Runs per variant that would decide the largest and the smallest effect in the "
    "80 % interval.",
    "margin": "The smallest difference that matters. If the 95 % interval lies within it, the "
    "verdict is no difference.",
    "undecided": "The runs show neither a difference nor that it is too small to matter.",
    "varies over orders": "How much a step's worth depends on the steps that come before it.",
    "diverged": "Runs whose loss became infinite or NaN. They have no accuracy and are not "
    "averaged.",
    "chance": "The accuracy of guessing: 100 % divided by the number of classes.",
}


def hint(heading: str) -> str:
    """Return the explanation of a column's heading; empty if the glossary has none.

    The longest term that the heading contains explains it.
    """
    known = [term for term in GLOSSARY if term in heading]
    return GLOSSARY[max(known, key=len)] if known else ""


def with_margin(judged: Judged) -> dict[str, str]:
    """Return the glossary for the measure of a study, with its margin as a number."""
    measure = judged.measure
    sign = "P<0" if measure.better == "higher" else "P>0"
    others = {one.label for one in MEASURES.values()} - {measure.label} | {sign}
    shown = {term: text for term, text in GLOSSARY.items() if term not in others}
    if not judged.margin:
        return shown
    unit = judged.measure.difference
    unit = unit.removesuffix("s") if judged.margin == 1 else unit
    return {**shown, "margin": f"{GLOSSARY['margin']} Here: {judged.margin:g} {unit}".rstrip()}
