"""Figures of the course: functions that draw on Axes they are given and return them, and `show`, which adds the text description.

matplotlib is imported when a function is called. Lines are labelled where they end and not in a legend; a scale that spans decades is
logarithmic; colours are distinguishable without red and green.
"""

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe and Ito 2008


def figure(columns: int = 1, *, rows: int = 1, width: float = 4.6, height: float = 3.3) -> tuple["Figure", Any]:
    """A figure with rows × columns Axes; one Axes, or an array of them (1-D where rows == 1)."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width * columns, height * rows), layout="constrained", dpi=96)
    axes = fig.subplots(rows, columns)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes


def show(fig: "Figure", description: str) -> None:
    """Display a figure with its text description, which is the picture's alternative text and what a text-only reader gets."""
    from IPython.display import display

    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    display(
        {"image/png": buffer.getvalue(), "text/plain": f"Figure: {description}"},
        metadata={"image/png": {"alt": description}},
        raw=True,
    )


def lines(
    ax: "Axes",
    x: ndarray | Mapping[str, ndarray],
    ys: Mapping[str, ndarray],
    *,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    log: str = "",
    styles: Mapping[str, Mapping[str, Any]] | None = None,
) -> "Axes":
    """One line per entry of ys, labelled at its right end.

    Args:
        ax: where to draw.
        x: (n,) shared by all lines, or one (n,) per name.
        ys: name -> (n,).
        log: axes with a logarithmic scale, "", "x", "y" or "xy".
        styles: name -> keyword arguments for that line.
    """
    ends = []
    for i, (name, y) in enumerate(ys.items()):
        xs = x[name] if isinstance(x, Mapping) else x
        ax.plot(xs, y, **{"color": COLOURS[i % len(COLOURS)], "linewidth": 1.8, **(styles or {}).get(name, {})})
        ends.append((name, xs, np.asarray(y, dtype=float)))
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if len(ends) > 1:
        _label_ends(ax, ends)
    return ax


def _label_ends(ax: "Axes", ends: Sequence[tuple[str, Any, ndarray]]) -> None:
    """Names at the last finite point of each line, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    to_unit = (
        (lambda v: (np.log10(max(v, 1e-300)) - np.log10(low)) / (np.log10(high) - np.log10(low)))
        if ax.get_yscale() == "log"
        else (lambda v: (v - low) / (high - low))
    )
    placed: list[list[Any]] = []
    for i, (name, _, y) in enumerate(ends):
        finite = y[np.isfinite(y)]
        placed.append(
            [
                float(np.clip(to_unit(finite[-1]) if len(finite) else 0.5, 0.0, 1.0)),
                name,
                ax.lines[len(ax.lines) - len(ends) + i].get_color(),
            ]
        )
    placed.sort(key=lambda p: p[0])
    for before, after in itertools.pairwise(placed):
        after[0] = max(after[0], before[0] + 0.085)
    overflow = max(0.0, placed[-1][0] - 1.0)
    for height, name, colour in placed:
        ax.annotate(
            name,
            (1.0, height - overflow),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=9,
        )


def bars(
    ax: "Axes", values: Mapping[str, float], *, xlabel: str = "", title: str = "", form: str = ".3g", log: bool = False
) -> "Axes":
    """Horizontal bars, the first on top, each with its value."""
    names = list(values)
    drawn = ax.barh(range(len(names)), list(values.values()), color=COLOURS[0], height=0.6)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    if log:
        ax.set_xscale("log")
    ax.bar_label(drawn, labels=[f"{v:{form}}" for v in values.values()], padding=3, fontsize=9)
    ax.set(xlabel=xlabel, title=title)
    ax.margins(x=0.15)
    return ax


def heatmap(
    ax: "Axes",
    matrix: ndarray,
    *,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    numbers: bool = False,
    signed: bool = False,
) -> "Axes":
    """A matrix as colours, row 0 on top, with a colour bar; signed puts white at 0."""
    limit = float(np.abs(matrix).max()) or 1.0
    options: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "viridis"}
    image = ax.imshow(matrix, aspect="auto" if matrix.shape[0] != matrix.shape[1] else "equal", **options)
    ax.figure.colorbar(image, ax=ax, shrink=0.8)
    if numbers:
        for (i, j), value in np.ndenumerate(np.asarray(matrix, dtype=float)):
            dark = abs(value) > 0.6 * limit if signed else value < (matrix.min() + matrix.max()) / 2
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return ax


def images(axes: Sequence["Axes"], pictures: Sequence[ndarray], titles: Sequence[str]) -> None:
    """One grey picture (H, W) per Axes, without ticks."""
    for ax, picture, title in zip(axes, pictures, titles, strict=True):
        ax.imshow(picture, cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=9)


def reliability(
    ax: "Axes", probs: Mapping[str, ndarray], labels: ndarray, *, n_bins: int = 10, title: str = ""
) -> "Axes":
    """Reliability diagram: how often a prediction is right, against how sure it claims to be.

    Args:
        ax: where to draw.
        probs: name -> (N, K).
        labels: (N,).
        n_bins: of equal width; bins with fewer than five predictions are left out.
    """
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    edges = np.linspace(0, 1, n_bins + 1)
    for i, (name, p) in enumerate(probs.items()):
        sure, right = p.max(axis=1), p.argmax(axis=1) == labels
        members = [(sure > low) & (sure <= high) for low, high in itertools.pairwise(edges)]
        kept = [m for m in members if m.sum() >= 5]
        ax.plot(
            [sure[m].mean() for m in kept],
            [right[m].mean() for m in kept],
            marker="o",
            color=COLOURS[i],
            linewidth=1.5,
            label=name,
        )
    ax.legend(frameon=False, fontsize=9)
    ax.set(
        xlabel="how sure (largest probability)", ylabel="how often right", title=title, xlim=(0, 1.02), ylim=(0, 1.02)
    )
    return ax


def level(ax: "Axes", y: float, text: str, *, x: float = 0.02) -> "Axes":
    """A dashed horizontal line at y with a few words above it, which begin at the share x of the width."""
    ax.axhline(y, color="0.5", linewidth=1, linestyle="--")
    ax.annotate(
        text,
        (x, y),
        xycoords=ax.get_yaxis_transform(),
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=9,
        color="0.35",
    )
    return ax


def dots(
    ax: "Axes", values: Mapping[str, Sequence[float]], *, xlabel: str = "", title: str = "", log: bool = False
) -> "Axes":
    """One row a name, the first on top, with a dot for each of its values: what several seeds gave."""
    for i, row in enumerate(values.values()):
        ax.plot(row, [i] * len(row), "o", color=COLOURS[0], alpha=0.7, markersize=8)
        ax.axhline(i, color="0.9", linewidth=1, zorder=0)
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.5, -0.5)
    if log:
        ax.set_xscale("log")
    ax.set(xlabel=xlabel, title=title)
    return ax


_BOX = (0.8, 0.62)  # width and height of a box, in columns


def boxes(
    ax: "Axes", columns: Mapping[str, Mapping[str, tuple[str, str, float]]], arrows: Sequence[tuple[str, str]]
) -> "Axes":
    """Boxes in columns, with arrows between them.

    Args:
        ax: where to draw; about 2.5 inches a column.
        columns: title -> name -> (what the box says, a smaller note, the share of it that is filled).
        arrows: pairs of names.
    """
    from textwrap import fill

    from matplotlib.patches import Rectangle

    (width, height), most, places = _BOX, max(map(len, columns.values())), {}
    for i, (title, column) in enumerate(columns.items()):
        x = float(i)
        ax.text(x + width / 2, most + 0.15, title, ha="center", fontsize=11, weight="bold")
        for row, (name, (text, note, share)) in enumerate(column.items()):
            places[name] = (x, y) = (x, 0.86 * (most - 1 - row - (most - len(column)) / 2) + 0.86)
            ax.add_patch(Rectangle((x, y), width, height, facecolor="white", edgecolor="0.4", zorder=2))
            ax.add_patch(Rectangle((x, y), width * share, height, facecolor=COLOURS[4], alpha=0.6, zorder=2))
            middle: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 3}
            ax.text(x + width / 2, y + 0.39, fill(text, 21), fontsize=9, **middle)
            ax.text(x + width / 2, y + 0.09, note, fontsize=7.5, color="0.35", **middle)
    for start, end in arrows:
        _arrow(ax, places[start], places[end])
    ax.axis("off")
    ax.set(xlim=(-0.02, len(columns) - 1 + width + 0.02), ylim=(0.75, most + 0.35))
    return ax


def _arrow(ax: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    """From box to box: down inside a column (round what stands between), else from the right side to the left side."""
    (x, y), (to_x, to_y), (width, height) = start, end, _BOX
    if x == to_x and y - to_y < 1.2:
        a, b, bend = (x + width / 2, y), (to_x + width / 2, to_y + height), 0.0
    elif x == to_x:
        a, b, bend = (x, y + 0.15), (to_x, to_y + height - 0.15), 0.35
    else:
        a, b, bend = (x + width, y + height / 2), (to_x, to_y + height / 2), -0.08
    style = {"arrowstyle": "-|>", "linewidth": 1.3, "connectionstyle": f"arc3,rad={bend}", "shrinkA": 0, "shrinkB": 1}
    ax.annotate("", b, a, arrowprops={**style, "color": COLOURS[int(x) % len(COLOURS)]}, zorder=1)
