# %% [markdown]
# # Depth and width
#
# **You will be able to** write a ReLU network as a function, choose its weights by hand so that one wide layer draws any curve you like, say what ten narrow layers draw that one layer of the same size cannot, and say why that is no promise that training will find it.
#
# **Time** about an hour and a quarter, and an hour more for the bonus · **Needs** the chain rule, linear regression, NumPy broadcasting · **Symbols** x inputs with one row per example, W and b a layer's weights and biases, n units in a layer, k hidden layers. The slides write both WA and AW; this course writes x @ W + b everywhere.
#
# **How these notebooks work.** An exercise is a cell with a gap; the cell below it checks your answer at once, shows a case that fails, and names the mistake where it knows it. `hint("name")` gives a first, a second and a third hint. Where you are asked to *predict*, write your guess down before you go on: nobody grades it, and being wrong on paper is how one notices.
#
# **Recap question**, from what you know already. Feed the output of a linear regression into a second one, that into a third, ten times over: what can the chain draw that a single one cannot? And by the chain rule: if f has slope +2 or −2 wherever you look, what slopes has f(f(… f(x))), ten times? Keep both answers.

# %% setup=true
from itertools import pairwise

import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import Stack, affine_block, objective
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. A curve from sixty-one numbers
#
# Here is a curve over [0, 1]. It consists of straight pieces only, and on the left you cannot tell them apart; on the right is one part in 128 of it.

# %%
x = np.linspace(0, 1, 2**13 + 1)
curve = x
for _ in range(10):
    curve = np.minimum(2 * curve, 2 - 2 * curve)  # the tent map, ten times

fig, (whole, part) = plots.figure(2, width=3.8, height=2.4)
plots.lines(whole, x, {"curve": curve}, xlabel="x", title="all of it", styles={"curve": {"linewidth": 0.3}})
plots.lines(part, x[:65], {"curve": curve[:65]}, xlabel="x", title="from 0 to 1/128")
plots.show(fig, "Left: a band that fills the square from 0 to 1 completely. Right, magnified: a zigzag of straight lines between 0 and 1, eight pieces wide.")

# %% [markdown]
# A net with **61 parameters**, weights and biases together, draws exactly this. It has ten hidden layers.
#
# A classmate has read about *universal approximation*: one hidden layer with enough units comes as near as you like to any continuous function on an interval. *"So depth is a luxury,"* she says. *"One layer draws that curve too."* She is right: it does.
#
# **Predict before you read on.** How many parameters does her net with ONE hidden layer need for this curve? Write the number down; it need not be exact.

# %%
my_prediction = None  # a number of parameters, weights and biases

# %% [markdown]
# ## 2. What a layer costs
#
# A layer that reads n numbers and has m units owns a matrix W, one column for each unit, and a vector b, one bias for each unit. The whole net is described by its widths: `[1, 5, 5, 1]` reads one number, has two hidden layers of five units, and returns one number.

# %% exercise="count_parameters"

# %% check="count_parameters"

# %% [markdown]
# **Predict**: you may double the width of all layers, or double their number. Which is dearer?

# %%
@experiment("count_parameters")
def what_doubling_costs():
    for what, k, n in (("a net of", 4, 64), ("twice as deep:", 8, 64), ("twice as wide:", 4, 128)):
        p = count_parameters([1, *[n] * k, 1])
        print(f"{what:14} {k} layers of {n:3} units: {p:6} parameters, {p / (k * n**2):.2f} · k n²")

# %% [markdown]
# k layers of n units cost $O(kn^2)$: linear in the depth, quadratic in the width. That is the slides' first line. Whether depth is worth its price is another question, and we need the net itself for it.
#
# ## 3. A net is a function
#
# Two affine maps in a row are one affine map, $(x W_1 + b_1) W_2 + b_2 = x\,(W_1 W_2) + (b_1 W_2 + b_2)$, and so are ten. (That is the first half of the recap question.) Something must bend between them. Here it is the ReLU, $\max(z, 0)$, entry by entry, after every layer **but the last**: the output may have any sign.

# %% exercise="relu_network"

# %% check="relu_network"

# %% [markdown]
# For one number in and one out, you can see what a unit does. Each column of the first layer has a weight w and a bias b; where does $\max(wx + b, 0)$ bend, and to which side is it off? **Predict** the number of straight pieces that three such units, added up with weights, make at most.

# %%
@experiment("relu_network")
def three_units():
    x = np.linspace(-2, 2, 401)
    W, b, out = np.array([[1.0, 2.0, -1.0]]), np.array([1.0, -2.0, 0.0]), np.array([[1.0], [-1.5], [0.5]])
    units = {f"unit {j + 1}": relu_network(x[:, None], [W[:, [j]], out[[j]]], [b[[j]], np.zeros(1)])[:, 0] for j in range(3)}
    units["the net"] = relu_network(x[:, None], [W, out], [b, np.zeros(1)])[:, 0]
    fig, ax = plots.figure(width=6)
    plots.lines(ax, x, units, xlabel="x", ylabel="output", styles={"the net": {"linewidth": 3, "color": "black"}})
    plots.show(fig, "Three units, each 0 on one side of a kink and a straight line on the other, and their sum in black: four straight pieces, bending at −1, 0 and 1.")

# %% [markdown]
# One unit, one kink; H units in one layer, at most H kinks and H + 1 pieces. Between the kinks nothing bends. So a net with one hidden layer **is** a curve of straight pieces, and the question is only whether you can put the pieces where you want them.
#
# ## 4. One wide layer draws anything
#
# Given: points $(k_0, v_0), \dots, (k_{K-1}, v_{K-1})$ with increasing $k_i$, the *knots*. Wanted: a net with one hidden layer that goes through all of them, straight in between.
#
# Go from left to right, and let every unit open to the right. Three questions lead to the weights:
#
# 1. Left of all kinks, every hidden unit is off. Which parameter alone makes the output there?
# 2. A unit that is on **stays on**. So what is the slope of the net after the third kink, in terms of the output weights?
# 3. Then which output weight does the unit at knot $i$ need, so that the next piece has the slope you want?
#
# **Do it on paper** for the points (0, 1), (1, 3), (3, 2): how many units, which output weights, which output bias? Then write it for any points. Many nets draw the same curve, and all of them are right.

# %% exercise="interpolating_network"

# %% check="interpolating_network"

# %% [markdown]
# Any continuous function on an interval is nearly straight between knots that are near enough; so this net comes as near to it as you like, with enough units. You have just proved universal approximation for one input. (Cybenko and Hornik did it for many inputs and other activations, in 1989.)
#
# *Enough* is the word to look at. **Predict**: when the number of units doubles, what happens to the largest error on a smooth curve? And on a rough one: the brightness along one row of pixels in a photograph?

# %%
@experiment("relu_network", "interpolating_network")
def how_many_are_enough():
    t = np.linspace(0, 1, 20 * 639 + 1)
    photo = np.interp(t, np.linspace(0, 1, 640), data.photographs()[0, 200].mean(axis=1))  # row 200, straight between its pixels
    curves = {"smooth": np.sin(9 * t) + 0.3 * np.cos(51 * t), "photograph": photo}
    units, errors, drawn = 2 ** np.arange(2, 9), {}, {}
    for name, y in curves.items():
        nets = [interpolating_network(k, np.interp(k, t, y)) for k in (np.linspace(0, 1, n + 1) for n in units)]
        drawn[name] = [relu_network(t[:, None], *net)[:, 0] for net in nets]
        errors[name] = np.array([np.abs(d - y).max() for d in drawn[name]]) / np.ptp(y)
    fig, axes = plots.figure(3, width=3.4, height=2.8)
    for ax, (name, y) in zip(axes, curves.items(), strict=False):
        plots.lines(ax, t, {"target": y, "32 units": drawn[name][3]}, title=name, xlabel="x", styles={"target": {"color": "0.7"}})
    plots.lines(axes[2], units, errors, log="xy", xlabel="units", ylabel="largest error, share of the range")
    plots.show(fig, "Left: 32 units follow a smooth wave closely. Middle: on a row of a photograph they miss almost every spike. Right, both axes logarithmic: the smooth curve's error falls steeply from 16 units on, the photograph's stays above one half.")
    expect("smooth, 256 units for 128: error divided by", errors["smooth"][5] / errors["smooth"][6], 3.7, 4.2)
    expect("photograph, 256 units for 4: error divided by", errors["photograph"][0] / errors["photograph"][6], 1.0, 2.0)

# %% [markdown]
# On a smooth curve, twice the units leave a quarter of the error, once the knots resolve its waves. On the photograph 64 times the units hardly dent the largest error: the theorem holds, and "enough" means about a unit for every pixel. It promises that a net exists. It says nothing of its size, and nothing of how to find it.
#
# ## 5. Fold, don't cut
#
# Fold a strip of paper in half, and again, ten times in all. One punch through the pile, and unfolded it has 1024 holes. The *tent map* is such a fold of [0, 1]:
#
# $$\text{tent}(x) = 2x \text{ up to } x = \tfrac12, \qquad 2 - 2x \text{ from there.}$$
#
# It lays both halves of the interval onto the whole of it. Whatever a second layer does at *one* place of its input, the net does at *two* places of x. The curve of section 1 is the tent of the tent of the tent …, ten deep.
#
# Two steps on paper:
#
# 1. **One tent from two units.** The first gives the rise. What must the second, which switches on at ½, do to the slope?
# 2. **Two tents without a detour.** The value of the first tent is a weighted sum of its two units; it is the only input of the two units of the next layer. Two affine maps in a row are one: what (2, 2) matrix is left between the layers?
#
# **Predict**, for depth 10: how many parameters does this net have?

# %% exercise="sawtooth_network"

# %% check="sawtooth_network"

# %%
@experiment("relu_network", "sawtooth_network")
def folds():
    x = np.linspace(0, 1, 2**9 + 1)
    fig, axes = plots.figure(4, width=2.3, height=2.0)
    for ax, depth in zip(axes, (1, 2, 3, 6), strict=True):
        y = relu_network(x[:, None], *sawtooth_network(depth))[:, 0]
        plots.lines(ax, x, {"net": y}, title=f"depth {depth}", xlabel="x")
    plots.show(fig, "The net at depth 1, 2, 3 and 6: one tent, two, four, and 32 of half the interval's width, a quarter, and so on, all between 0 and 1.")

# %% [markdown]
# Each layer adds two units and doubles the number of pieces. How many does depth 10 have? The net tells, if asked at the right places: at multiples of 1/1024.

# %%
@experiment("count_parameters", "relu_network", "sawtooth_network")
def ten_folds():
    y = relu_network(np.arange(1025)[:, None] / 1024, *sawtooth_network(10))[:, 0]
    print("at 0, 1/1024, 2/1024, …:", y[:6].round(9).tolist(), "…")
    print("0 and 1 in turn, 1025 times:", bool(np.allclose(y, np.arange(1025) % 2)))
    print("parameters:", count_parameters([1, *[2] * 10, 1]))

# %% [markdown]
# From 0 to 1 and back, 1024 times in all: at least 1024 pieces. And not more, by the second half of the recap question. The slope of a composition is the product of the slopes; ten factors of ±2 make ±1024 everywhere. A curve that steep crosses from 0 to 1 in 1/1024, and there it has to turn.
#
# ## 6. The puzzle, solved
#
# One hidden layer of H units has at most H kinks. The curve has 1023 inside the interval. So at least 1023 units; and who brings the slope of the very first piece? (A unit that opens to the left would be on there. Try it: at every kink the slope changes by ±2048, and no sum of such numbers gives 1024.) That makes 1024.

# %% exercise="shallow_sawtooth_network"

# %% check="shallow_sawtooth_network"

# %%
@experiment("count_parameters")
def price_of_one_layer():
    depths = np.arange(1, 21)
    parameters = {"one layer": [count_parameters([1, 2**d, 1]) for d in depths.tolist()], "two units a layer": [count_parameters([1, *[2] * d, 1]) for d in depths.tolist()]}
    fig, ax = plots.figure(width=5)
    plots.lines(ax, depths, parameters, log="y", xlabel="tents composed", ylabel="parameters")
    plots.show(fig, "Parameters for the same curve against the number of tents, logarithmic: one layer rises in a straight line from 7 to three million, the deep net from 7 to 121.")
    print(f"ten tents: deep {parameters['two units a layer'][9]}, one layer {parameters['one layer'][9]}   your prediction: {my_prediction}")
    print(f"twenty tents: deep {parameters['two units a layer'][19]}, one layer {parameters['one layer'][19]:,}")

# %% [markdown]
# With one layer, the price doubles with every tent. That is the slides' $O(n^k)$, and Telgarsky (2016) made it a theorem.
#
# Your classmate does not give in: *"Then I spend my 61 parameters on one layer and come as close as possible."* That is 20 units. Their kinks may be anywhere; for given kinks the best output weights are a **linear regression**. **Predict** the best R² among a hundred random choices of the kinks.

# %%
@experiment("relu_network", "sawtooth_network")
def twenty_units():
    x, rng, scores = np.linspace(0, 1, 2**13 + 1), np.random.default_rng(0), []
    y = relu_network(x[:, None], *sawtooth_network(10))[:, 0]
    for _ in range(100):
        design = np.column_stack([np.maximum(x[:, None] - rng.random(20), 0), np.ones_like(x)])
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        scores.append(1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum())
    expect("best R² of 100", max(scores), 0.0, 0.01)

# %% [markdown]
# Nothing, whatever the kinks. Twenty kinks make 21 pieces, and each has about fifty teeth to stand for: the best line through fifty teeth is their mean, ½.
#
# ## 7. Bonus: count the pieces exactly
#
# How would you count the pieces of *any* net? A fine grid is the obvious way, and it misleads twice. It steps over a piece that is narrower than its cells, and a cell with a kink inside has a slope that no piece has. But the weights know: a unit bends where its pre-activation is 0, and on every piece found so far each pre-activation is a straight line. Go through the layers, and cut.

# %% exercise="count_linear_pieces"

# %% check="count_linear_pieces"

# %% [markdown]
# And how many *could* there be? Montúfar et al. (2014) count like this, for one input and k hidden layers of n units:
#
# - n units can fold an interval like an accordion: n pieces, each laid onto the whole of [0, 1]. (Your tent is n = 2.) After k − 1 such layers, every place of the last layer's input occurs at $n^{k-1}$ places of x.
# - The last layer's n kinks cut [0, 1] into n + 1 pieces, and each cut appears in every copy.
#
# Together $n^{k-1}(n+1)$ pieces. It is a **lower bound on the maximum**: the best weights reach it at least, and a given net may have far fewer.
#
# With $n_0$ inputs two things change. A folding layer has to share its units out among the inputs, evenly, and what is left over does nothing; each input is folded on its own, and the copies multiply. In the last layer a kink is now a line, a plane or a hyperplane, and $n_L$ of them in general position cut the space into as many regions as there are ways to choose **at most** $n_0$ of them. (Check that for lines in a plane: 1, 2, 4, 7, …)

# %% exercise="montufar_lower_bound"

# %% check="montufar_lower_bound"

# %% [markdown]
# **Predict**: nets of 8 units a layer with *random* weights. How near do they come to what is possible?

# %%
@experiment("count_linear_pieces", "montufar_lower_bound")
def random_nets():
    rng, depths, counts = np.random.default_rng(0), np.arange(1, 7), []
    for depth in depths:
        widths = [1, *[8] * depth, 1]
        nets = [([rng.normal(size=(n, m)) * np.sqrt(2 / n) for n, m in pairwise(widths)], [rng.normal(size=m) for m in widths[1:]]) for _ in range(10)]
        counts.append(np.mean([count_linear_pieces(*net, -5, 5) for net in nets]))
    possible = [montufar_lower_bound(1, [8] * d) for d in depths.tolist()]
    fig, ax = plots.figure(width=5.2)
    plots.lines(ax, depths, {"possible": possible, "random": counts, "units": 8 * depths}, log="y", xlabel="hidden layers of 8 units", ylabel="pieces", styles={"units": {"linestyle": "--", "color": "0.6"}})
    plots.show(fig, "Pieces against depth, logarithmic. What is possible rises in a straight line from 9 to 300,000. Random nets rise from 8 to about 30 and keep near, or below, their number of units.")
    expect("pieces of a random net, six layers", counts[-1], 15, 60)
    expect("share of what is possible", counts[-1] / possible[-1], 0.00005, 0.0002, ".2g")

# %% [markdown]
# Random nets have about as many pieces as units, wherever the units are. (Hanin and Rolnick, 2019, proved that for the average.) The exponential is *there*, in a corner of weight space so small that nobody gets into it by chance. What about training?
#
# ## 8. Representable is not learnable
#
# Take three tents: eight pieces. Three layers of two units draw them exactly, with 19 parameters; you have the weights. Now let gradient descent find weights, from a usual random start, for that net and for three others with about 450 parameters each. All get the same data, the same number of steps, and first-layer kinks spread over the interval.
#
# **Predict the order** of these four, from best to worst: 3 layers of 2 (19 parameters), 1 of 150, 4 of 11, 16 of 5.

# %%
def new_net(widths, rng):
    """A ReLU net of these widths with a usual random start, the kinks of its first layer spread over [-1, 1]."""
    last = len(widths) - 2
    net = Stack([affine_block(n, m, "he", rng=rng, activation="linear" if i == last else "relu") for i, (n, m) in enumerate(pairwise(widths))])
    W, b = net.params[:2]
    b[:] = -W[0] * rng.uniform(-1, 1, size=len(b))
    return net


def train_net(widths, seed, x, y):
    """Weights and biases of a net fitted to the points by gradient descent."""
    rng = np.random.default_rng(seed)
    net = new_net(widths, rng)
    half_mse = objective(net, lambda p, t: 0.5 * ((p - t) ** 2).mean(), lambda p, t: (p - t) / len(p))
    fit(net.params, half_mse, x, y, lr=0.03, momentum=0.9, n_epochs=60, batch_size=32, rng=rng)
    return net.params[0::2], net.params[1::2]


# %%
@experiment("count_parameters", "relu_network", "sawtooth_network")
def trained_nets():
    x = np.linspace(0, 1, 512)[:, None]
    inputs, y = 2 * x - 1, relu_network(x, *sawtooth_network(3)) - 0.5  # both centred, which every net prefers
    shapes = {"1 × 150": [1, 150, 1], "4 × 11": [1, *[11] * 4, 1], "16 × 5": [1, *[5] * 16, 1], "3 × 2": [1, 2, 2, 2, 1]}
    scores, drawn = {}, {}
    for name, widths in shapes.items():
        curves = [relu_network(inputs, *train_net(widths, seed, inputs, y)) for seed in range(3)]
        drawn[name] = curves[0][:, 0]
        scores[f"{name} ({count_parameters(widths)})"] = [float(1 - ((c - y) ** 2).sum() / (y**2).sum()) for c in curves]
    fig, (left, right) = plots.figure(2, width=4.6, height=3.0)
    plots.dots(left, scores, xlabel="R², one dot for each of three starts", title="layers × units (parameters)")
    plots.lines(right, x[:, 0], {"target": y[:, 0], **{n: drawn[n] for n in ("1 × 150", "16 × 5")}}, xlabel="x", title="first start", styles={"target": {"color": "0.7", "linewidth": 4}})
    plots.show(fig, "Left: R² of four nets from three starts each. One wide layer lies above 0.9 each time; four layers scatter from about 0.4 to 1; sixteen layers and the exact net lie near 0. Right: the wide net follows the eight pieces, the sixteen layers draw a flat line.")
    wide, _, sixteen, exact = scores.values()
    expect("1 × 150, worst start", min(wide), 0.85, 1.0)
    expect("16 × 5, best start", max(sixteen), -0.05, 0.6)
    expect("3 × 2, which could be exact, best start", max(exact), -0.05, 0.3)

# %% [markdown]
# The wide net learns the curve *every* time. Four layers are a lottery. Sixteen layers nearly always lose: they draw a constant. And the net that could be perfect with 19 numbers does not come near it, from any start. So much for "deeper is better".
#
# It does not contradict section 6. That was about what weights *exist*; this is about what descent *finds*. And part of the reason is there before the first step. How much does the output of a fresh net vary, from the left end of the interval to the right?

# %%
@experiment("relu_network")
def before_the_first_step():
    x = np.linspace(-1, 1, 65)[:, None]
    varies = {}
    for name, widths in (("1 × 150", [1, 150, 1]), ("16 × 5", [1, *[5] * 16, 1])):
        nets = [new_net(widths, np.random.default_rng(seed)) for seed in range(200)]
        varies[name] = np.array([np.ptp(relu_network(x, net.params[0::2], net.params[1::2])) for net in nets])
    expect("1 × 150: the output varies by (median of 200 starts)", np.median(varies["1 × 150"]), 0.8, 2.5)
    expect("16 × 5: the output varies by (median of 200 starts)", np.median(varies["16 × 5"]), 0.0005, 0.01, ".2g")
    expect("16 × 5: share of starts that draw a constant", (varies["16 × 5"] == 0).mean(), 0.15, 0.35)

# %% [markdown]
# The target varies by 1. Of the fresh deep nets, one in four draws a constant: for every x some layer has all five ReLUs off. Half of them vary by less than three thousandths. Where nothing comes through forwards, no gradient comes back. The failure of the 3 × 2 net has a further side, which is a reading and no measurement: in a fold every kink serves all teeth at once, and no small step improves one tooth without spoiling others.
#
# Depth has to be *made* trainable. Doing that is the rest of this assignment.
#
# ## 9. What layers are good for: handwritten digits
#
# Nobody needs a thousand teeth. The slides' other reason for depth is *hierarchical features*: each layer makes something of what it gets that the next can use better. That can be measured. Take a digit classifier with four hidden layers of 32 units, stop after each layer, and ask how much a **linear** classifier can read off there.
#
# **Predict** two curves over the layers: one for the net before training, with random weights, and one after.

# %%
def linear_probe(features, labels, new_features, new_labels):
    """Accuracy on new examples of a linear regression of one-hot labels on these features (a trace of ridge keeps it solvable)."""
    mean = features.mean(axis=0)
    A, B = (np.column_stack([f - mean, np.ones(len(f))]) for f in (features, new_features))
    ridge = 1e-3 * len(A) * features.var() * np.eye(A.shape[1])
    return accuracy(B @ np.linalg.solve(A.T @ A + ridge, A.T @ np.eye(10)[labels]), new_labels)


# %%
@experiment("relu_network")
def probes():
    rng = np.random.default_rng(0)
    s = data.split(*data.digits(), 1000, rng=rng)
    net = Stack([affine_block(n, 32, "he", rng=rng, activation="relu") for n in (64, 32, 32, 32)] + [affine_block(32, 10, "he", rng=rng)])

    def by_layer():
        def features(x, n):  # your net, stopped after n layers
            return np.maximum(relu_network(x, net.params[0::2][:n], net.params[1::2][:n]), 0) if n else x

        return [linear_probe(features(s.x_train, n), s.y_train, features(s.x_test, n), s.y_test) for n in range(5)]

    found = {"before training": by_layer()}
    fit(net.params, objective(net), s.x_train, s.y_train, lr=0.02, momentum=0.9, n_epochs=15, batch_size=32, rng=rng)
    found["after training"] = by_layer()
    fig, ax = plots.figure(width=5.6)
    plots.lines(ax, np.arange(5), found, xlabel="hidden layers passed (0: the pixels)", ylabel="test accuracy of a linear probe")
    ax.set_xticks(range(5))
    plots.show(fig, "Accuracy of a linear probe after 0 to 4 hidden layers. Both curves begin at 0.93; before training it falls to about 0.7, after training it rises to about 0.96.")
    expect("pixels", found["before training"][0], 0.90, 0.95)
    expect("fourth layer, random weights", found["before training"][4], 0.5, 0.84)
    expect("fourth layer, trained", found["after training"][4], 0.93, 0.98)

# %% [markdown]
# Layers as such *lose*: each random layer makes the digits harder to read. Training turns that round, and every layer hands on something easier than it got. So the slides' sentence holds for trained layers, and only for them. The gain over the pixels is small here, for these digits are nearly linear to begin with: a linear classifier already has 93 %.
#
# ## 10. The same in PyTorch
#
# A `torch.nn.Linear(n, m)` keeps its matrix as (m, n), the transpose of ours. With your weights put in:

# %%
import torch


@experiment("count_parameters", "relu_network", "sawtooth_network")
def against_pytorch():
    weights, biases = sawtooth_network(10)
    layers = []
    for W, b in zip(weights, biases, strict=True):
        linear = torch.nn.Linear(*np.shape(W), dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(np.array(W, dtype=float).T), torch.tensor(np.array(b, dtype=float))
        layers += [linear, torch.nn.ReLU()]
    net, x = torch.nn.Sequential(*layers[:-1]), np.linspace(0, 1, 1001)[:, None]
    gap = np.abs(net(torch.tensor(x)).detach().numpy() - relu_network(x, weights, biases)).max()
    print(f"parameters: yours says {count_parameters([1, *[2] * 10, 1])}, PyTorch holds {sum(p.numel() for p in net.parameters())}")
    print(f"largest difference of the curves below 1e-9: {gap < 1e-9}")

# %% [markdown]
# Now write the net yourself, with tensors: what you return must let PyTorch differentiate it. One detail comes to light only there. On a kink ReLU has no slope; this course takes 0, always. PyTorch has several ways to write max(z, 0), and they do not agree on that point.

# %% exercise="relu_network_in_torch"

# %% check="relu_network_in_torch"

# %% [markdown]
# ## 11. In your own words
#
# Two engineers argue. A says: *"One hidden layer approximates every continuous function, so nobody needs depth."* B says: *"Depth gives exponentially more pieces for the same parameters, so the deeper net is the better choice."* For each of the two: what is true in the first half of the sentence, and why does the "so" not follow? Use at least one number from this notebook against each. (About six sentences.)

# %% [markdown] written="depth_or_width"
# A's premise is true, and you can build that net: a unit at every knot. But the theorem does not limit the number of units. The curve of ten tents needs 1024 of them and 3073 parameters where ten layers of two units need 61, and twenty tents three million against 121; a row of a photograph is hardly better approximated with 256 units than with 4. So for some functions depth saves exponentially much.
#
# B's premise is true of the *maximum* over all weights: about n^(k−1)(n+1) pieces. It says neither that the function at hand has such a structure nor that training finds such weights. Random nets with six layers of 8 units had about 30 pieces where 294,912 are possible; trained with about 450 parameters on three tents, one wide layer reached R² above 0.9 from every start and sixteen layers of five about 0; the net that could be exact with 19 parameters stayed below 0.3. What can be represented need not be learnable.
#
# Rubric:
# - **full** both premises kept apart from both conclusions: existence says nothing about size (a number such as 3073 against 61), and a maximum over weights says nothing about the trained net (a number such as the R² of section 8 or the pieces of random nets)
# - **half** one of the two conclusions refuted with a number, or both without any
# - **none** takes a side without saying what the theorem or the count leaves open

# %% [markdown]
# ## Recap
#
# 1. k layers of n units cost O(kn²) parameters; one unit of one layer makes one kink.
# 2. One wide layer goes through any points: each unit brings the change of slope at its knot. "Enough units" can be very many.
# 3. A layer that folds doubles everything behind it: ten layers of two units make 1024 pieces from 61 parameters, where one layer needs 3073.
# 4. n^(k−1)(n+1) pieces are possible; random nets have about as many as they have units.
# 5. Representable is not learnable: trained, the wide net won and the sixteen layers died. Trained layers, though, make digits easier to read, one after the other.
#
# **The recap question.** Ten linear regressions in a row are one linear regression: nothing new. And ten slopes of ±2 multiply to ±1024, which is why the curve must turn 1023 times. The same product of ten factors, read backwards through a net, is the gradient; when the factors are below 1, it is the trouble of the next notebook.
#
# **To read:** Telgarsky 2016, *Benefits of Depth in Neural Networks* (section 1); Montúfar, Pascanu, Cho & Bengio 2014, *On the Number of Linear Regions of Deep Neural Networks*; Hanin & Rolnick 2019, *Complexity of Linear Regions in Deep Networks*. For probes: Alain & Bengio 2016, *Understanding Intermediate Layers Using Linear Classifier Probes*.
