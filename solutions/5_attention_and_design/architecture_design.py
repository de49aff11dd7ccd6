# %% [markdown]
# # Architecture design
#
# **You will be able to** say what a parameter budget buys at each depth; differentiate a validation loss *through* the training it depends on; run two searches that count what they spend and survive runs that crash; make a choice between architectures smooth, and know what it costs to make it hard again.
#
# **Time** about two hours · **Needs** *softmax and cross-entropy* (softmax and its Jacobian), *residual connections*, the chain rule · **Symbols** λ is the strength of a penalty, w the weights, w\* the weights that training ends with; α is an architecture on the slides, here the logits of a choice between operations. N rows for training, M for validation.
#
# **Recap question.** In *early stopping* you chose the epoch by the loss on data that was not trained on. Suppose you choose among 1000 epochs, and then report the loss of the best one *on the very data that chose it*. Is that figure too good, too bad, or fair?

# %% setup=true
import time

import numpy as np

from class4lib import data, plots
from class4lib.basics import affine, affine_backward, relu, relu_backward
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import Block, Stack, affine_block, layer_params, objective, relu_block
from class4lib.softmax_cross_entropy import softmax, softmax_cross_entropy
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. The winner, alone
#
# A program is to choose one of three models for a noisy curve: a straight line, a cubic, or a polynomial of degree 12. It does not train them one after the other. It lets them work together, with weights: the prediction is a blend such as 30 % line, 50 % cubic, 20 % degree 12. It trains the models and adjusts the blend, in turn, by gradient descent. In the end it looks at the blend, keeps the model with the largest share, and throws the other two away.
#
# We did this for ten data sets. The blend's loss on validation data was 0.060 in the median. **Predict before you read on:** the winner now works alone. What is its loss on the same data: about the same, lower because the poor models are gone, or higher? And in how many of ten cases is the winner the cubic, from which the data really came?

# %%
my_prediction = None  # (loss of the winner alone, cubics among ten winners)

# %% [markdown]
# ## 2. What a budget buys
#
# The slides leave the designer two dials, depth and width: shallow nets train fast, deep ones are "more expressive, harder to train", narrow ones "may underfit", wide ones "may overfit". To compare depths fairly, hold something fixed. We fix the number of parameters, and let the width follow: how wide may a net of `depth` equal hidden layers be?

# %% exercise="parameter_budget_width"

# %% check="parameter_budget_width"

# %%
@experiment("parameter_budget_width")
def budget_table():
    print("10,000 parameters, 64 inputs, 10 outputs:")
    for depth in (1, 2, 4, 8, 16, 64):
        print(f"  {depth:2d} hidden layers: {parameter_budget_width(depth, 64, 10, 10_000):3d} units each")

# %% [markdown]
# The first step down is steep: one layer pays for its width once, two layers pay with its square.
#
# ### A baseline that is known to work
#
# "Start with proven architectures and adapt." Ours is the residual net of part 1 in its pre-activation form (He et al. 2016): nothing but an addition lies on the way through, the branch is scaled by one over the root of the depth, and a block has *one* matrix, so that plain and residual nets have exactly as many parameters.

# %%
def residual(scale):
    """The pair of y = x + scale (relu(x) W + b)."""

    def forward(x, W, b):
        return x + scale * affine(relu(x), W, b)

    def backward(dy, x, W, b):
        dh, dW, db = affine_backward(scale * dy, relu(x), W)
        return dy + relu_backward(dh, x), dW, db

    return forward, backward


def new_net(depth, width, skip, rng):
    """depth hidden layers (0: a linear model); skip puts an addition around every one but the first."""
    if depth == 0:
        return Stack([affine_block(64, 10, "he", rng=rng)])
    blocks = [affine_block(64, width, "he", rng=rng)]
    for _ in range(depth - 1):
        if skip:
            blocks.append(Block(*residual(depth**-0.5), layer_params(width, width, "he", rng=rng)))
        else:
            blocks += [relu_block(), affine_block(width, width, "he", rng=rng)]
    return Stack([*blocks, relu_block(), affine_block(width, 10, "he", rng=rng)])

# %% [markdown]
# Three sets of digits, and the third stays in the drawer: 600 to train on, 500 to choose by, 697 for the end.

# %%
def three_sets(seed):
    x, y = data.digits()
    order = np.random.default_rng(seed).permutation(len(x))
    cuts = order[:600], order[600:1100], order[1100:]
    return [(2 * x[i] - 1, y[i]) for i in cuts]


def trained(train, depth, width, skip=False, *, n_epochs=15, lr=0.02, seed=0):
    rng = np.random.default_rng(seed)
    net = new_net(depth, width, skip, rng)
    with np.errstate(all="ignore"):  # a learning rate that is too large may end in inf
        fit(net.params, objective(net), *train, lr=lr, n_epochs=n_epochs, batch_size=32, momentum=0.9, rng=rng)
    return net


train, val, test = three_sets(0)

# %% [markdown]
# **Predict** two things. One hidden layer, from 4 to 256 units, and 600 digits: at which width does the test error begin to *rise*, because a wide net overfits? And 10,000 parameters in 16 plain layers: is their trouble on the training digits, or on the test digits?

# %%
@experiment("parameter_budget_width")
def width_and_depth():
    def row(depth, width, skip=False):
        start = time.perf_counter()
        net = trained(train, depth, width, skip)
        seconds = time.perf_counter() - start
        return 1 - accuracy(net(train[0]), train[1]), 1 - accuracy(net(test[0]), test[1]), seconds

    widths, depths = (4, 8, 16, 64, 256), (2, 4, 8, 16)
    by_width = np.array([row(1, w) for w in widths])
    by_depth = {skip: np.array([row(d, parameter_budget_width(d, 64, 10, 10_000), skip) for d in depths]) for skip in (False, True)}
    return widths, by_width, depths, by_depth

# %%
@experiment("parameter_budget_width")
def draw_width_and_depth():
    widths, by_width, depths, by_depth = width_and_depth
    fig, (left, right) = plots.figure(2, width=5.2)
    plots.lines(left, np.array(widths), {"test": by_width[:, 1], "train": by_width[:, 0]}, log="x", xlabel="units in one hidden layer", ylabel="error")
    plots.lines(right, np.array(depths), {"plain, test": by_depth[False][:, 1], "plain, train": by_depth[False][:, 0], "residual, test": by_depth[True][:, 1]}, log="x", xlabel="hidden layers, 10,000 parameters in all", ylabel="error")
    for ax, ticks in ((left, widths), (right, depths)):
        ax.set_xscale("log", base=2)
        ax.set_xticks(ticks, map(str, ticks))
    plots.show(fig, "Left: error against the width of one hidden layer. Train and test fall steeply from 4 to 16 units and stay flat up to 256, test a few hundredths above train; it never rises. Right: error against depth at equal parameters. Plain nets: below 0.1 up to 4 layers, about 0.1 at 8, and more than one digit in three wrong at 16, training and test lines together. Residual nets stay low at every depth.")
    expect("test error, 4 units", by_width[0, 1], 0.15, 0.85)
    expect("test error, 64 units", by_width[3, 1], 0.02, 0.08)
    expect("test error, 256 units", by_width[4, 1], 0.02, 0.08)
    expect("16 plain layers, TRAIN error", by_depth[False][3, 0], 0.2, 0.95)
    expect("16 plain layers, test error", by_depth[False][3, 1], 0.2, 0.95)
    expect("16 residual layers, test error", by_depth[True][3, 1], 0.02, 0.1)

# %% [markdown]
# And the seconds, which decide more designs than the errors do:

# %% tags=["nbval-ignore-output"]
@experiment("parameter_budget_width")
def seconds():
    widths, by_width, depths, by_depth = width_and_depth
    print("one layer:   ", ", ".join(f"{w} units {s:.2f} s" for w, s in zip(widths, by_width[:, 2], strict=True)))
    for skip, name in ((False, "plain"), (True, "residual")):
        print(f"{name + ':':13}", ", ".join(f"{d} layers {s:.2f} s" for d, s in zip(depths, by_depth[skip][:, 2], strict=True)))

# %% [markdown]
# Two sentences of the slide did not come out. *"Wide networks may overfit"*: 256 units have 19,000 parameters for 600 digits, fit all of them, and the test error stays where it was. Width costs time here, and little of that, not accuracy. *"Deep nets are more expressive"*: 16 plain layers fail on the digits they were *trained* on. That is no overfitting, and more data would not cure it: they cannot be trained. The skip repairs it at no extra parameter, yet it buys no accuracy over four layers either. On this data depth has nothing to give.
#
# (The form matters. With ReLU at the *end* of the branch, increments are never negative and values can only grow; 16 such layers, tried once, were as bad as plain ones.)

# %% [markdown]
# ## 3. A loss that depends on a training
#
# The slides write the search as one formula with another inside:
#
# $$\alpha^* = \arg\min_\alpha \; L_{\text{val}}(w^*(\alpha), \alpha), \qquad w^*(\alpha) = \arg\min_w \; L_{\text{train}}(w, \alpha)$$
#
# Two levels, two data sets. Why not one? Take the smallest case in which everything can be written down: a linear model, and the only thing to choose is the strength λ of the penalty. We search in log λ, which may be any number.
#
# $$L_{\text{train}}(w) = \frac{1}{2N} |Xw - y|^2 + \frac{\lambda}{2} |w|^2, \qquad L_{\text{val}}(w) = \frac{1}{2M} |X_{\text{val}}w - y_{\text{val}}|^2$$
#
# First the inner level. Where is the training loss lowest?

# %% exercise="inner_solution"

# %% check="inner_solution"

# %% [markdown]
# Data for it: the diabetes patients, 40 of them, with 30 columns of pure noise beside their ten measurements. **Predict:** the loss on training data as a function of log λ. Where is its lowest point?

# %%
def ridge_data(seed):
    """40 patients to train, 40 to validate, 362 to test; 10 real columns and 30 of noise."""
    rng = np.random.default_rng(seed)
    x, y = data.diabetes()
    x = np.hstack([x, rng.normal(size=(len(x), 30))])
    order = rng.permutation(len(x))
    return [(x[i], ((y - y.mean()) / y.std())[i]) for i in (order[:40], order[40:80], order[80:])]


ridge_train, ridge_val, ridge_test = ridge_data(0)


def loss_after_training(log_lambda, rows):
    return 0.5 * float(np.mean((rows[0] @ inner_solution(log_lambda, *ridge_train) - rows[1]) ** 2))


@experiment("inner_solution")
def three_losses():
    grid = np.linspace(-6, 4, 81)
    curves = {name: np.array([loss_after_training(s, rows) for s in grid]) for name, rows in (("training", ridge_train), ("validation", ridge_val), ("test", ridge_test))}
    fig, ax = plots.figure(width=6)
    plots.lines(ax, grid, curves, log="y", xlabel="log λ", ylabel="loss")
    plots.show(fig, "Loss against log lambda from −6 to 4. The training loss rises from left to right, without any minimum inside. Validation and test loss fall steeply from the left, have their lowest points near 0 and rise a little afterwards.")
    for name, curve in curves.items():
        print(f"lowest {name} loss at log λ = {grid[curve.argmin()]:+.1f}")
    expect("test loss of the training loss's choice", curves["test"][0], 1, 6)
    expect("test loss of the validation loss's choice", curves["test"][curves["validation"].argmin()], 0.25, 0.45)

# %% [markdown]
# Judged on its own training data, no penalty is ever worth its price: the training loss votes for the smallest λ that you allow. That is no accident of this data set but forced: a constraint cannot lower a minimum. The same vote chooses the deepest net, the widest, the highest degree. So the outer level needs data of its own.
#
# ### The gradient of the outer level
#
# A grid of 81 trainings is fine for one number. With a hundred penalties it is hopeless, and one wants to *descend*. But log λ does not occur in L_val at all! It acts through w\* only:
#
# $$\frac{d L_{\text{val}}}{d \log\lambda} = \nabla_w L_{\text{val}}(w^*) \cdot \frac{d w^*}{d\log\lambda}$$
#
# How do the trained weights move when the penalty does? Not by differentiating a training run step by step, but by this: *after* training the gradient is 0, for every λ. On paper:
#
# 1. Write the condition of the inner exercise as $A\,w^* = c$. What is A, and which of the two sides contains λ?
# 2. Differentiate both sides in log λ; the left one is a product. What is dλ/d log λ?
# 3. Solve for $dw^*/d\log\lambda$: one more linear system, with a matrix you have already.
# 4. Multiply with the slope of L_val in w. Mind which rows are averaged there.
#
# **Before the check:** what must the sign be if the validation data *are* the training data?

# %% exercise="hypergradient"

# %% check="hypergradient"

# %% [markdown]
# Large nets have no formula for w\*, and an inverse second derivative is too dear. A popular shortcut (first in Luketina et al. 2016, the second-order form of DARTS has it too) pretends that training is ONE step long: $w' = w - \eta \nabla L_{\text{train}}(w, \lambda)$, and differentiates only that step. Here it starts at w\* and takes the largest step that is safe. **Predict:** does it get the sign right? The size?

# %%
def one_unrolled_step(log_lambda):
    X, y = ridge_train
    lam, w = np.exp(log_lambda), inner_solution(log_lambda, X, y)
    lr = 1 / (np.linalg.norm(X, 2) ** 2 / len(X) + lam)
    stepped = w - lr * (X.T @ (X @ w - y) / len(X) + lam * w)
    slope = ridge_val[0].T @ (ridge_val[0] @ stepped - ridge_val[1]) / len(ridge_val[0])
    return float(slope @ (-lr * lam * w))


@experiment("inner_solution", "hypergradient")
def three_gradients():
    grid, h = np.linspace(-6, 4, 41), 1e-4
    yours = np.array([hypergradient(s, *ridge_train, *ridge_val) for s in grid])
    differences = np.array([(loss_after_training(s + h, ridge_val) - loss_after_training(s - h, ridge_val)) / (2 * h) for s in grid])
    step = np.array([one_unrolled_step(s) for s in grid])
    fig, ax = plots.figure(width=6)
    plots.lines(ax, grid, {"implicit": yours, "one unrolled step": step, "differences": differences}, xlabel="log λ", ylabel="dL_val / dlog λ", styles={"differences": {"linestyle": "", "marker": "o", "markersize": 4, "color": "0.2"}})
    plots.show(fig, "Hypergradient against log lambda from −6 to 4. The implicit gradient, with the dots of the central differences exactly on it, dips far below zero at the left and comes to zero near 0. One unrolled step is nearly zero at the left, where the others are far below, and joins them from 0 on.")
    print(f"largest difference between implicit and central differences below 1e-5: {bool(np.abs(yours - differences).max() < 1e-5)}")
    for s in (-4.0, -2.0, 0.0, 2.0):
        print(f"log λ = {s:+.0f}: implicit {hypergradient(s, *ridge_train, *ridge_val):+.3f}, one step {one_unrolled_step(s):+.3f}")
    print(f"same sign in {int((np.sign(yours) == np.sign(step)).sum())} of {len(grid)} places")

# %% [markdown]
# The sign is nearly always right, so descent would walk in the right direction. The size is another matter: more than 60 times too small at log λ = −4. Where λ is small the weights have far to go, along directions in which the training loss is flat; one step shows the beginning of a long way. The inverse matrix knows the end of it. Where λ is large, training *is* about one step long, and the two agree.
#
# Now use it. Descent in log λ, from −4, against the grid:

# %%
@experiment("inner_solution", "hypergradient")
def descent_in_log_lambda():
    s, path = -4.0, []
    for _ in range(60):
        path.append(s)
        s = float(np.clip(s - 2.0 * hypergradient(s, *ridge_train, *ridge_val), -6, 4))
    grid = np.linspace(-6, 4, 81)
    best = float(grid[np.argmin([loss_after_training(g, ridge_val) for g in grid])])
    print("log λ at steps 0, 5, 20, 60:", ", ".join(f"{v:+.2f}" for v in (path[0], path[5], path[20], s)), f"  best of 81 trainings: {best:+.2f}")
    expect("distance from the grid's best", abs(s - best), 0, 0.15)
    expect("test loss where descent ends", loss_after_training(s, ridge_test), 0.25, 0.45)

# %% [markdown]
# ## 4. Searches that count
#
# Width, depth, learning rate: for most choices there is no gradient. Then one tries. The surprising baseline is to try at random (Bergstra and Bengio 2012): a grid of 4 × 4 tests four learning rates, sixteen random draws test sixteen.
#
# A search runs unattended, for a night, and some of its configurations are bad. They raise exceptions, their loss is NaN, or inf, or through some broken line −inf, which beats everything. What your search does *then* is most of this exercise.

# %% exercise="random_search"

# %% check="random_search"

# %% [markdown]
# Random search trains its worst configuration as long as its best. After one epoch one could have told them apart, mostly. **Successive halving** (Jamieson and Talwalkar 2016) gives all a little, keeps the best share, gives those more, until one is left. Details decide what it spends. **Before you write it**, work out by hand what 7 configurations spend with η = 2 and a first budget of 1.

# %% exercise="successive_halving"

# %% check="successive_halving"

# %%
@experiment("successive_halving")
def what_halving_spends():
    for n, eta in ((7, 2), (8, 2), (16, 2), (27, 3)):
        _, spent = successive_halving(list(range(n)), lambda config, budget: config, 1, eta)
        rounds = int(np.floor(np.log(n) / np.log(eta) + 1e-9))
        print(f"n = {n:2d}, η = {eta}: spends {spent}, all of them with the last round's budget {n * eta ** (rounds - 1)}")

# %% [markdown]
# Now sixteen nets with random width, depth and learning rate. First `random_search`, 16 epochs each: 256 epochs. Then the *same* sixteen through `successive_halving`, from one epoch on. It spends 64. **Predict:** will it find the same winner?

# %%
def sample_config(rng):
    return {"lr": float(10 ** rng.uniform(-4, 0)), "width": int(2 ** rng.integers(3, 7)), "depth": int(rng.integers(1, 4))}


def validation_loss(config, n_epochs, sets=(train, val)):
    net = trained(sets[0], config["depth"], config["width"], lr=config["lr"], n_epochs=n_epochs)
    with np.errstate(all="ignore"):
        return softmax_cross_entropy(net(sets[1][0]), sets[1][1])


@experiment("random_search", "successive_halving")
def race():
    best, trials = random_search(sample_config, lambda config: validation_loss(config, 16), 16, rng=np.random.default_rng(0))
    configs, curves = [config for config, _ in trials], {}

    def evaluate(config, n_epochs):
        loss = validation_loss(config, n_epochs)
        curves.setdefault(configs.index(config), []).append((n_epochs, loss))
        return loss

    winner, spent = successive_halving(configs, evaluate, 1)
    return best, trials, configs.index(winner), spent, curves

# %%
@experiment("random_search", "successive_halving")
def draw_race():
    best, trials, winner, spent, curves = race
    fig, ax = plots.figure(width=6)
    for i, curve in curves.items():
        budgets, losses = np.array(curve).T
        ax.plot(budgets, losses, "o-", color=plots.COLOURS[0] if i == winner else "0.7", linewidth=2.5 if i == winner else 1)
    ax.set_xscale("log", base=2)
    ax.set(xlabel="epochs in this round", ylabel="validation loss", yscale="log", ylim=(0.07, 4), xticks=(1, 2, 4, 8), xticklabels=("1", "2", "4", "8"), title="one more lies far above")
    plots.show(fig, "Validation loss of sixteen nets by round of 1, 2, 4, 8 epochs, both axes logarithmic. After one epoch the losses spread over a decade, and one lies far above the picture. Half of the lines end in each round; the winner, drawn in blue, is the lowest in every round.")
    order = np.argsort([loss for _, loss in trials], kind="stable").tolist()
    config = trials[winner][0]
    rank = order.index(winner) + 1
    print(f"random search: {len(trials)} x 16 = {16 * len(trials)} epochs, halving: {spent}")
    print(f"halving's winner: width {config['width']}, depth {config['depth']}, lr {config['lr']:.3f}; random search's: width {best['width']}, depth {best['depth']}, lr {best['lr']:.3f}")
    expect("rank of halving's winner after 16 epochs", rank, 1, 5)
    for name, c in (("random search", best), ("halving", config)):
        net = trained(train, c["depth"], c["width"], lr=c["lr"], n_epochs=16)
        expect(f"test accuracy, {name}", accuracy(net(test[0]), test[1]), 0.92, 0.985)

# %% [markdown]
# The same net, for a quarter of the epochs. Is that the rule? We repeated it with four other sets of sixteen, other digits, other initial weights. Twice more it was the same net; twice it was the second best of the sixteen, with test accuracy .941 for .966, and .934 for .947. In three of five, then: *the* winner is a matter of luck, a good one is not. Halving goes wrong where curves cross, that is where a slow starter would have won in the end. It cannot see that in the first round. Nobody can.

# %% [markdown]
# ## 5. A choice made smooth
#
# Could one *descend* to an architecture? A choice between operations has no derivative. So DARTS (Liu et al. 2019) does not choose: it lets all operations answer and adds the answers up, with weights that are the softmax of logits α. α can be any real numbers, and it has a gradient.

# %% exercise="mixed_operation"

# %% check="mixed_operation"

# %% [markdown]
# For its gradient in α, two links on paper:
#
# 1. What is $\partial L / \partial \text{weight}_k$? It is one number, though y may have many entries.
# 2. From weights to logits: softmax's Jacobian, which you derived in *softmax and cross-entropy*. It is not diagonal.
#
# **Before the check:** add the same number to all of α. What happens to y? What must the K entries of the gradient sum to?

# %% exercise="mixed_operation_grad"

# %% check="mixed_operation_grad"

# %% [markdown]
# ### The puzzle, solved
#
# Noisy points of a cubic, 30 to train and 30 to validate. Three ways to choose a degree from 1, 3 and 12: by training loss, by validation loss after training each alone, and by the blend of section 1. Its weights w take steps on the training loss, its α on the validation loss, in turn.

# %%
DEGREES = (1, 3, 12)


def design(x, degree):
    return np.polynomial.legendre.legvander(x, degree) * np.sqrt(2 * np.arange(degree + 1) + 1)


def cubic_data(seed):
    """(x, y) for training and for validation: 30 points each."""
    rng = np.random.default_rng(seed)
    xs = [(x := rng.uniform(-1, 1, size=30), rng.normal(scale=0.3, size=30) + 4 * x**3 - 3 * x) for _ in range(2)]
    return xs


def relaxed_search(designs, y, y_val, n_steps=400, lr=0.1):
    """Weights of every model and the logits of the blend, in turn; designs are pairs (training, validation)."""
    weights, alpha = [np.zeros(A.shape[1]) for A, _ in designs], np.zeros(len(designs))
    for _ in range(n_steps):
        models = [lambda _, A=A, w=w: A @ w for (A, _), w in zip(designs, weights, strict=True)]
        residual = (mixed_operation(y, models, alpha) - y) / len(y)
        weights = [w - lr * p * (A.T @ residual) for w, p, (A, _) in zip(weights, softmax(alpha), designs, strict=True)]
        models = [lambda _, A=A, w=w: A @ w for (_, A), w in zip(designs, weights, strict=True)]
        residual = (mixed_operation(y_val, models, alpha) - y_val) / len(y_val)
        alpha = alpha - lr * mixed_operation_grad(residual, y_val, models, alpha)
    return softmax(alpha), models

# %%
@experiment("inner_solution", "mixed_operation", "mixed_operation_grad")
def discretisation_gap():
    chosen, soft, hard, again, largest = {"training loss": [], "validation loss": [], "blend": []}, [], [], [], []
    for seed in range(10):
        (x, y), (x_val, y_val) = cubic_data(seed)
        designs = [(design(x, d), design(x_val, d)) for d in DEGREES]
        fits = [inner_solution(-12.0, A, y) for A, _ in designs]
        chosen["training loss"].append(int(np.argmin([np.mean((A @ w - y) ** 2) for (A, _), w in zip(designs, fits, strict=True)])))
        chosen["validation loss"].append(int(np.argmin([np.mean((A @ w - y_val) ** 2) for (_, A), w in zip(designs, fits, strict=True)])))
        p, models = relaxed_search(designs, y, y_val)
        chosen["blend"].append(int(p.argmax()))
        answers = np.array([m(None) for m in models])
        soft.append(0.5 * np.mean((p @ answers - y_val) ** 2))
        k = int(p.argmax())
        hard.append(0.5 * np.mean((answers[k] - y_val) ** 2))
        again.append(0.5 * np.mean((designs[k][1] @ fits[k] - y_val) ** 2))
        largest.append(p.max())
    return chosen, np.array(soft), np.array(hard), np.array(again), np.array(largest)

# %%
@experiment("inner_solution", "mixed_operation", "mixed_operation_grad")
def draw_gap():
    chosen, soft, hard, again, largest = discretisation_gap
    fig, ax = plots.figure(width=5)
    ax.plot([0.025, 0.3], [0.025, 0.3], color="0.7", linewidth=1)
    ax.loglog(soft, hard, "o", color=plots.COLOURS[1], alpha=0.8)
    ax.set(xlabel="validation loss of the blend", ylabel="of its winner alone", title="grey line: equal", xticks=(0.03, 0.1, 0.3), xticklabels=("0.03", "0.1", "0.3"), yticks=(0.03, 0.1, 0.3), yticklabels=("0.03", "0.1", "0.3"))
    ax.minorticks_off()
    plots.show(fig, "Ten points, one a data set, both axes logarithmic: validation loss of the winner alone against that of the blend. Seven points lie above the line of equal losses, by factors up to more than three; three lie a little below it.")
    for name, picks in chosen.items():
        print(f"by {name:16}: degrees", *(f"{DEGREES[k]:2d}" for k in picks))
    cubics = {name: sum(DEGREES[k] == 3 for k in picks) for name, picks in chosen.items()}
    expect("cubics by training loss", cubics["training loss"], 0, 0, ".0f")
    expect("cubics by validation loss", cubics["validation loss"], 7, 10, ".0f")
    expect("cubics by the blend", cubics["blend"], 4, 10, ".0f")
    print("winner alone is worse than the blend in", int((hard > soft).sum()), "of 10")
    expect("loss of the blend, median", np.median(soft), 0.045, 0.075)
    expect("loss of the winner alone, median", np.median(hard), 0.055, 0.16)
    expect("loss of the winner, trained anew, median", np.median(again), 0.03, 0.15)
    expect("largest share in the blend, median", np.median(largest), 0.35, 0.7)
    print("your prediction:", my_prediction)

# %% [markdown]
# Training loss takes degree 12 ten times of ten: it must, for every cubic *is* a polynomial of degree 12. Validation, each model trained alone, takes the true degree nine times. The blend takes it six times, and the straight line four times.
#
# And the winner alone is nearly twice as bad as the blend. This is the **discretisation gap**. The models were never trained to answer alone: each learned what the *others* left over, the winner too, whose share is no more than about one half. Taking the largest share and dropping the rest leaves a model that nobody has optimised. In three of ten sets it gained by it, in seven it lost.
#
# How firm is this? On four further sets of ten, the blend found 7, 8, 7 and 10 cubics, and the median loss rose by 13, 8, 81 and 15 %. The direction is firm, the factor of two is not. Training the winner anew closes the gap where the winner is right, which is why DARTS retrains what it finds; it cannot help where the wrong one won.

# %% [markdown]
# ## 6. The same in PyTorch
#
# Autograd finds the gradient in α by itself; compare, with logits up to ±1000:

# %%
import torch


@experiment("mixed_operation", "mixed_operation_grad")
def against_pytorch():
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    for alpha in (rng.normal(size=4), np.array([1000.0, 999.0, -1000.0, 0.0])):
        ours = [lambda x: x, np.tanh, relu, np.zeros_like]
        theirs = [lambda x: x, torch.tanh, torch.relu, torch.zeros_like]
        a = torch.tensor(alpha, requires_grad=True)
        y = sum(w * op(torch.tensor(x)) for w, op in zip(torch.softmax(a, 0), theirs, strict=True))
        y.backward(torch.tensor(dy))
        same = np.abs(mixed_operation(x, ours, alpha) - y.detach().numpy()).max() < 1e-12
        print("dα yours  ", mixed_operation_grad(dy, x, ours, alpha).round(6) + 0.0)
        print("   PyTorch", a.grad.numpy().round(6) + 0.0, f"  y agrees to 1e-12: {bool(same)}")

# %% [markdown]
# And the hypergradient? `torch.linalg.solve` is differentiable: whoever wrote it has put the implicit derivative of section 3 into its backward. So write the validation loss as a function of log λ, the training inside, and ask for the gradient.

# %% exercise="validation_loss_in_torch"

# %% check="validation_loss_in_torch"

# %%
@experiment("hypergradient", "validation_loss_in_torch")
def implicit_gradient_for_free():
    tensors = [torch.tensor(a) for a in (*ridge_train, *ridge_val)]
    for s in (-4.0, -2.0, 0.0, 2.0):
        log_lambda = torch.tensor(s, dtype=torch.float64, requires_grad=True)
        validation_loss_in_torch(log_lambda, *tensors).backward()
        print(f"log λ = {s:+.0f}: derived {hypergradient(s, *ridge_train, *ridge_val):+.9f}, autograd {log_lambda.grad.item():+.9f}")

# %% [markdown]
# To nine digits. Autograd did not unroll anything: the backward of *solve* is one more solve with the same matrix, as yours.
#
# ## 7. A practical guide, rule by rule
#
# From a data set's size to a first architecture. Every rule is put to the test before it is believed: **mark the ones you expect to fail.** Accuracy on the validation digits, for 50, 200 and 600 digits to learn from:

# %%
@experiment()
def guide_table():
    models = {"linear": (0, 0, False), "1 x 64": (1, 64, False), "4 x 64": (4, 64, False), "4 x 64, skips": (4, 64, True)}
    sizes, table = (50, 200, 600), {}
    for name, (depth, width, skip) in models.items():
        for n in sizes:
            net = trained((train[0][:n], train[1][:n]), depth, width, skip, n_epochs=min(60, 9000 // n))
            table[name, n] = accuracy(net(val[0]), val[1])
    return sizes, list(models), table

# %%
@experiment()
def draw_guide():
    sizes, names, table = guide_table
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.array(sizes), {name: np.array([table[name, n] for n in sizes]) for name in names}, log="x", xlabel="training digits", ylabel="validation accuracy")
    ax.set_xticks(sizes, map(str, sizes))
    ax.minorticks_off()
    plots.show(fig, "Validation accuracy against the number of training digits, 50, 200, 600, four lines. At 50 the linear model and one hidden layer lie highest, the four-layer nets about five hundredths lower; at 200 all lie within three hundredths; at 600 one hidden layer leads, close above the four-layer nets, and the linear model is last by a hundredth or two.")
    expect("rule 1: 50 digits, linear minus 4 x 64", table["linear", 50] - table["4 x 64", 50], 0.0, 0.12)
    expect("rule 2: 600 digits, 1 x 64 minus linear", table["1 x 64", 600] - table["linear", 600], -0.01, 0.05)
    expect("rule 3: 600 digits, 4 x 64 minus 1 x 64", table["4 x 64", 600] - table["1 x 64", 600], -0.03, 0.02)
    expect("rule 4: 4 layers, what skips add at 600", table["4 x 64, skips", 600] - table["4 x 64", 600], -0.03, 0.03)

# %% [markdown]
# Which dial first? The learning rate, they say, and the shape afterwards. Your `random_search` can tell: six nets of one shape with random rates, against six of one rate with random shapes, five epochs each. **Predict** which six differ more.

# %%
@experiment("random_search")
def which_dial_first():
    def error(config):
        net = trained(train, config["depth"], config["width"], lr=config["lr"], n_epochs=5)
        return 1 - accuracy(net(val[0]), val[1])

    def only(*names):
        usual = {"lr": 0.02, "depth": 1, "width": 64}
        return lambda rng: usual | {name: value for name, value in sample_config(rng).items() if name in names}

    for what, names in (("learning rates", ["lr"]), ("shapes", ["width", "depth"])):
        _, trials = random_search(only(*names), error, 6, rng=np.random.default_rng(1))
        expect(f"rule 5: worst minus best error, six {what}", np.ptp([loss for _, loss in trials]), *((0.3, 0.95) if names == ["lr"] else (0.0, 0.45)))

# %% [markdown]
# The last rule is about you. One hundred designs, all of them *equally good*: each is right on a new digit with probability 0.90. You measure them on 200 held-out digits and keep the best. **Predict** its score.

# %%
@experiment("random_search")
def best_of_equals():
    rng = np.random.default_rng(0)
    for n_designs in (1, 10, 100):
        searches = [random_search(lambda rng: rng.binomial(200, 0.9) / 200, lambda score: 1 - score, n_designs, rng=rng) for _ in range(200)]
        print(f"best of {n_designs:3d} equals: scores {np.mean([best for best, _ in searches]):.3f} on the data that chose it, 0.900 on new data")

# %% [markdown]
# | rule | tested above | verdict |
# |---|---|---|
# | 1. A few dozen examples: a linear model or one hidden layer | 50 digits | holds: four layers lose some hundredths |
# | 2. Hundreds: one hidden layer, as wide as you can wait for | 600 digits; width 4 to 256 | holds: too narrow hurts, too wide only costs time |
# | 3. "Deeper is more expressive, so better" | 4 × 64 against 1 × 64; depth at equal parameters | not seen on this data |
# | 4. Skips always help | 4 layers, 16 layers | not at four; without them 16 layers cannot be trained |
# | 5. The learning rate first, the shape later | six rates, six shapes | holds, also with four other draws; nets of eight units cost too |
# | 6. Choose on validation data, never on training data | penalty, degree | holds, and is forced |
# | 7. Report on data that has chosen nothing | best of 100 equals | holds: five points in a hundred were luck |
#
# A first design, then: count your examples; take one hidden layer of 64 and a linear model beside it; search the learning rate at random and let halving stop the hopeless; add layers, with skips, only as long as the *validation* loss falls; open the test drawer once. Eight by eight pixels are small data, and another data set has other verdicts. What carries over is the habit of testing a rule before obeying it.

# %% [markdown]
# ## 8. In your own words
#
# A report says: *"We tried 100 architectures and report the best accuracy on our 200 held-out images, 95.5 %. Our competitors tried one and got 91 %. As the search never trained on the held-out images, the comparison is fair."* Explain (a) which data played which part, and what is wrong with the last sentence; (b) in which direction and roughly by how much the figure may be off, with a figure of this notebook; (c) what they should report instead, and what to do now that all 200 images have been used. (Six to eight sentences.)

# %% [markdown] written="what_to_report"
# (a) The 200 images were validation data: they chose among 100 architectures, which is the outer minimum of the bilevel problem. Training is not the only way to fit to data; choosing is fitting too, with the architecture as the parameter. There was no test set at all. (b) The figure is too high, never too low on average: the best of 100 scores is the best of 100 true qualities *plus luck*, and selecting by the sum selects the luck. With 100 designs that all have accuracy 0.90, the winner showed about 0.95 on 200 images. So a difference of 4.5 points against a competitor who tried one may be nothing but that. (c) Split in three before the search: train, choose on validation, and evaluate the one chosen on a test set that has decided nothing, once; report that, with its uncertainty (about ±2 points at 200 images), the number of architectures tried and the budget, and give the competitor the same search budget. The 200 images are spent: they may go on serving as validation data, or join the training data, but new images are needed for the test (or the outer loop of a nested cross-validation from the start).
#
# Rubric:
# - **full** the held-out images were validation data because they chose; too optimistic, with a figure (0.90 → 0.95, or the like); a third set, used once, for the one chosen; new data needed now, and an equal search budget or the number of trials named
# - **half** says that a test set may not be used for choosing and a third set is needed, without size of the effect, or without saying what to do with the spent data
# - **none** "fair, because it was not trained on", or only "they should use more data"

# %% [markdown]
# ## Recap
#
# 1. At equal parameters, depth is paid for with width. Width beyond need cost time, not accuracy; plain depth cost trainability, and the skip gave it back. Neither was what the rule of thumb said.
# 2. A search has two levels and needs three data sets: training loss always votes for the largest model, and whatever chose is too optimistic about its choice.
# 3. One can differentiate through a training without unrolling it: after training the gradient is 0 and stays 0, whatever λ does, and that is one linear system. One unrolled step has the sign and not the size.
# 4. Random search is the baseline; halving finds about as good a design for a quarter of the epochs, if exceptions, NaN and −inf cannot stop or fool it.
# 5. A blend can be differentiated, with softmax's whole Jacobian; its winner alone is another model, and has to be trained and judged anew.
#
# **The recap question.** Too good: the best of 1000 noisy figures owes part of its place to luck. The data that chose the epoch is validation data; a fair figure needs a third set.
#
# **To read:** Bergstra and Bengio 2012, *Random Search for Hyper-Parameter Optimization*; Jamieson and Talwalkar 2016, *Non-stochastic Best Arm Identification and Hyperparameter Optimization*; Bengio 2000, *Gradient-Based Optimization of Hyperparameters*; Liu, Simonyan and Yang 2019, *DARTS: Differentiable Architecture Search*; He, Zhang, Ren and Sun 2016, *Identity Mappings in Deep Residual Networks*. For how a search can fool its authors: Li and Talwalkar 2019, *Random Search and Reproducibility for Neural Architecture Search*.
