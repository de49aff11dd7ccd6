"""The course as a whole: its parts and topics in the order they are taught, what needs what, and how far a student has come.

Progress is what `check` noted on this machine (class4lib.check.progress).
"""

from collections.abc import Mapping
from typing import NamedTuple

from class4lib.check import progress
from class4lib.public import outline

__all__ = ["COURSE", "Entry", "arrows", "boxes", "direct_needs", "progress_table", "share_done", "topic_names"]


class Entry(NamedTuple):
    """A topic: its title, the minutes its exercises and written answer take (the bonus apart), the topics it builds on."""

    title: str
    minutes: int
    bonus_minutes: int
    needs: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The title up to its colon."""
        return self.title.partition(":")[0]


COURSE: dict[str, dict[str, Entry]] = {
    "1_architectures": {
        "depth_vs_width": Entry("Depth and width", 70, 60),
        "vanishing_gradients": Entry("Vanishing and exploding gradients", 75, 10, ("depth_vs_width",)),
        "residual_connections": Entry("Residual connections", 75, 25, ("vanishing_gradients",)),
        "dense_and_highway": Entry("Dense and highway connections", 70, 30, ("vanishing_gradients", "residual_connections")),
    },
    "2_regularization": {
        "dropout": Entry("Dropout", 75, 8, ("vanishing_gradients",)),
        "dropout_variants": Entry("Dropout of maps and of weights", 65, 4, ("dropout",)),
        "early_stopping": Entry("Early stopping", 75, 5, ("dropout",)),
        "data_augmentation": Entry("Data augmentation", 71, 15, ("dropout", "early_stopping")),
    },
    "3_losses": {
        "binary_cross_entropy": Entry("Binary cross-entropy", 60, 0, ("vanishing_gradients",)),
        "softmax_cross_entropy": Entry("Softmax and cross-entropy", 105, 10, ("binary_cross_entropy",)),
        "regression_losses": Entry("Losses of regression", 60, 20, ("softmax_cross_entropy",)),
        "multi_label": Entry("Several labels at once", 60, 25, ("binary_cross_entropy", "softmax_cross_entropy")),
        "multi_task": Entry("Multi-task learning", 62, 15, ("softmax_cross_entropy", "regression_losses")),
    },
    "4_normalization": {
        "spectral_normalization": Entry("Spectral normalisation", 117, 0, ("vanishing_gradients", "residual_connections")),
        "batch_and_layer_norm": Entry("Batch and layer normalisation", 149, 10, ("vanishing_gradients", "data_augmentation")),
    },
    "5_attention_and_design": {
        "attention": Entry("Attention", 103, 0, ("vanishing_gradients", "softmax_cross_entropy")),
        "architecture_design": Entry("Architecture design", 100, 0, ("residual_connections", "softmax_cross_entropy")),
        "capstone": Entry("Capstone: a network for labels of which some are wrong", 100, 12, ("residual_connections", "dropout", "early_stopping", "softmax_cross_entropy", "batch_and_layer_norm", "attention", "architecture_design")),
    },
}  # fmt: skip


def topic_names() -> tuple[str, ...]:
    """Every topic, in the order they are taught."""
    return tuple(t for topics in COURSE.values() for t in topics)


def share_done(topic: str, statuses: Mapping[str, str]) -> tuple[int, int]:
    """How many of a topic's core exercises are right, and how many there are.

    Args:
        topic: its name.
        statuses: exercise -> status of its last check, as progress() gives them.
    """
    core = _core(topic)
    return sum(statuses.get(name) == "passed" for name in core), len(core)


def _core(topic: str) -> list[str]:
    """A topic's core exercises; none where a course leaves the topic out."""
    try:
        return [name for name, extension in outline(topic).items() if not extension]
    except FileNotFoundError:
        return []


def progress_table(statuses: Mapping[str, str] | None = None) -> str:
    """A line a topic: a bar, how many of its exercises are right, and the first that is not; statuses: those of this machine, unless given."""
    statuses = progress() if statuses is None else statuses
    lines, right, all_of_them = [], 0, 0
    for part, topics in COURSE.items():
        lines.append(part)
        for name, entry in topics.items():
            done, total = share_done(name, statuses)
            right, all_of_them = right + done, all_of_them + total
            open_ones = [n for n in _core(name) if statuses.get(n) != "passed"]
            note = "" if not done else " complete" if not open_ones else f" next: {open_ones[0]}"
            lines.append(f"  {entry.short:34} {'■' * done}{'□' * (total - done)} {done} of {total}{note}")
    return "\n".join([*lines, f"{right} of {all_of_them} core exercises are right."])


def boxes(statuses: Mapping[str, str] | None = None) -> dict[str, dict[str, tuple[str, str, float]]]:
    """The map for plots.boxes: part -> topic -> title, minutes and progress in words, the share that is done."""
    statuses = progress() if statuses is None else statuses
    made: dict[str, dict[str, tuple[str, str, float]]] = {}
    for part, topics in COURSE.items():
        column = made[part.replace("_", " ")] = {}
        for name, entry in topics.items():
            done, total = share_done(name, statuses)
            column[name] = (entry.short, f"{entry.minutes} min · {done} of {total}", done / max(total, 1))
    return made


def arrows() -> list[tuple[str, str]]:
    """The map's arrows, from a topic to one that builds on it; one that others imply is left out."""
    return [(need, name) for name in topic_names() for need in direct_needs(name)]


def direct_needs(name: str) -> tuple[str, ...]:
    """What a topic builds on, less what it needs through another of them."""
    entries = {n: e for topics in COURSE.values() for n, e in topics.items()}

    def all_needs(topic: str) -> set[str]:
        return set(entries[topic].needs).union(*map(all_needs, entries[topic].needs))

    needs = entries[name].needs
    return tuple(n for n in needs if not any(n in all_needs(other) for other in needs if other != n))
