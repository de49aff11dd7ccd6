# %% [markdown]
# # Losses of regression
#
# **You will be able to** write the squared, the absolute and Huber's loss with their gradients, say what each of them believes about errors and which constant it likes best, and predict what a few wild targets will do to a fitted line.
#
# **Time** about an hour, twenty minutes more with the bonus · **Needs** derivatives, NumPy broadcasting, *softmax and cross-entropy* · **Symbols** r = ŷ − y the residual, prediction minus target; δ Huber's threshold (where the slides on vanishing gradients write δ for an error signal, that is another δ); τ the share of a quantile; N examples, each with D target values.
#
# **Recap question.** In a logit, cross-entropy has the gradient p − y. A label is plainly wrong, and the net knows better: how strongly can this one example pull on its logit, at most? Keep your answer; at the end we hold it against the three losses of today.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment

# %% [markdown]
# ## 1. Seven guesses and a compromise
#
# Seven members of a weather club guess by how many degrees tomorrow will be warmer than today. The club publishes one number for all. Their treasurer takes the **mean**: it is 1.5. Their oldest member distrusts the last guess and takes the **median**: it is 1.5 as well.
#
# A third member knows a loss that is "squared for small errors, absolute for large ones": Huber's. The squared error likes the mean best and the absolute error likes the median best, so a loss made of both should choose something in between. The threshold is to be δ = 3 degrees.
#
# **Predict before you read on.** Which constant has the least Huber loss over these seven guesses?

# %%
guesses = np.array([-3.25, -3.0, -0.75, 1.5, 1.5, 2.75, 11.75])
print(f"mean {guesses.mean():.2f}, median {np.median(guesses):.2f}")

my_prediction = None  # a number, in degrees: the constant that Huber's loss with delta = 3 likes best

# %% [markdown]
# ## 2. A loss is a belief about errors
#
# Cross-entropy was minus the logarithm of a likelihood. Do the same for a target that is a real number: it is the prediction plus an error, and you must say how errors are distributed. Two beliefs about $r = \hat y - y$, both with their constants:
#
# $$\text{Gauss:}\quad \frac{1}{\sqrt{2\pi}}\, e^{-r^2/2} \qquad\qquad \text{Laplace:}\quad \frac12\, e^{-|r|}$$
#
# Take minus the logarithm of each, one line on paper, and drop what does not depend on $r$. These are the slides' MSE and MAE, and you see where the ½ of the first comes from. (A Bernoulli belief gave you binary cross-entropy in the same way.)
#
# How unlikely is an error of 6 under each belief, compared with an error of 1? Guess two powers of ten.

# %%
for belief, log_ratio in (("Gauss", (6**2 - 1**2) / 2), ("Laplace", 6.0 - 1.0)):
    print(f"{belief:8} an error of 1 is 10^{log_ratio / np.log(10):.1f} times likelier than one of 6")

# %% [markdown]
# Who believes in Gauss must bend over backwards to explain an error of 6; who believes in Laplace shrugs. That is all there is to "sensitive to outliers".
#
# Two conventions, for everything below:
#
# - **reduction**: an example is a row. `"none"` gives one loss per example, the sum over its D entries; `"sum"` adds the examples; `"mean"` divides that sum by **N**, not by N·D;
# - **gradients** have the shape of the predictions and belong to the reduced loss (for `"none"`, to the sum).

# %% exercise="mse"

# %% check="mse"

# %% exercise="mse_grad"

# %% check="mse_grad"

# %% exercise="mae"

# %% check="mae"

# %% [markdown]
# The absolute error has a kink. At $r = 0$ the slope from the left is −1 and from the right +1, and every number between them is a *subgradient*: a line with that slope touches the loss from below. One has to be chosen, and the docstring says which.

# %% exercise="mae_grad"

# %% check="mae_grad"

# %% [markdown]
# ## 3. A tug of war
#
# Read a gradient as a rope. Every example pulls the prediction towards its target, as strongly as the loss is steep. Let the prediction be one constant $c$ for all. It comes to rest where the pulls balance:
#
# $$\sum_n \ell'(c - y_n) = 0$$
#
# Squared error: a rope pulls harder the longer it is. Absolute error: everybody pulls equally hard, near or far. **On paper:** which statistic of $y$ solves each equation? And what happens to the second one if the number of examples is even, say $y = (0, 1, 4, 9)$?

# %%
@experiment("mse", "mae")
def two_valleys():
    y, c = np.array([0.0, 1.0, 4.0, 9.0]), np.linspace(-1, 10, 221)
    constants, targets = np.tile(c[:, None], (1, 4)), np.tile(y, (len(c), 1))  # a row for each constant
    totals = {"squared": mse(constants, targets, "none"), "absolute": mae(constants, targets, "none")}
    fig, axes = plots.figure(2, width=4.4)
    for ax, (name, total) in zip(axes, totals.items(), strict=True):
        plots.lines(ax, c, {name: total}, xlabel="constant c", title=f"total {name} error")
        ax.plot(y, np.zeros(4), "k^", markersize=5)
    plots.show(fig, "Total loss against the constant. Left, squared: a parabola with its one lowest point at the mean 3.5. Right, absolute: straight pieces with a corner at each target, level at 12 all the way from 1 to 4. Triangles on the axis mark the four targets.")
    print("absolute error at c = 1, 2, 3, 4:", [float(totals["absolute"][i]) for i in (40, 60, 80, 100)])

# %% [markdown]
# With two targets on each side, moving $c$ between the middle two takes from two ropes what it gives to the other two: the valley has a flat floor, and *every* point of it is a median. The squared error never has that; its pulls change with every step.
#
# Now move the 9 to 9000. The mean goes with it. The median does not notice: one rope, one vote.

# %% [markdown]
# ## 4. A rope that gives way
#
# Huber (1964) wanted both: pulls that fade near the target, and no example so strong that it drags all others along. So he let the rope pull like a spring up to a residual of δ, and never harder than it does there.
#
# The loss that goes with it is our squared error for $|r| \le \delta$ and, beyond, a straight line $s\,|r| + k$. **Derive** $s$ and $k$: at $|r| = \delta$ the line must be as steep as the parabola (no kink) and as high (no jump). Careful with the last one; most wrong versions of this loss have a wrong $k$, and with δ = 1 many of them look right.
#
# One warning about names: many libraries have a *smooth L1* loss, which is Huber's divided by δ. Yours is not divided.

# %% exercise="huber"

# %% check="huber"

# %% exercise="huber_grad"

# %% check="huber_grad"

# %%
@experiment("mse", "mae", "huber", "mse_grad", "mae_grad", "huber_grad")
def losses_and_pulls():
    r, zero = np.linspace(-6, 6, 241), np.zeros(241)
    losses = {"squared": mse(r, zero, "none"), "absolute": mae(r, zero, "none"), "Huber, δ = 3": huber(r, zero, 3.0, "none")}
    pulls = {"squared": mse_grad(r, zero, "sum"), "absolute": mae_grad(r, zero, "sum"), "Huber, δ = 3": huber_grad(r, zero, 3.0, "sum")}
    fig, (left, right) = plots.figure(2, width=5)
    plots.lines(left, r, losses, xlabel="residual ŷ − y", ylabel="loss")
    plots.lines(right, r, pulls, xlabel="residual ŷ − y", ylabel="slope: how hard it pulls")
    plots.show(fig, "Left: the losses. Huber's lies on the parabola between −3 and 3 and leaves it as a straight line. Right: their slopes. Squared: a straight line without limit. Absolute: −1, then a jump at 0 to 1. Huber: the straight line, cut at −3 and 3.")

# %% [markdown]
# ### Walking downhill
#
# Before the puzzle, a consequence for training. Let $c$ walk down each loss over the seven guesses, from 10 and with a **constant** step size. **Predict**: which of the three will come as near to its goal as you like, and which will not, and why?

# %%
@experiment("mse_grad", "mae_grad", "huber_grad")
def three_walks():
    walks = {"squared": (mse_grad, 1.5), "absolute": (mae_grad, 1.5), "Huber, δ = 3": (lambda p, t: huber_grad(p, t, 3.0), 0.5)}
    distances = {}
    for name, (grad, goal) in walks.items():
        c, path = 10.0, []
        for _ in range(401):
            path.append(max(abs(c - goal), 1e-16))
            c -= 0.08 * np.sum(grad(np.full(7, c), guesses))
        distances[name] = np.array(path)
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.arange(401), distances, log="y", xlabel="step", ylabel="distance to the best constant")
    plots.show(fig, "Distance to the goal over 400 steps, logarithmic scale. Squared and Huber fall along straight lines, to about 1e-14 and 1e-7, Huber less steeply; absolute arrives after some 170 steps and then rattles between about 0.003 and 0.03.")
    print("nearer than 0.0001 at the end:", {name: bool(d[-1] < 1e-4) for name, d in distances.items()})

# %% [markdown]
# Pulls that fade let a constant step size become small steps by itself. The absolute error's do not fade: $c$ hops over its goal for ever, and only a shrinking step size ends that. We shall shrink it below.

# %% [markdown]
# ## 5. The puzzle, solved
#
# Stand at 1.5 and ask all seven who pulls how hard, with your gradients.

# %%
@experiment("mse_grad", "mae_grad", "huber_grad")
def who_pulls():
    here = np.full(7, 1.5)
    pulls = np.stack([-mse_grad(here, guesses, "sum"), -mae_grad(here, guesses, "sum"), -huber_grad(here, guesses, 3.0, "sum")])
    print(f"{'guess':>8}{'squared':>10}{'absolute':>10}{'Huber':>8}")
    for y, row in zip(guesses, pulls.T, strict=True):
        print(f"{y:8.2f}{row[0] + 0:10.2f}{row[1] + 0:10.0f}{row[2] + 0:8.2f}")
    print(f"{'sum':>8}{pulls[0].sum() + 0:10.2f}{pulls[1].sum() + 0:10.0f}{pulls[2].sum() + 0:8.2f}")

# %% [markdown]
# The squared pulls balance. The absolute ones do too: the two guesses at 1.5 itself may pull with anything from −1 to 1 and hold the missing 1. But Huber's do not. Cutting at 3 costs the far guess on the right 7.25 of its strength, and the two on the left only 3.25 together. So the left wins, and $c$ must move there. How far? A row for each constant, and your `huber` answers for all of them at once:

# %%
@experiment("huber")
def where_huber_rests():
    c, deltas = np.linspace(0, 2, 401), np.geomspace(0.05, 30, 80)
    constants, targets = np.tile(c[:, None], (1, 7)), np.tile(guesses, (len(c), 1))
    best = {d: float(c[np.argmin(huber(constants, targets, d, "none"))]) for d in [0.05, 3.0, 30.0, *deltas]}
    fig, ax = plots.figure(width=6)
    ax.set_ylim(0, 2)
    plots.lines(ax, deltas, {"Huber": [best[d] for d in deltas], "mean = median": np.full(80, 1.5)}, log="x", xlabel="threshold δ, degrees", ylabel="best constant, degrees", styles={"mean = median": {"color": "0.5", "linestyle": "--"}})
    ax.plot(3.0, best[3.0], "o", color=plots.COLOURS[0])
    plots.show(fig, "Best constant against δ from 0.05 to 30, logarithmic. Huber's starts at the dashed line at 1.5, falls to about 0.4 for δ near 3.4, and climbs back to 1.5, where it stays once δ exceeds 10.25; a dot marks 0.5 at δ = 3.")
    print("best constant:", ", ".join(f"{best[d]:.3f} at δ = {d:g}" for d in (0.05, 3.0, 30.0)), " · your prediction:", my_prediction)

# %% [markdown]
# Half a degree, a whole degree *outside* the mean and the median. At both ends the story is as told: a tiny δ cuts everybody to the same strength and gives the median, a huge δ (here from 10.25 on) cuts nobody and gives the mean. In between there is no reason to stay between. Mean and median balance different pulls; that both came out at 1.5 is a coincidence which a third set of pulls need not share. "A compromise between two losses" does not mean "a compromise between their answers".
#
# A grid finds 0.5 because 0.5 is on the grid. The bonus exercise finds the place exactly, for any data.

# %% exercise="minimise_location"

# %% check="minimise_location"

# %% [markdown]
# ## 6. A broken sensor
#
# From a constant to a line. True slope 2, noise of deviation 1, 200 points; the sensor fails for a tenth of all points, and only where $x > 1$: those read 22 too low. **Predict** the slope that each loss will find. (A sum of 200 pulls must vanish again, and a second one, in which each pull is multiplied by its $x$.)

# %%
def fit_line(x, y, grad, n_steps=600, lr=0.2):
    """Weights (D,) and bias by descent on all examples, with a step size that shrinks: the absolute error needs it."""
    w, b = np.zeros(x.shape[1]), 0.0
    for step in range(n_steps):
        pull = np.asarray(grad(x @ w + b, y))
        rate = lr / np.sqrt(1 + step / 100)
        w, b = w - rate * (x.T @ pull), b - rate * pull.sum()
    return w, b


def sensor(where, seed=0):
    """200 points of a line of slope 2; a tenth of them, drawn where `where(x)` holds, is 22 too low."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, size=200)
    y = 2 * x + rng.normal(size=200)
    y[rng.choice(np.flatnonzero(where(x)), size=20, replace=False)] -= 22
    return x[:, None], y

# %%
@experiment("mse_grad", "mae_grad", "huber_grad")
def broken_sensor():
    x, y = sensor(lambda x: x > 1)
    fits = {name: fit_line(x, y, grad) for name, grad in (("squared", mse_grad), ("Huber, δ = 1", huber_grad), ("absolute", mae_grad))}
    fig, ax = plots.figure(width=6)
    ax.scatter(x, y, s=9, color="0.6")
    ends = np.array([-3.0, 3.0])
    plots.lines(ax, ends, {name: w[0] * ends + b for name, (w, b) in fits.items()}, xlabel="x", ylabel="y", styles={"absolute": {"linestyle": "--"}})
    plots.show(fig, "Two hundred points along a rising line; twenty of them, at the right, lie far below. The squared error's line is dragged down to them and is much flatter than the cloud; Huber's and the absolute error's lie on top of each other along the cloud.")
    for name, low, high in (("squared", 0.35, 0.9), ("Huber, δ = 1", 1.7, 2.05), ("absolute", 1.7, 2.05)):
        expect(f"slope, {name}", fits[name][0][0], low, high)

# %% [markdown]
# The squared error loses more than half of the slope to twenty points. Look closely at the other two: they are near 2 but, most of the time, *below* it. A bounded pull is still a pull, and twenty ropes all point the same way.
#
# **Predict** once more: the same failures, but at any $x$ instead of at large ones. What does the squared error's line do now?

# %%
@experiment("mse_grad")
def failures_anywhere():
    for layout, where, low, high in (("at x > 1", lambda x: x > 1, 0.35, 0.9), ("anywhere", lambda x: x < 9, 1.7, 2.3)):
        fits = [fit_line(*sensor(where, seed), mse_grad) for seed in range(8)]
        expect(f"squared error, failures {layout}: slope, mean of 8 draws", np.mean([w[0] for w, b in fits]), low, high)
        expect("    and its line at x = 0", np.mean([b for w, b in fits]), -2.6, -1.7)

# %% [markdown]
# Spread evenly, the failures pull the line down as a whole, by a tenth of 22, and on average leave its slope alone (single draws still scatter widely). An outlier tilts a line when it sits far out in $x$: statisticians say it has *leverage*. "Outliers ruin the slope" is half of the truth.

# %% [markdown]
# ## 7. Misread patients
#
# Real data: ten measurements of 442 diabetes patients, and how far the disease has progressed a year later (a number from 25 to 346). Train a linear model on 300 patients; in one run, 600 is added by mistake to a tenth of the *training* targets. Judge by the mean absolute error on the other 142, whose targets are right.
#
# **Predict** two things. How much do Huber and the absolute error *cost* when the data are clean? And what does the curve over δ look like when they are not? (δ has a unit: here, standard deviations of the target.)

# %%
@experiment("mae", "mse_grad", "mae_grad", "huber_grad")
def misread_patients():
    parts, unit, deltas = data.split(*data.diabetes(), 300, rng=np.random.default_rng(0)), 77.0, np.geomspace(0.05, 20, 9)
    misread = 600.0 * (np.random.default_rng(1).random(300) < 0.1)
    curves, error = {}, {}
    for name, targets in (("clean", parts.y_train), ("a tenth misread", parts.y_train + misread)):

        def test_error(grad):
            w, b = fit_line(parts.x_train, targets / unit, grad)
            return unit * mae(parts.x_test @ w + b, parts.y_test / unit)

        error[name] = {"squared": test_error(mse_grad), "absolute": test_error(mae_grad), "Huber": test_error(huber_grad)}
        curves[name] = [test_error(lambda p, t: huber_grad(p, t, d) / min(d, 1.0)) for d in deltas]  # a small δ pulls weakly: larger steps
    fig, ax = plots.figure(width=6)
    plots.lines(ax, deltas, curves, log="x", xlabel="threshold δ, in deviations of the target", ylabel="error on clean test patients")
    plots.show(fig, "Test error against δ, logarithmic. Trained on clean data it is level near 45 for every δ. With a tenth misread it stays near 46 up to δ = 1, then climbs steeply to 72 at δ = 10, and is level again: that is the squared error.")
    for name, low, high in (("clean", -1.5, 2.5), ("a tenth misread", -60, -8)):
        for robust in ("Huber", "absolute"):
            expect(f"{name}: error of {robust} minus squared", error[name][robust] - error[name]["squared"], low, high, "+.1f")

# %% [markdown]
# On clean data the insurance is cheap: for Huber less than one per cent, for the absolute error one to three, depending on the split. With misread targets it saves a fifth of the error or more. And δ is no delicate knob: any value up to about one deviation will do. What it must not be is *thoughtlessly 1*: had we left the targets in their own unit, δ = 1 would be a seventieth of a deviation, which is the absolute error in disguise.

# %% [markdown]
# ## 8. The same in PyTorch
#
# PyTorch has all three, with conventions of its own. For predictions of shape (4, 3) and δ = 2, **explain each ratio** that comes out: 1.5, 3, 3, 6.

# %%
import torch
from torch.nn import functional


@experiment("mse", "mae", "huber", "huber_grad")
def against_pytorch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(scale=3, size=(4, 3)), rng.normal(size=(4, 3))
    p, t = torch.tensor(a, requires_grad=True), torch.tensor(b)
    pairs = {"mse_loss": (mse(a, b), functional.mse_loss(p, t)), "l1_loss": (mae(a, b), functional.l1_loss(p, t))}
    pairs |= {"huber_loss": (huber(a, b, 2.0), functional.huber_loss(p, t, delta=2.0)), "smooth_l1_loss": (huber(a, b, 2.0), functional.smooth_l1_loss(p, t, beta=2.0))}
    for name, (yours, theirs) in pairs.items():
        print(f"{name:15} yours {yours:.10f}   PyTorch {theirs.item():.10f}   ratio {yours / theirs.item():.6f}")
    functional.huber_loss(p, t, delta=2.0, reduction="sum").backward()
    print("gradient of huber_loss, sum: largest difference below 1e-15:", bool(np.abs(huber_grad(a, b, 2.0, "sum") - p.grad.numpy()).max() < 1e-15))

# %% [markdown]
# Nobody is wrong here, but a learning rate or a δ copied from someone with another convention is. One more trap, the commonest bug of regression in PyTorch: the net's output has shape (N, 1), the targets (N,). These predictions are *perfect*:

# %%
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch does warn, once, somewhere in a long log
    y = torch.arange(5.0, dtype=torch.float64)
    print("loss of perfect predictions, shapes (5, 1) and (5,):", functional.mse_loss(y[:, None], y).item())
    print("loss of perfect predictions, shapes (5,) and (5,)  :", functional.mse_loss(y, y).item())

# %% [markdown]
# (5, 1) minus (5,) broadcasts to (5, 5): every prediction against every target. The best such a net can do is to predict the same constant for everybody.
#
# ### Not the middle, but nine tenths
#
# The absolute error rests where the pulls from below and above are equally *many*. Let them differ in strength: an example pulls with strength $a$ if the prediction is too low, with strength $b$ if it is too high. Where does a constant come to rest that has a share τ of the targets below it? Balance gives $a : b$, and we fix the scale by $a + b = 1$. PyTorch has no such loss. Write it with tensors, and PyTorch will differentiate it.

# %% exercise="quantile_loss_in_torch"

# %% check="quantile_loss_in_torch"

# %% [markdown]
# With it a model can say not only what to expect but how far off it may be. Three lines through the diabetes data, over the body mass index alone. **Predict**: will the outer two be parallel?

# %%
@experiment("quantile_loss_in_torch")
def three_quantiles():
    x, y = data.diabetes()
    parts = data.split(x[:, 2], y, 300, rng=np.random.default_rng(0))
    x_train, y_train = torch.tensor(parts.x_train), torch.tensor(parts.y_train / 77.0)
    ends, lines, below = np.array([-2.2, 3.2]), {}, {}
    for tau in (0.1, 0.5, 0.9):
        w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        for step in range(600):
            (slope,) = torch.autograd.grad(quantile_loss_in_torch(w[0] * x_train + w[1], y_train, tau), w)
            with torch.no_grad():
                w -= 0.5 / np.sqrt(1 + step / 20) * slope
        lines[f"τ = {tau}"] = 77.0 * (w[0].item() * ends + w[1].item())
        below[tau] = float((parts.y_test < 77.0 * (w[0].item() * parts.x_test + w[1].item())).mean())
    fig, ax = plots.figure(width=6)
    ax.scatter(parts.x_test, parts.y_test, s=9, color="0.6")
    plots.lines(ax, ends, lines, xlabel="body mass index, in deviations", ylabel="progression after a year")
    plots.show(fig, "Test patients, and three rising lines. The line for 0.1 has about a tenth of the points below it, the one for 0.9 about nine tenths; the gap between them widens to the right.")
    for tau in below:
        expect(f"share of test patients below the line for τ = {tau}", below[tau], max(tau - 0.12, 0.0), min(tau + 0.12, 1.0))

# %% [markdown]
# Not parallel: the upper line climbs about twice as steeply as the lower one. The heavier the patient, the less the body mass index alone settles. A squared-error line with "plus or minus one deviation" drawn around it cannot say that.
#
# ## 9. In your own words
#
# An insurer predicts the yearly claims of each customer; the premiums, together, must pay for all claims. Nine customers in ten claim nothing, a few claim a fortune. To make training "robust to outliers" someone replaces the squared error by the absolute error. Explain what the model will now predict for a typical customer and what becomes of the insurer, and say what Huber's loss with a δ of 1000 euros would change. Then give one question that one should ask about outliers before choosing a loss. (Six sentences.)

# %% [markdown] written="when_robust_is_wrong"
# Without useful features each loss chooses a constant: the squared error the mean, the absolute error the median (with features, the mean or median among similar customers). More than half of the customers claim nothing, so the median is 0: the model predicts 0 for everybody, has a small absolute error, and the insurer collects nothing while the claims still come. The sum of the premiums must equal the sum of the claims, and that is what the mean, and only the mean, guarantees: Σ(c − y_n) = 0. Huber's loss with δ = 1000 pulls with at most 1000 for every large claim, whatever its size, so its constant lies above 0 but below the mean: still too little, and the fortunes are what is missing. The large claims are no mistakes of measurement but the very thing to be predicted. So ask first: are the outliers errors in the data, which the prediction should ignore, or rare events that it must count?
#
# Rubric:
# - **full** mean against median with the reason why the median is 0 here, the consequence for the sum of premiums, Huber between the two or biased low because its pull is bounded, and the distinction between wrong data and rare events
# - **half** the median (or "ignores the large claims") and the loss for the insurer, but Huber or the distinction is missing or only asserted
# - **none** "robust is better", or no statement about which number each loss predicts

# %% [markdown]
# ## Recap
#
# 1. A loss is minus the logarithm of a belief: Gauss gives half the square, Laplace the absolute value.
# 2. Gradients are pulls, and the best constant is where they balance: the mean, a median (an interval, for even N), or Huber's.
# 3. Huber: parabola to δ, then a line without jump or kink; the pull is the residual, cut at ±δ. Divided by δ it is smooth L1.
# 4. Huber's constant tends to the median and to the mean at the two ends of δ, and need not lie between them on the way.
# 5. Bounded pulls protect against wrong targets and cost little; where the rare and large is the point, they hide it.
#
# **The recap question.** $|p - y|$ is never more than 1: cross-entropy in a logit has a bounded pull, as the absolute error (1) and Huber's (δ) have. Only the squared error lets one wrong example pull as hard as it is wrong.
#
# **To read:** Huber 1964, *Robust Estimation of a Location Parameter*; Koenker & Bassett 1978, *Regression Quantiles*; and, for a family that holds all of today's losses, Barron 2019, *A General and Adaptive Robust Loss Function*.
