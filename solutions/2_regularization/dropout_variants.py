# %% [markdown]
# # Dropout of maps and of weights
#
# **You will be able to** drop whole feature maps or single weights, derive what DropConnect does to the mean and the variance of a unit, and say, for a given layer, what a kind of dropout really takes away.
#
# **Time** about an hour · **Needs** *dropout*, broadcasting, variance of a sum of independent terms · **Symbols** x inputs, N examples; maps are (N, C, H, W), where W is a width; in a layer x @ W + b it is the weights, (D, M). m is an entry of a mask, M the number of units (on the slides **M** is the mask). p is always the probability to DROP; the slides' r is 1 with probability 1 − p.
#
# **Recap question.** Inverted dropout on an input leaves its mean alone. What becomes of its variance at p = ½? Keep the number: it comes back in section 3 with a sum around it.

# %% setup=true
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment

# %% [markdown]
# ## 1. Holes that close by themselves
#
# The first layer of a net that sees photographs usually ends up with edge detectors. Here are four such filters, three pixels square, on a photograph of a Chinese temple. Each gives one **feature map**: a picture of where its kind of edge is.

# %%
FILTERS = {
    "vertical edge": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edge": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "diagonal": [[1, 0, -1], [0, 0, 0], [-1, 0, 1]],
    "spot": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
}


def edge_maps(photo):  # (H, W, 3) -> (4, H - 2, W - 2), deviation 1 each
    grey = photo.mean(axis=2)[:200, :200]
    maps = np.einsum("hwij,cij->chw", sliding_window_view(grey, (3, 3)), np.array(list(FILTERS.values()), dtype=float))
    return maps / maps.std(axis=(1, 2), keepdims=True)

# %%
photos = data.photographs()
maps = edge_maps(photos[0])
fig, axes = plots.figure(4, width=2.3, height=2.5)
plots.images(axes, np.abs(maps).clip(0, 3), list(FILTERS))
plots.show(fig, "Size of four edge maps of a temple, dark where the filter answers strongly. The vertical and horizontal filters draw the roof and columns in strokes a few pixels thick; the diagonal and the spot filter give finer, more broken patterns.")

# %% [markdown]
# Dropout is to stop the next layer from relying on any one of its inputs. So drop every fifth pixel of these maps, each by a draw of its own, as in the last notebook. A neighbouring pixel, unless it was dropped itself, is still there. How much of what was erased can be read off the eight pixels around it, by nothing cleverer than a linear fit?
#
# And if a *whole map* is gone: how much of it can be read off the other three maps, at the same place?
#
# **Predict before you read on.** Two numbers, as R² (0: nothing can be guessed, 1: everything).

# %%
my_guess_from_neighbours = None  # R2 of a dropped pixel of the vertical-edge map, from its 8 neighbours
my_guess_from_other_maps = None  # R2 of a dropped vertical-edge map, from the other three maps

# %% [markdown]
# ## 2. Whole maps
#
# **Spatial dropout** (Tompson et al. 2015) makes one draw for a map: all of its pixels live or die together. The slides write $r_c$ for channel $c$ and leave out the example; there is one draw for each channel of *each example*. All else is as you know it: p drops, what is kept is rescaled in training, evaluation changes nothing, and the mask is returned, for backward needs the very same one.

# %% exercise="spatial_dropout"

# %% check="spatial_dropout"

# %% [markdown]
# And the way back, if you like:

# %% exercise="spatial_dropout_backward"

# %% check="spatial_dropout_backward"

# %% [markdown]
# You own ordinary dropout now as well. How would you get it out of `spatial_dropout` without changing a line of it? (What if a map had one pixel only?)

# %%
def pixel_dropout(x, p, rng):  # every entry of x becomes a map of one pixel
    y, _ = spatial_dropout(np.reshape(x, (len(x), -1, 1, 1)), p, training=True, rng=rng)
    return y.reshape(np.shape(x))


@experiment("spatial_dropout")
def two_kinds_of_holes():
    rng = np.random.default_rng(3)
    by_pixel = pixel_dropout(maps, 0.5, rng)
    by_map = next(y[0] for _ in range(100) if (y := spatial_dropout(maps[None], 0.5, training=True, rng=rng)[0])[0, 0].any() and not y[0, 1].any())
    fig, axes = plots.figure(4, width=2.3, height=2.5)
    plots.images(axes, np.abs([*by_pixel[:2], *by_map[:2]]).clip(0, 6)[:, 90:190, 95:195], ["vertical, by pixel", "horizontal, by pixel", "vertical, by map", "horizontal, by map"])
    plots.show(fig, "Details of two maps at p = ½. Dropped by pixel, both maps are speckled and the temple is still plain to see in each. Dropped by map, the vertical edges are complete and the horizontal map is blank.")

# %% [markdown]
# Your eye closes the holes on the left at once. Does a linear fit? It is fitted on half of the pixels and measured on the other half.

# %%
def explained(features, target):  # R2 of a linear fit; fitted on even rows, measured on odd ones
    features = np.column_stack([features, np.ones(len(features))])
    w = np.linalg.lstsq(features[::2], target[::2])[0]
    return 1 - (target[1::2] - features[1::2] @ w).var() / target[1::2].var()


def windows(channel):  # every inner pixel with its 8 neighbours: (n, 9), the pixel itself in column 4
    return sliding_window_view(channel, (3, 3)).reshape(-1, 9)


def from_neighbours(channel, rng):  # what is left around a pixel against what was there
    return explained(np.delete(windows(pixel_dropout(channel, 0.2, rng)), 4, axis=1), windows(channel)[:, 4])


def from_others(channels, c):  # the other maps at the same pixel
    return explained(np.delete(channels, c, axis=0).reshape(len(channels) - 1, -1).T, channels[c].ravel())

# %%
@experiment("spatial_dropout")
def what_can_be_guessed():
    rng, rows = np.random.default_rng(0), {}
    for c, name in enumerate(FILTERS):
        rows[f"{name}: neighbours"], rows[f"{name}: other maps"] = round(from_neighbours(maps[c], rng), 2), round(from_others(maps, c), 2) + 0.0
    fig, ax = plots.figure(width=6.5)
    plots.bars(ax, rows, xlabel="R² of the best linear guess", form=".2f")
    plots.show(fig, "Bars of R², two for each map. Vertical and horizontal edges are guessed from their neighbours with about 0.76, diagonal and spot with 0.14 and 0.18. From the other maps no map is guessed with more than 0.04.")
    print("your predictions:", my_guess_from_neighbours, my_guess_from_other_maps)
    expect("vertical edges from neighbours", rows["vertical edge: neighbours"], 0.7, 0.85)
    expect("vertical edges from the other maps", rows["vertical edge: other maps"], -0.02, 0.1)
    expect("spots from neighbours", rows["spot: neighbours"], 0.1, 0.25)

# %% [markdown]
# For the two smooth filters the textbook is right. Three quarters of an erased pixel stand in the pixels around it, so erasing it took little away; erasing the map takes nearly everything.
#
# But look at the other two. The diagonal and the spot filter answer to *second* differences, which change sign from pixel to pixel, and their neighbours tell little. So "pixels are redundant" is a statement about smooth maps. The other photograph, a flower with soft outlines, shows how much depends on the picture too. Which of the four will change most?

# %%
@experiment("spatial_dropout")
def another_photograph():
    rng, flower = np.random.default_rng(0), edge_maps(photos[1])
    for c, (name, low, high) in enumerate((("vertical edge", 0.8, 0.95), ("horizontal edge", 0.8, 0.95), ("diagonal", 0.55, 0.7), ("spot", 0.08, 0.25))):
        expect(f"{name:15} from neighbours", from_neighbours(flower[c], rng), low, high)

# %% [markdown]
# One more doubt. It is tempting to show spatial dropout on the three *colours* of a photograph: they are channels, after all. What would you expect a linear fit to say about red, given green and blue?

# %%
@experiment()
def colours():
    for name, photo in zip(("temple", "flower"), photos, strict=True):
        channels = photo[:200, :200].transpose(2, 0, 1)
        print(f"{name}: " + ", ".join(f"{colour} {from_others(channels, c):.2f}" for c, colour in enumerate(("red", "green", "blue"))))

# %% [markdown]
# Colours largely predict each other (all are bright where the light is), so a dropped colour is mostly *not* gone. Dropping whole channels takes information away only where channels stand for different things. That is a property of what a layer has learnt, and no dropout can bring it about by its shape alone.

# %% [markdown]
# ## 3. Single weights
#
# **DropConnect** (Wan et al. 2013) goes the other way and drops less than an input: single *weights*. Each example meets a matrix of its own,
#
# $$z_{nm} = \sum_{d=1}^D m_{ndm}\, x_{nd}\, W_{dm} + b_m, \qquad m_{ndm} = \begin{cases} 0 & \text{with probability } p \\ 1/(1-p) & \text{otherwise,}\end{cases}$$
#
# with all m independent and the bias never dropped. (In the paper the bias is dropped too, p *keeps*, and nothing is rescaled; formulas copied from there will not fit.)
#
# **Derive** the mean of $z_{nm}$ first. Expectation is linear; the one random thing is m.

# %% exercise="dropconnect_mean"

# %% check="dropconnect_mean"

# %% [markdown]
# Now the variance. Three small steps on paper: the variance of one m, from $E[m^2]$ and $E[m]$; the variance of one term, in which x and W are constants; the variance of a sum of *independent* terms.
#
# **Before you run the check**, test your formula at p = 0, and on a unit with x = (1, 1) and weights (2, −2): its mean is 0. Is it certain to be 0?

# %% exercise="dropconnect_variance"

# %% check="dropconnect_variance"

# %% [markdown]
# The layer itself. One thing to think about before you type: row n of x meets matrix n. Which operation multiplies N rows by N *different* matrices?

# %% exercise="dropconnect"

# %% check="dropconnect"

# %% [markdown]
# You have a formula and a sampler, derived apart. They must agree: one handwritten digit goes 20 000 times through eight units with random weights.

# %%
digit = data.digits()[0][0]
W, b = np.random.default_rng(0).normal(size=(64, 8)) / 8, np.linspace(-1, 1, 8)


@experiment("dropconnect", "dropconnect_mean", "dropconnect_variance")
def formula_against_sampler():
    rng, x = np.random.default_rng(1), np.tile(digit, (2000, 1))
    z = np.concatenate([dropconnect(x, W, b, 0.5, training=True, rng=rng)[0] for _ in range(10)])
    ratio = z.var(axis=0) / dropconnect_variance(digit[None], W, 0.5)[0]
    off = np.abs(z.mean(axis=0) - dropconnect_mean(digit[None], W, b, 0.5)[0]) / (z.std(axis=0) / np.sqrt(len(z)))
    expect("measured variance over yours, mean of 8 units", ratio.mean(), 0.97, 1.03)
    expect("measured mean minus yours, in standard errors, worst unit", off.max(), 0, 4.5)
    return z

# %% [markdown]
# ### Dropped inputs or dropped weights: what is the difference?
#
# Ordinary dropout on the *inputs* of the same layer would put one m on each $x_{nd}$, shared by all units. For a single unit that is the very same sum of independent terms, so its mean and its variance are those you have just derived. A unit alone could not tell which of the two it lives under.
#
# So is DropConnect dropout under another name? **Predict**: take two units, and let the digit go through 20 000 times. How will their noises be correlated under dropout, how under DropConnect?

# %%
my_guess_dropout = None  # mean size of the correlation between two units, inputs dropped
my_guess_dropconnect = None  # the same, weights dropped

# %%
@experiment("spatial_dropout", "dropconnect", "dropconnect_variance")
def one_noise_or_many():
    rng, x = np.random.default_rng(2), np.tile(digit, (2000, 1))
    z = {
        "inputs dropped": np.concatenate([pixel_dropout(x, 0.5, rng) @ W + b for _ in range(10)]),
        "weights dropped": np.concatenate([dropconnect(x, W, b, 0.5, training=True, rng=rng)[0] for _ in range(10)]),
    }
    pairs = np.triu_indices(8, 1)
    correlation = {name: np.corrcoef(v.T) for name, v in z.items()}
    for name, low, high in (("inputs dropped", 0.1, 0.25), ("weights dropped", 0.0, 0.02)):
        expect(f"{name}: variance over your formula", (z[name].var(axis=0) / dropconnect_variance(digit[None], W, 0.5)[0]).mean(), 0.97, 1.03)
        expect(f"{name}: mean size of correlation", np.abs(correlation[name][pairs]).mean(), low, high)
    print("your predictions:", my_guess_dropout, my_guess_dropconnect)
    return z, correlation

# %%
@experiment("spatial_dropout", "dropconnect", "dropconnect_variance")
def correlations_seen():
    fig, axes = plots.figure(2, width=4.3, height=3.6)
    for ax, (name, c) in zip(axes, one_noise_or_many[1].items(), strict=True):
        plots.heatmap(ax, c - np.eye(8), signed=True, xlabel="unit", ylabel="unit", title=f"{name}: correlation of units")
        ax.images[0].set_clim(-0.5, 0.5)
    plots.show(fig, "Correlations between eight units, the diagonal left out. Left, inputs dropped: a patchwork of red and blue up to about a half. Right, weights dropped: white everywhere.")

# %% [markdown]
# Same mean, same variance, other *joint* law. A dropped input is missing for all units at once: two units with similar weights stumble together, and units with opposite weights part. The covariance of units a and b is $\frac{p}{1-p}\sum_d x_d^2 W_{da} W_{db}$, which for a = b is your variance. A dropped weight is missing for one unit only, and the covariance is 0. (What you measured is what 20 000 draws leave of a 0, something below $1/\sqrt{20\,000} = .007$.)
#
# So the layer above sees D independent noises under dropout, and M·D under DropConnect, where it can average them away. More randomness is not more regularisation.

# %% [markdown]
# ## 4. The way back
#
# $z_{nm} = \sum_d x_{nd} m_{ndm} W_{dm} + b_m$ once more. Ask of each array in which outputs it occurs: $x_{nd}$ in all units of *one* example, $W_{dm}$ in one unit of *all* examples. The mask is that of the forward. A fresh one would be the gradient of another function.

# %% exercise="dropconnect_backward"

# %% check="dropconnect_backward"

# %% [markdown]
# The price can be counted before it is paid. The plain layer keeps N·D inputs for its backward. What must DropConnect keep in addition, for a batch of 100 digits and 100 units?

# %%
@experiment("spatial_dropout", "dropconnect")
def price():
    rng, x = np.random.default_rng(0), data.digits()[0][:100]
    _, weights = dropconnect(x, rng.normal(size=(64, 100)), np.zeros(100), 0.5, training=True, rng=rng)
    _, maps_mask = spatial_dropout(np.ones((100, 64, 8, 8)), 0.5, training=True, rng=rng)
    print(f"inputs: {x.size:,} numbers; DropConnect's mask: {weights.size:,}; spatial dropout's, for 64 maps of 8 × 8: {maps_mask.size:,}")

# %% [markdown]
# A hundred times its inputs: one reason why one meets DropConnect rarely, and seldom in large layers. The idea of dropping *structures* has thrived elsewhere. **DropBlock** drops squares of a map, between a pixel and the whole. **Stochastic depth** drops whole residual branches, and lets the skip carry the example past them.

# %% [markdown]
# ## 5. The same in PyTorch
#
# `torch.nn.Dropout2d` is your `spatial_dropout`, and its p drops, too. Two random layers cannot be compared draw by draw. But all that PyTorch drew can be read off its output for ones; hold it against your conventions, and its gradient against that mask.

# %%
import torch


@experiment("spatial_dropout")
def dropout2d():
    torch.manual_seed(0)
    x = torch.ones(200, 50, 2, 3, dtype=torch.float64, requires_grad=True)
    y = torch.nn.Dropout2d(0.2)(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    mask = y.detach().numpy()[:, :, :1, :1]
    mine = spatial_dropout(np.ones((200, 50, 2, 3)), 0.2, training=True, rng=np.random.default_rng(0))[1]
    print("values in the mask: PyTorch", np.unique(mask.round(12)), " yours", np.unique(mine.round(12)))
    print("whole maps, in PyTorch too:", bool((y.detach().numpy() == mask).all()))
    print("gradient is mask times dy:", bool(np.allclose(mask * dy.numpy(), x.grad.numpy(), rtol=1e-12)))
    expect("share of dropped maps, yours", (mine == 0).mean(), 0.175, 0.225)

# %% [markdown]
# DropConnect is not in PyTorch; it has to be written. Yours gets the draws as an argument, so that it can be judged number by number, and autograd must find all three gradients.

# %% exercise="dropconnect_in_torch"

# %% check="dropconnect_in_torch"

# %%
@experiment("dropconnect", "dropconnect_backward", "dropconnect_in_torch")
def against_autograd():
    rng = np.random.default_rng(0)
    x, V, c, dy = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(5, 3))
    y, mask = dropconnect(x, V, c, 0.2, training=True, rng=rng)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, V, c)]
    z = dropconnect_in_torch(*leaves, torch.tensor(mask > 0), 0.2)
    z.backward(torch.tensor(dy))
    print("y agrees to 1e-12:", bool(np.abs(y - z.detach().numpy()).max() < 1e-12))
    for name, mine, leaf in zip(("dx", "dW", "db"), dropconnect_backward(dy, x, V, mask), leaves, strict=True):
        print(f"{name} agrees to 1e-12:", bool(np.abs(mine - leaf.grad.numpy()).max() < 1e-12))

# %% [markdown]
# ## 6. In your own words
#
# A colleague puts ordinary dropout with p = 0.5 behind the first convolution of a net for photographs, and training hardly notices. With spatial dropout at the same p it becomes much harder. Both have the same mean and the same variance at every pixel. What did each of the two take away from the next layer? Use what you measured in section 2 and, from section 3, the point about joint laws; and name one kind of map for which the two would hardly differ. (Six sentences.)

# %% [markdown] written="what_was_taken_away"
# Every pixel has the mean x and the variance p/(1−p) x² under both, so nothing that looks at one pixel can tell them apart; what differs is the joint law. Under ordinary dropout neighbouring pixels are dropped independently, and a convolution looks at windows: for smooth maps (vertical and horizontal edges) about three quarters of the variance of an erased pixel can be read off its eight neighbours, R² ≈ 0.76. The next layer averages over its window, the independent errors partly cancel, and little information is lost. Under spatial dropout all pixels of a map are dropped together: no neighbour is left to guess from, nothing averages out, and the other maps tell almost nothing (R² < 0.05), so that the layer must do without that kind of edge. They would hardly differ where pixels are not redundant: second-difference maps such as the spot filter (R² ≈ 0.18), maps of noise, or maps of one pixel, where the two are the same thing. And where maps predict each other, as colours do, spatial dropout takes little away either.
#
# Rubric:
# - **full** same law at one pixel but another joint law; redundancy of neighbours with a measured R²; the other maps do not help; a case without a difference, with its reason
# - **half** says that neighbours give a dropped pixel away, but without measurement, or without a case in which the two agree
# - **none** only "spatial dropout drops more", or a difference in mean or variance at a pixel

# %% [markdown]
# ## Recap
#
# 1. What dropout takes away is what cannot be guessed from the rest; look at what is left, not at how much is gone.
# 2. Spatial dropout: one draw for each map of each example, mask (N, C, 1, 1); it bites where neighbours are redundant and maps are not.
# 3. DropConnect: one draw for each weight of each example, mask (N, D, M); the bias stays.
# 4. Mean x @ W + b, variance p/(1−p) Σ x²W², the same as under dropout of the inputs.
# 5. The joint law differs: a dropped input moves all units together, a dropped weight moves one.
#
# **The recap question.** At p = ½ the variance that dropout adds to an input is x² · p/(1−p) = x². Put the weights' squares beside it, sum over the inputs, and you have the variance of section 3.
#
# **To read:** Tompson et al. 2015, *Efficient Object Localization Using Convolutional Networks*, section 3.2; Wan et al. 2013, *Regularization of Neural Networks using DropConnect*; then Ghiasi, Lin & Le 2018, *DropBlock*, and Huang et al. 2016, *Deep Networks with Stochastic Depth*.
