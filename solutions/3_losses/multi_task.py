# %% [markdown]
# # Multi-task learning
#
# **You will be able to** train one trunk for several tasks, derive what reaches the weights that the tasks share, and tell a badly chosen weight from a badly chosen unit.
#
# **Time** about an hour and a half · **Needs** the chain rule, *softmax and cross-entropy*, *regression losses* · **Symbols** T tasks, λᵢ the weight of task i, h what the tasks share. σ is a standard deviation here (neither the sigmoid nor a singular value), s = log σ² its logarithm; θ stands for any weights.
#
# **Recap question.** In *regression losses*, ½(ŷ − y)² was the negative log-likelihood of a Gaussian of variance 1. One *what*, squared? Say y is stored in grams today and in kilograms tomorrow: what becomes of the loss of the very same predictor, and which words of the derivation decided that for you?

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import layer_params
from class4lib.regression_losses import mse, mse_grad
from class4lib.softmax_cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. A second job, and an easy one
#
# A small net reads handwritten digits: 64 pixels, one layer of 32 tanh units, ten logits. On digits it has never seen, 95 of 100 are right.
#
# Somebody wants one number more from it: how much **ink** is on the page, the sum of the 64 grey levels, from 0 to 16 as the file stores them.

# %%
x, labels = data.digits()
ink = 16 * x.sum(axis=1)
parts = data.split(x, np.column_stack([labels, ink]), 1000, rng=np.random.default_rng(0))
MEAN, DEVIATION = parts.y_train[:, 1].mean(), parts.y_train[:, 1].std()
print(f"ink on 1000 training digits: mean {MEAN:.0f}, standard deviation {DEVIATION:.0f}")
fig, axes = plots.figure(6, width=1.3, height=1.5)
plots.images(axes, x[3:9].reshape(-1, 8, 8), [f"a {k}, ink {v:.0f}" for k, v in zip(labels[3:9], ink[3:9])])
plots.show(fig, "Six digits of 8 by 8 pixels, 3 to 8; the title of each gives its class and its ink, between about 280 and 360 grey levels.")

# %% [markdown]
# No job could be easier: the answer is a sum of the inputs. So the hidden layer is kept, a second output is attached to it, and the two losses are added: cross-entropy for the class, ½(ŷ − y)² for the ink. Everything is trained from the start, with the same step size as before.
#
# **Predict before you read on.** How many of 100 test digits does it read now? More than 95, because the second task teaches the layer something? The same? A few less, because they must share? Write a number.

# %%
my_prediction = None  # test accuracy of the digits, between 0 and 1, once the net has to report the ink too

# %% [markdown]
# ## 2. Many losses, one number
#
# On the slides the arrangement reads: a **shared representation** $\mathbf h = f_\text{shared}(\mathbf x; \theta_\text{shared})$, for each task a **head** $\hat y_i = f_i(\mathbf h; \theta_i)$, and one loss,
#
# $$L_\text{total} = \sum_{i=1}^T \lambda_i\, L_i(\hat y_i, y_i)$$
#
# The λᵢ are numbers that *you* choose. Nothing says that they sum to 1, and nothing is divided by them: twice the λ's, twice the loss, twice the step.

# %% exercise="combined_loss"

# %% check="combined_loss"

# %% [markdown]
# Two kinds of parameters learn from this number. A head's θᵢ stands in one term only. θ_shared stands in *every* term. Suppose each task hands you the gradient of its own, unweighted loss in θ_shared: differentiate $L_\text{total}$ and put them together.

# %% exercise="shared_gradient"

# %% check="shared_gradient"

# %% [markdown]
# ## 3. A trunk with heads
#
# Ours is the smallest net that deserves the name. The trunk is one tanh layer, $\mathbf h = \tanh(\mathbf x W + \mathbf b)$; head i is linear, $\hat{\mathbf y}_i = \mathbf h V_i + \mathbf c_i$. A head knows nothing of its loss: logits come out of it, or a number of grey levels, as they are.

# %% exercise="multi_task_forward"

# %% check="multi_task_forward"

# %% [markdown]
# Now backwards. You are given $\partial L_i / \partial \hat{\mathbf y}_i$ for every head, *unweighted*. Derive, on paper, in this order:
#
# 1. What is the gradient of $L_\text{total}$ in $\hat{\mathbf y}_i$? From there on each head is an affine layer like any other.
# 2. On the way forward, $\mathbf h$ was handed to T heads. A small change of $\mathbf h$ is felt by all of them. So what arrives at $\mathbf h$?
# 3. How steep is the tanh, in terms of $\mathbf h$ alone? Then W and b.
#
# The check judges heads and trunk separately.

# %% exercise="multi_task_backward"

# %% check="multi_task_backward"

# %% [markdown]
# A formula can be asked whether it is a slope. Move one weight of the trunk, and one of a head, a little both ways:

# %%
@experiment("combined_loss", "multi_task_forward", "multi_task_backward")
def slope_by_hand():
    rng, nudge, weights = np.random.default_rng(0), 1e-6, np.array([0.7, 2.5])
    x, d = rng.normal(size=(5, 3)), [rng.normal(size=(5, m)) for m in (2, 1)]
    (W, b), heads = layer_params(3, 4, "lecun", rng=rng), [tuple(layer_params(4, m, "lecun", rng=rng)) for m in (2, 1)]

    def total():  # two losses that are linear in the predictions, with the slopes d
        predictions = multi_task_forward(x, W, b, heads)[1]
        return combined_loss(np.array([(g * p).sum() for g, p in zip(d, predictions)]), weights)

    dW, _, dheads = multi_task_backward(d, x, W, b, heads, weights)
    for name, array, gradient in (("trunk, W[2, 1]", W, dW), ("head 0, V[2, 1]", heads[0][0], dheads[0][0])):
        array[2, 1] += nudge
        up = total()
        array[2, 1] -= 2 * nudge
        print(f"{name}: measured {(up - total()) / (2 * nudge):.6f}, your formula {gradient[2, 1]:.6f}")
        array[2, 1] += nudge

# %% [markdown]
# ## 4. The puzzle, run
#
# Here is the training, once for all experiments below. One step is yours from end to end: forward, two losses, weights, backward. (`learned` and `merge` wait for sections 6 and 8.) It reports the test accuracy of the digits, and the error of the ink **in units of the ink's own standard deviation**: 1 is what a constant guess of the mean gets.

# %%
def train(target, weights=(1.0, 1.0), learned=False, s=(0.0, 0.0), merge=None):
    """Accuracy of the digits, error of the ink in deviations, and a trace with one row per step: 2 losses, 2 weights, 2 s, share of saturated units."""
    rng, s, trace = np.random.default_rng(1), np.array(s), []
    W, b, V1, c1, V2, c2 = net = [*layer_params(64, 32, "lecun", rng=rng), *layer_params(32, 10, "lecun", rng=rng), *layer_params(32, 1, "lecun", rng=rng)]
    heads = [(V1, c1), (V2, c2)]

    def loss_and_grads(x, y):
        labels, truth = y[:, 0].astype(int), target(y[:, 1:])
        h, (scores, guess) = multi_task_forward(x, W, b, heads)
        losses = np.array([softmax_cross_entropy(scores, labels), mse(guess, truth)])
        lam, ds = uncertainty_weighted_loss_grad(losses, s) if learned else (np.array(weights), 0 * s)
        trace.append([*losses, *lam, *s, (np.abs(h) > 0.99).mean()])
        d = [softmax_cross_entropy_grad(scores, labels), mse_grad(guess, truth)]
        dW, db, ((dV1, dc1), (dV2, dc2)) = multi_task_backward(d, x, W, b, heads, lam)
        if merge is not None:
            dW = merge(*(multi_task_backward(d, x, W, b, heads, lam * only)[0] for only in np.eye(2)))
        return combined_loss(losses, lam), [dW, db, dV1, dc1, dV2, dc2, ds]

    fit([*net, s], loss_and_grads, parts.x_train, parts.y_train, lr=0.01, momentum=0.9, n_epochs=16, batch_size=25, rng=rng)
    _, (scores, guess) = multi_task_forward(parts.x_test, W, b, heads)
    truth = target(parts.y_test[:, 1:])
    return accuracy(scores, parts.y_test[:, 0]), np.sqrt(np.mean((guess - truth) ** 2)) / truth.std(), np.array(trace)

# %%
def in_grey_levels(ink):
    return ink


@experiment("combined_loss", "multi_task_forward", "multi_task_backward")
def one_job_or_two():
    runs = {"digits alone": train(in_grey_levels, weights=(1.0, 0.0)), "digits and ink": train(in_grey_levels)}
    fig, (left, right) = plots.figure(2, width=5)
    left.set(xticks=range(4, 17, 4), ylim=(0, 2.6))
    plots.lines(left, np.arange(1, 17), {n: r[2][:, 0].reshape(16, 40).mean(axis=1) for n, r in runs.items()}, xlabel="epoch", ylabel="loss of the digits, nats")
    plots.lines(right, np.arange(20), {n: r[2][:20, 6] for n, r in runs.items()}, xlabel="steps taken", ylabel="share of units with |h| > 0.99")
    right.set_xticks(range(0, 20, 5))
    plots.show(fig, "Left: over 16 epochs the digits' loss falls from about 2 to below 0.2 when they are alone, and stays at 2.3, the loss of a blind guess, with the ink. Right: with the ink more than half of the trunk's units are saturated after one step and practically all after five; alone, none is.")
    expect("digits alone, test accuracy", runs["digits alone"][0], 0.93, 0.98)
    expect("digits and ink, test accuracy", runs["digits and ink"][0], 0.05, 0.2)
    expect("digits and ink, error of the ink in deviations", runs["digits and ink"][1], 0.95, 1.3, ".2f")
    print("your prediction:", my_prediction)

# %% [markdown]
# It reads *nothing*: one digit in ten, a blind guess. And the ink, for which all that was sacrificed, is not learned either; its error is that of a constant. Five steps of twenty-five digits were enough to destroy the layer: every unit sits at ±1, where the tanh is flat.
#
# Who did that? Look at what each task asked of the trunk before the first step. Your backward tells them apart: set one of the weights to 0.

# %%
def pull_of_each_task(target):
    """The gradients in W at the start, from the digits alone and from the ink alone."""
    rng = np.random.default_rng(1)
    W, b = layer_params(64, 32, "lecun", rng=rng)
    heads = [tuple(layer_params(32, m, "lecun", rng=rng)) for m in (10, 1)]
    _, (scores, guess) = multi_task_forward(parts.x_train, W, b, heads)
    d = [softmax_cross_entropy_grad(scores, parts.y_train[:, 0].astype(int)), mse_grad(guess, target(parts.y_train[:, 1:]))]
    return [multi_task_backward(d, parts.x_train, W, b, heads, only)[0] for only in np.eye(2)]


@experiment("multi_task_forward", "multi_task_backward")
def who_pulls_how_hard():
    by_digits, by_ink = pull_of_each_task(in_grey_levels)
    expect("length of the ink's gradient over that of the digits'", np.linalg.norm(by_ink) / np.linalg.norm(by_digits), 1000, 2500, ".0f")

# %% [markdown]
# ## 5. The unit is a weight
#
# More than a thousand to one, though both λ are 1. The ink's gradient is proportional to ŷ − y, and at the start ŷ ≈ 0 while y ≈ 312 *grey levels*. In another unit it would be another number. **Predict**: count the ink in units of u black pixels (u = 1/16 is the grey level). How does the ratio depend on u? And is there a u at which both tasks are learned?

# %%
@experiment("combined_loss", "multi_task_forward", "multi_task_backward")
def other_units():
    units = np.array([1 / 16, 1 / 4, 1 / 2, 1, 2, 4, 16])  # in black pixels
    pulls = [pull_of_each_task(lambda v: v / 16 / u) for u in units]
    ratios = np.array([np.linalg.norm(by_ink) / np.linalg.norm(by_digits) for by_digits, by_ink in pulls])
    accuracies, errors = np.array([train(lambda v: v / 16 / u)[:2] for u in units]).T
    fig, (left, right) = plots.figure(2, width=5)
    plots.lines(left, units, {"ratio": ratios}, log="xy", xlabel="unit u of the ink, in black pixels", ylabel="ink's gradient / digits' gradient", styles={"ratio": {"marker": "o"}})
    plots.level(left, 49, "49 : 1", x=0.8)
    both = {"accuracy\nof digits": accuracies, "error\nof ink": errors}
    plots.lines(right, units, both, log="x", xlabel="unit u of the ink, in black pixels", ylabel="after training", styles={n: {"marker": "o"} for n in both})
    plots.show(fig, "Left, both axes logarithmic: the ratio of the gradients falls as 1/u, from above 1000 at a sixteenth of a pixel to below 10 at sixteen; 49 to 1 lies near two pixels. Right: up to half a pixel the accuracy is 0.1 and the ink's error 1; from there to two pixels the accuracy leaps to above 0.9; the ink's error is smallest near two pixels, below 0.2, and grows again to about 0.6 at sixteen.")
    expect("unit at which the ratio is 49, in black pixels", np.interp(-np.log(49), -np.log(ratios), units), 1.2, 2.7, ".2f")
    expect("accuracy at u = 4", accuracies[5], 0.91, 0.98)
    expect("error of the ink at u = 16", errors[6], 0.45, 0.8, ".2f")

# %% [markdown]
# The same picture of the same digits, the same two losses, λ = 1 throughout: and everything from ruin to success depends on a unit that nobody chose. "The gradient was 49 to 1 one-sided" therefore says nothing by itself. It is true of this net when ink is counted in about two black pixels, and there it does little harm: nine digits of ten are still read. Near 100 to 1 stands the cliff (other seeds keep anything from two to nine digits of ten there), and from 180 to 1 on the layer dies. With another step size the cliff stands elsewhere.
#
# Too large a unit has a price as well: from u = 4 on, the *ink* is learned less and less. A unit is a hidden λ, in both directions.
#
# The repair takes one line and no tuning: give the target mean 0 and deviation 1, both measured on the training set.

# %%
def standardised(ink):
    return (ink - MEAN) / DEVIATION


@experiment("combined_loss", "multi_task_forward", "multi_task_backward")
def repaired():
    by_digits, by_ink = pull_of_each_task(standardised)
    expect("ink's gradient over the digits'", np.linalg.norm(by_ink) / np.linalg.norm(by_digits), 0.3, 4.0)
    result = train(standardised)
    expect("test accuracy of the digits", result[0], 0.93, 0.98)
    expect("error of the ink in deviations", result[1], 0.1, 0.3, ".2f")

# %% [markdown]
# As good as the digits alone, with the ink for free. (Not better: the story that tasks help each other does not come out here. The ink is a sum of pixels; there is nothing in it that a reader of digits needs.)
#
# ## 6. Weights that are learned
#
# Could the net have found the right weight by itself? Kendall, Gal and Cipolla (2018) let it. Return to the recap question and drop the words "of variance 1": let task i have a variance $\sigma_i^2$ of its own, and let training find it.
#
# $$p(y_i \mid \hat y_i) = \frac{1}{\sqrt{2\pi\sigma_i^2}} \exp\Bigl(-\frac{(y_i - \hat y_i)^2}{2\sigma_i^2}\Bigr)$$
#
# Take minus the logarithm and drop the constant. Two terms with σ remain. Write $L_i$ for the squared error, replace σ by $s_i = \log\sigma_i^2$, which may be any real number, and add the tasks up. (For a classification the paper's first term has another factor. It only moves $s_i$ by a constant, as does the ½ that our `mse` carries; so we treat all tasks alike.)

# %% exercise="uncertainty_weighted_loss"

# %% check="uncertainty_weighted_loss"

# %% [markdown]
# The sᵢ are trained like any weight. Derive both derivatives of the loss. **Then**, before you code, set the one in $s_i$ to zero: which $s_i$ is best, and what is the weighted loss of a task there?

# %% exercise="uncertainty_weighted_loss_grad"

# %% check="uncertainty_weighted_loss_grad"

# %%
@experiment("uncertainty_weighted_loss_grad")
def at_the_best_s():
    L = np.array([0.02, 2.3, 50_000.0])
    weights, ds = uncertainty_weighted_loss_grad(L, np.log(L))
    for loss, weight, slope in zip(L, weights, ds):
        print(f"loss {loss:8g}: slope in s {abs(slope):.3f}, weight in effect {weight:8.5g}, weight times loss {weight * loss:.3f}")

# %% [markdown]
# At the best $s_i = \log L_i$ every task contributes ½, whether its loss is two hundredths of a nat or fifty thousand squared grey levels. The unit has cancelled! Section 4 should be saved without our knowing anything of units.
#
# **Predict**: ink in grey levels, weights learned, s started at 0, i.e. both tasks equal. How many digits are read? And in black pixels, at the edge of the cliff?

# %%
def in_black_pixels(ink):
    return ink / 16


@experiment("combined_loss", "multi_task_forward", "multi_task_backward", "uncertainty_weighted_loss_grad")
def learned_weights():
    runs = {name: train(target, learned=True) for name, target in (("grey levels", in_grey_levels), ("black pixels", in_black_pixels), ("standardised", standardised))}
    for name, low, high, least, most in (("grey levels", 0.1, 0.55, 5, 12), ("black pixels", 0.8, 0.94, 0.1, 1.2), ("standardised", 0.88, 0.96, 0.1, 1.2)):
        expect(f"{name}: accuracy of the digits", runs[name][0], low, high)
        expect(f"{name}: error of the ink in deviations", runs[name][1], least, most, ".2f")

# %% [markdown]
# A mixture. In black pixels learned weights keep more than eight digits of ten, whatever the seed. That is a rescue. On standardised targets they gain nothing over λ = 1. And in grey levels they **fail**: most digits are lost, and the ink is now far *worse* than a constant guess. A theorem that says "the unit cancels", and a net that died of the unit. Watch the first steps.

# %%
@experiment("combined_loss", "multi_task_forward", "multi_task_backward", "uncertainty_weighted_loss_grad")
def what_happened():
    equal, learned = train(in_grey_levels)[2], train(in_grey_levels, learned=True)[2]
    fig, (left, right) = plots.figure(2, width=5)
    plots.lines(left, np.arange(12), {"λ = 1": equal[:12, 6], "learned": learned[:12, 6]}, xlabel="steps taken", ylabel="share of units with |h| > 0.99")
    plots.lines(right, np.arange(640), {"s": learned[:, 5]}, xlabel="steps taken", ylabel="s of the ink")
    plots.level(right, 745, "above this line exp(−s) is 0.0", x=0.35)
    plots.level(right, np.log(5e4), "log L at the start: 10.8", x=0.35)
    plots.show(fig, "Left: share of saturated units in the first eleven steps; with learned weights it rises almost as fast as with equal ones, to about a quarter after one step and nine tenths after ten. Right: the ink's s over all 640 steps: within some forty steps it shoots up to about 2400, far above the dashed lines at 10.8 and 745, and then hardly moves.")
    expect("saturated units before the first step", learned[0, 6], 0.0, 0.01, ".2f")
    expect("saturated units after one step", learned[1, 6], 0.05, 0.6, ".2f")
    expect("s of the ink after one step", learned[1, 5], 150, 350, ".0f")
    expect("s of the ink at the end", learned[-1, 5], 2000, 3000, ".0f")
    expect("largest weight of the ink after thirty steps", learned[30:, 3].max(), 0, 1e-300)

# %% [markdown]
# Two things went wrong. Both look curable: *start* at the best s, $s_i = \log L_i$, and neither the blow nor the overshoot can happen. While we are at it, let us not learn the weight at all but try fixed λ's for the grey levels, by powers of ten far below the 1 that failed. **Predict**: at which λ are both tasks learned?

# %%
@experiment("combined_loss", "multi_task_forward", "multi_task_backward", "uncertainty_weighted_loss_grad")
def two_more_attempts():
    started = train(in_grey_levels, learned=True, s=np.log([2.3, 5e4]))
    lam = np.array([1e-2, 1e-3, 3e-4, 1e-4, 1e-5])
    accuracies, errors = np.array([train(in_grey_levels, weights=(1.0, v))[:2] for v in lam]).T
    fig, (left, right) = plots.figure(2, width=5)
    plots.lines(left, lam, {"": accuracies}, log="x", xlabel="λ of the ink in grey levels", ylabel="accuracy of the digits", styles={"": {"marker": "o"}})
    plots.lines(right, lam, {"": errors}, log="xy", xlabel="λ of the ink in grey levels", ylabel="error of the ink, in deviations", styles={"": {"marker": "o"}})
    plots.level(right, 1, "a constant guess")
    plots.show(fig, "Left: accuracy against λ from 1e-5 to 1e-2: above 0.9 up to 3e-4, about a third at 1e-3, 0.1 at 1e-2. Right, logarithmic: the ink's error is about 9 deviations up to 1e-4, still 6 at 3e-4, and reaches 1, a constant guess, only at 1e-2, where the digits are lost.")
    expect("s started at log L: accuracy of the digits", started[0], 0.9, 0.97)
    expect("s started at log L: error of the ink in deviations", started[1], 7, 11, ".1f")
    expect("best fixed λ: smallest error of the ink where 8 of 10 digits are read", errors[accuracies >= 0.8].min(), 4, 11, ".1f")

# %% [markdown]
# There is no such λ. Started at log L, the digits are saved and the ink is abandoned, nine deviations off: that is 312/35, the error of a net that answers 0. With a fixed weight you may keep the digits, or bring the ink as far as a constant guess; not both, in a training of this length, at any of these λ. Yet *standardising* gave both at λ = 1. So standardising does something that no weight can do. What? That is the written question at the end; you have all the figures for it.

# %% [markdown]
# ## 7. All the compromises
#
# With comparable units, λ is what it should be: a matter of taste. Give the ink a share a and the digits 1 − a, and draw each net as a point: accuracy against error. **Predict**: is the curve a straight exchange, or has it a knee?

# %%
@experiment("combined_loss", "multi_task_forward", "multi_task_backward")
def front():
    shares = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99])
    accuracies, errors = np.array([train(standardised, weights=(1 - a, a))[:2] for a in shares]).T
    fig, ax = plots.figure(width=5.6, height=3.8)
    ax.plot(errors, accuracies, marker="o", color=plots.COLOURS[0])
    for a, e, acc in zip(shares, errors, accuracies):
        ax.annotate(f"a = {a:g}", (e, acc), xytext=(6, -11), textcoords="offset points", fontsize=9)
    ax.set(ylim=(0, 1), xlim=(0, None), xlabel="error of the ink, in deviations (better to the left)", ylabel="accuracy of the digits (better above)")
    plots.show(fig, "Accuracy of the digits against error of the ink, one point per share a. From a = 0 to 0.7 the curve is almost level: the error falls from above 1 to about 0.2 while the accuracy falls from about 0.95 to 0.92. From 0.9 on it is a wall: the error stays at 0.1 and the accuracy drops to about 0.2 at 0.99.")
    for a, low, high, least, most in ((0.1, 0.93, 0.98, 0.8, 1.1), (0.7, 0.88, 0.96, 0.1, 0.35), (0.99, 0.1, 0.4, 0.05, 0.2)):
        expect(f"a = {a}: accuracy of the digits", accuracies[shares == a][0], low, high)
        expect(f"a = {a}: error of the ink", errors[shares == a][0], least, most, ".2f")

# %% [markdown]
# A knee. Up to a = 0.7 the ink's error falls sixfold and costs three to five points of accuracy; beyond it the digits are given away for nothing. Where on the level part you want to be is taste; 0.99 is waste. (Compare λ = (1, 1) in section 5 with a = 0.5 here: the same balance, but the ink is learned better there. The λ's sum to 2 and not to 1, so every step was twice as long. Half of this "front" is speed.)

# %% [markdown]
# ## 8. Do the tasks fight? (bonus)
#
# Lengths are one trouble; directions may be another. Two gradients with an obtuse angle between them undo part of each other's work. How obtuse?

# %% exercise="gradient_cosine"

# %% check="gradient_cosine"

# %% [markdown]
# Yu et al. (2020) propose surgery. If g₁ works against g₂, take away from g₁ the part that lies along g₂, and no more; if it does not, leave it alone. Then the same with the roles exchanged, and add.

# %% exercise="project_conflict"

# %% check="project_conflict"

# %% [markdown]
# **Predict**: in how many of 100 steps are digits and ink in conflict, and what is gained if every conflict is removed?

# %%
@experiment("combined_loss", "multi_task_forward", "multi_task_backward", "gradient_cosine", "project_conflict")
def surgery():
    cosines = []

    def without_conflict(g1, g2):
        cosines.append(gradient_cosine(g1, g2))
        return project_conflict(g1, g2) + project_conflict(g2, g1)

    result = train(standardised, merge=without_conflict)
    expect("share of steps in conflict", np.mean(np.array(cosines) < 0), 0.4, 0.65, ".2f")
    expect("mean cosine", np.mean(cosines), -0.1, 0.1, "+.3f")
    expect("accuracy of the digits with surgery", result[0], 0.93, 0.98)
    expect("error of the ink with surgery", result[1], 0.1, 0.3, ".2f")

# %% [markdown]
# Half of the steps "conflict", and removing the conflicts changes nothing. Both facts have one cause: the mean cosine is about 0. The two tasks do not fight; they have nothing to do with each other, and the sign of a cosine near 0 is a coin. A share of conflicts means something only next to the 50 % that strangers have.

# %% [markdown]
# ## 9. The same in PyTorch
#
# Autograd adds up branches by itself: a tensor that is used T times gets the sum of T gradients. Number by number:

# %%
import torch


@experiment("multi_task_backward")
def against_pytorch():
    rng = np.random.default_rng(0)
    x, d, weights = rng.normal(size=(5, 3)), [rng.normal(size=(5, m)) for m in (2, 1)], [0.7, 2.5]
    (W, b), heads = layer_params(3, 4, "lecun", rng=rng), [tuple(layer_params(4, m, "lecun", rng=rng)) for m in (2, 1)]
    dW, db, dheads = multi_task_backward(d, x, W, b, heads, weights)
    tensors = [torch.tensor(a, requires_grad=True) for a in (W, b, *heads[0], *heads[1])]
    h = torch.tanh(torch.tensor(x) @ tensors[0] + tensors[1])
    predictions = [h @ tensors[2] + tensors[3], h @ tensors[4] + tensors[5]]
    sum(w * (torch.tensor(g) * p).sum() for w, g, p in zip(weights, d, predictions)).backward()
    for name, yours, tensor in zip(("W", "b", "V of head 0", "c of head 0", "V of head 1", "c of head 1"), (dW, db, *dheads[0], *dheads[1]), tensors):
        print(f"{name:12s} largest difference below 1e-14: {np.abs(yours - tensor.grad.numpy()).max() < 1e-14}")

# %% [markdown]
# Now build one yourself: trunk, any number of classifying heads, learned weights, one scalar out. Every parameter, the sᵢ included, gets its gradient from that scalar, as long as nothing on the way stops being a tensor.

# %% exercise="multi_task_loss_in_torch"

# %% check="multi_task_loss_in_torch"

# %% [markdown]
# ## 10. In your own words
#
# Ink in grey levels: learned weights did not rescue the digits, although at $s_i = \log L_i$ every unit cancels. Explain, with the formulas and figures of sections 4 to 6: (a) why the remedy came too late, and why the damage stayed; (b) what your derivative in s does at L ≈ 50,000, and why s never came back; (c) why even the best λ could not give both tasks, while standardising did. (Six to ten sentences.)

# %% [markdown] written="why_weights_do_not_rescue"
# (a) With s = 0 the first step is taken with the ink's full weight ½, and its gradient in W is about 1,500 times the digits'. That one step already saturates part of the units, a few more nearly all. The slope of a saturated tanh is 1 − h² ≈ 0, which multiplies *everything* that comes back from the heads, the digits' gradient included: the units cannot return, whatever the weights are later.
#
# (b) dL/ds = ½ − ½ exp(−s) L. At s = 0 and L ≈ 50,000 it is about −25,000: a step of 0.01 sends s to 250, momentum on to 2,400, although log L is only 10.8. Up there exp(−s) is 0 in floating point, so the ink has no weight at all, and the slope is +½ whatever L is: s falls by 0.01 · ½ a step (0.05 with momentum), some thirty in the whole training. The pull up is proportional to L, the pull down is ½.
#
# (c) λ multiplies the gradient of the trunk *and* of the ink's own head. The prediction must travel from 0 to 312, mostly by the head's bias, whose gradient is λ(ŷ − y): with λ = 1e-4 that is about 0.03, so a step is 0.003 with momentum, 2 grey levels in 640 steps. A λ small enough for the trunk is far too small for the head; one large enough for the head kills the trunk. Standardising changes what no weight can change: it removes the offset (nothing is left to travel) *and* the scale, so that head and trunk both need steps of ordinary size.
#
# Rubric:
# - **full** the first step precedes the weight and 1 − h² makes its damage last; the asymmetry of ds (proportional to L up, ½ down) or exp(−s) = 0; and that λ scales the head's steps along with the trunk's, whereas standardising removes offset and scale
# - **half** two of the three, or all three named without the formulas or figures that show them
# - **none** only "the losses have different scales" or "the learning rate was wrong"

# %% [markdown]
# ## Recap
#
# 1. L_total = Σ λᵢ Lᵢ: in the trunk the branches' gradients add up, each with its λ, once; nothing is averaged.
# 2. A unit is a hidden λ. A ratio of gradients without its unit says nothing.
# 3. Standardise regression targets first; then λ has a knee, and its order of magnitude is enough.
# 4. ½ e⁻ˢ L + ½ s: at s = log L every task counts ½. Learned weights balance tasks of comparable scale; they come too late for others.
# 5. A cosine near 0 is not a conflict: half of all strangers disagree.
#
# **The recap question.** One *unit of y*, squared: "of variance 1" was a statement about grams. In kilograms the same predictor's squared error is a million times smaller, and so is its voice beside any other task. Put σ² back, and the unit is a parameter.
#
# **To read:** Caruana 1997, *Multitask Learning*; Kendall, Gal & Cipolla 2018, *Multi-Task Learning Using Uncertainty to Weigh Losses*; Yu et al. 2020, *Gradient Surgery for Multi-Task Learning*; and, as a cold shower, Kurin et al. 2022, *In Defense of the Unitary Scalarization for Deep Multi-Task Learning*.
