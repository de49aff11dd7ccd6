# %% [markdown]
# # Batch and layer normalisation
#
# **You will be able to** normalise over a batch and over a row, forward and backward, with gradients you derived; say what each does to a net with a batch of two, with a single request, with weights ten times too large; and remove a batch norm from a trained net without changing one answer.
#
# **Time** about two and a half hours · **Needs** the chain rule, *vanishing gradients* (backward passes), *data augmentation* (`Normalizer`) · **Symbols** μ mean, s the root of variance + ε, x̂ the normalised value, γ and β scale and shift, D features (the slides' H). σ² is a variance here; the slides use σ for activations and singular values too. Momentum is a share in an average here, not the optimiser's.
#
# **Recap question.** `Normalizer` took mean and deviation from the training data and kept them for the test data. A norm in the *middle* of a net sees values that change with every training step: there is nothing it could be fitted on once. Whose mean shall it subtract while training? And whose, when a single test digit comes along?

# %% setup=true
import time

import numpy as np

from class4lib import data, plots
from class4lib.basics import affine
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import Block, RunningNorm, Stack, activated, affine_block, norm_block, objective, relu_block
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. The tidy test file
#
# A net reads handwritten digits in batches of 32, and gets 95 of 100 test digits right. A colleague tidies up: she sorts the test file by digit, first all the zeros, then all the ones. Same digits, same weights, nothing random anywhere. The same program now gets **16 of 100**.
#
# She puts the old order back: 95. She sorts again: 16. Which layer could make the answer for one digit depend on the digits that happen to stand next to it?
#
# **Predict before you read on.** She runs the *sorted* file once more, but in batches of 1024 instead of 32. How many of 100 are right now?

# %%
my_prediction = None  # a share between 0 and 1: sorted file, batches of 1024

# %% [markdown]
# ## 2. Over the batch
#
# Both norms of this notebook are one formula. Take a set of numbers, subtract their mean, divide by their deviation, then let the net choose a new scale and shift:
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad y = \gamma \hat x + \beta$$
#
# What distinguishes them is only **which numbers share a mean**. In batch norm (Ioffe and Szegedy 2015) all examples of one feature do: x is (N, D), and there are D means.
#
# ε keeps a feature that happens to be constant from dividing by 0. It stands under the root, so it is compared with a variance.
#
# First a question of arithmetic. The numbers −1, 0, 1, 2 have variance 1.25, and so have the same numbers plus 10,000. A statistics book offers two formulas for it, equal on paper: the mean of (x − μ)², and the mean of x² minus μ². Do they agree on a computer? And in the 32-bit numbers that nets are usually trained with?

# %%
for kind in (np.float64, np.float32):
    x = (np.array([-1.0, 0.0, 1.0, 2.0]) + 10_000).astype(kind)
    print(f"{kind.__name__}: mean of (x - mean)**2 = {((x - x.mean()) ** 2).mean():.4g}, mean of x**2 - mean**2 = {(x**2).mean() - x.mean() ** 2:.4g}")

# %% [markdown]
# The squares are near 10⁸, and a 32-bit number has seven digits: the 1.25 is not in them any more. In 64 bits the same happens later, when the mean is 10⁸ times the deviation. One of the two formulas never has the problem; the check will ask which one you chose.
#
# ### What is left when the batch is gone
#
# At test time there may be one digit only, and no batch. So a batch norm collects, while it trains, **running** statistics, and uses those in evaluation. Four details decide whether two libraries agree, and two of them use the same word for opposite things:
#
# | | PyTorch, and we | TensorFlow's Keras |
# |---|---|---|
# | `momentum` is the share of | the **new** batch | the **old** value |
# | its default | 0.1 | 0.99 (so 0.01 of the new) |
# | variance that normalises the batch | divides by N | divides by N |
# | variance that is stored | divides by N − 1 | divides by N (by N − 1 where its fused kernel for images runs) |
#
# State goes in and comes out: your function gets the running statistics and returns new ones. In evaluation it returns them as they came.

# %% exercise="batch_norm"

# %% check="batch_norm"

# %% [markdown]
# **Predict:** a unit's values have a variance of about 8; its running variance begins at 1. After 20 batches of 32, how much of the way has it gone with momentum 0.1? With 0.01? And what would 0.9 look like, which is what you get when PyTorch's word is read with TensorFlow's meaning?

# %%
@experiment("batch_norm")
def running_variance():
    x, _ = data.digits()
    rng = np.random.default_rng(0)
    z = affine(x, rng.normal(scale=1.5, size=(64, 1)), np.zeros(1))  # one unit, all digits
    curves = {}
    for momentum in (0.01, 0.1, 0.9):
        mean, var, path = np.zeros(1), np.ones(1), [1.0]
        for _ in range(60):
            batch = z[rng.integers(len(z), size=32)]
            _, mean, var = batch_norm(batch, np.ones(1), np.zeros(1), mean, var, training=True, momentum=momentum)
            path.append(float(var[0]))
        curves[f"momentum {momentum:g}"] = np.array(path)
    curves["all digits"] = np.full(61, z.var())
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.arange(61), curves, xlabel="training batches", ylabel="running variance", styles={"all digits": {"linestyle": "--", "color": "0.4"}})
    plots.show(fig, "Running variance of one unit over 60 batches against a dashed line, the variance over all digits. Momentum 0.9 jumps up and down around it, 0.1 reaches it after about 30 batches, 0.01 is about half way after 60.")
    for steps in (20, 60):
        print(f"after {steps} batches {0.9**steps:.1%} of the first value are left with momentum 0.1, {0.99**steps:.0%} with 0.01")

# %% [markdown]
# Evaluate a net after a few dozen batches at 0.01, and most of what it divides by is still the number it was born with. Large momentum forgets fast and trembles; small momentum is smooth and late.

# %% [markdown]
# ## 3. Over the row
#
# Layer norm (Ba, Kiros and Hinton 2016) takes the same formula along the other axis: all features of **one example** share a mean. No neighbours, no running state, no difference between training and evaluation. γ and β still have one entry per feature.
#
# In a Transformer x is (N, T, D): a row is one token of one sentence, and its mean is over D alone.

# %% exercise="layer_norm"

# %% check="layer_norm"

# %% [markdown]
# Now both on the same numbers: the outputs of 16 units for 24 digits, where every other digit was printed with a quarter of the ink. **Predict:** in which of the two pictures can you still see which digits were pale?

# %%
@experiment("batch_norm", "layer_norm")
def two_axes():
    x, _ = data.digits()
    rng, ink = np.random.default_rng(1), np.where(np.arange(24) % 2 == 0, 1.0, 0.25)
    z = affine(x[:24] * ink[:, None], rng.normal(scale=0.25, size=(64, 16)), np.zeros(16))
    one, zero = np.ones(16), np.zeros(16)
    pictures = {"before": z, "batch norm": batch_norm(z, one, zero, zero, one, training=True)[0], "layer norm": layer_norm(z, one, zero)}
    fig, axes = plots.figure(3, width=3.2, height=3.6)
    for ax, (name, picture) in zip(axes, pictures.items(), strict=True):
        plots.heatmap(ax, picture, signed=True, title=name, xlabel="unit", ylabel="digit" if name == "before" else "")
    plots.show(fig, "Three heat maps, 24 digits by 16 units. Before: rows alternate between strong and pale, and some units are red or blue nearly throughout. Batch norm: no unit is of one colour any more, but the pale rows are pale or uniform still. Layer norm: pale and full rows look alike, and the units keep their colours.")
    for name, picture in pictures.items():
        print(f"{name:10}: size of a pale row / of a full one {picture[1::2].std(axis=1).mean() / picture[::2].std(axis=1).mean():.2f}, largest |mean of a unit| {np.abs(picture.mean(axis=0)).max():.1f}")

# %% [markdown]
# Each norm removes what its set has in common. Batch norm removes what is the same for *all examples of a feature*; layer norm removes what is the same for *all features of an example*, here the amount of ink. Neither is a better version of the other.
#
# For images there is one more choice. A filter makes its whole map with the same weights, so all places of a map, in all images of the batch, are examples of one feature:

# %% exercise="batch_norm_images"

# %% check="batch_norm_images"

# %% [markdown]
# ## 4. The gradient: three paths
#
# A unit's x goes into the mean and the deviation that divide *everybody* in its set. So one entry reaches the loss by three paths: through its own x̂, through μ, through s. We derive the gradient once, for one row of D numbers, and use it for both norms.
#
# Given $g_i = \partial L / \partial \hat x_i$, wanted is $\partial L/\partial x_j = \sum_i g_i \, \partial \hat x_i / \partial x_j$, with
#
# $$\hat x_i = \frac{x_i - \mu}{s}, \qquad \mu = \frac1D \sum_k x_k, \qquad s^2 = \frac1D \sum_k (x_k - \mu)^2 + \epsilon$$
#
# Line by line, on paper:
#
# 1. $\partial \mu / \partial x_j$: how far does the mean move when one entry moves by 1?
# 2. $\partial s / \partial x_j$: do not differentiate the root. Differentiate both sides of $s^2 = \dots$; on the left you get $2s \, \partial s/\partial x_j$. On the right one sum is 0, because deviations from a mean sum to 0. Write what remains with $\hat x_j$.
# 3. The quotient: $\dfrac{\partial \hat x_i}{\partial x_j} = \dfrac{[i = j] - \partial\mu/\partial x_j}{s} - \dfrac{x_i - \mu}{s^2} \dfrac{\partial s}{\partial x_j}$, with $[i = j]$ being 1 for $i = j$ and 0 otherwise. Put in lines 1 and 2, and $\hat x_i$ where you find it. One s comes out as a common factor.
# 4. Multiply by $g_i$ and sum over i. Two of the three terms are averages over the row.
#
# **Before you run the check**, say what each row of your result must sum to. (What happens to x̂ when the same constant is added to all of x?)

# %% exercise="normalize_backward"

# %% check="normalize_backward"

# %% [markdown]
# Adding a constant to a row leaves x̂ as it is; so does (but for ε) multiplying the row's deviations by a number. Two directions in which the loss cannot change are two directions without a gradient:

# %%
@experiment("normalize_backward")
def two_dead_directions():
    rng = np.random.default_rng(0)
    x, g = rng.normal(3, 2, size=(4, 6)), rng.normal(size=(4, 6))
    std = x.std(axis=1, keepdims=True)
    x_hat = (x - x.mean(axis=1, keepdims=True)) / std
    dx = normalize_backward(g, x_hat, std)
    print("length of dx, by row:          ", np.linalg.norm(dx, axis=1).round(3))
    print("its part along (1, ..., 1) is 0:", bool(np.abs(dx.sum(axis=1)).max() < 1e-12))
    print("its part along x_hat is 0:      ", bool(np.abs((dx * x_hat).sum(axis=1)).max() < 1e-12))

# %% [markdown]
# Of D directions, D − 2 are left. Keep that sentence for a batch of two.
#
# ### Batch norm, backward
#
# With $y_n = \gamma \hat x_n + \beta$ for each feature: what multiplies γ, what multiplies β, and what reaches x̂? γ and β serve all N examples, so their gradients are sums over the batch. For dx you have the three paths already; only the axis is another one.

# %% exercise="batch_norm_backward"

# %% check="batch_norm_backward"

# %% [markdown]
# ### Layer norm, backward
#
# The same three questions. One thing changes, and it is easy to miss: in batch norm all numbers that share a mean share their γ too. Here each of them has its own. Where does that put γ, before the averages or after?

# %% exercise="layer_norm_backward"

# %% check="layer_norm_backward"

# %%
@experiment("layer_norm", "layer_norm_backward")
def slope_by_hand():
    rng = np.random.default_rng(0)
    x, gamma, beta, dy, h = rng.normal(size=(2, 5)), rng.uniform(0.5, 2, size=5), np.zeros(5), rng.normal(size=(2, 5)), 1e-6
    up, down = x.copy(), x.copy()
    up[1, 2] += h
    down[1, 2] -= h
    slope = (dy * (layer_norm(up, gamma, beta) - layer_norm(down, gamma, beta))).sum() / (2 * h)
    print(f"measured {slope:.6f}, your formula {layer_norm_backward(dy, x, gamma)[0][1, 2]:.6f}")

# %% [markdown]
# ### Weights ten times too large
#
# Put a batch norm after x @ W and multiply W by 10. **Predict both:** by what factor does the output change? And the gradient in W?

# %%
@experiment("batch_norm", "batch_norm_backward")
def scale_of_the_weights():
    x = data.digits()[0][:64]
    rng, one, zero = np.random.default_rng(0), np.ones(8), np.zeros(8)
    W, dy, scales = rng.normal(scale=0.2, size=(64, 8)), rng.normal(size=(64, 8)), np.geomspace(1e-4, 1e3, 57)
    y = [batch_norm(x @ (c * W), one, zero, zero, one, training=True)[0] for c in (1.0, *scales)]
    g = [np.linalg.norm(x.T @ batch_norm_backward(dy, x @ (c * W), one)[0]) for c in (1.0, 10.0, *scales)]
    fig, (left, right) = plots.figure(2)
    plots.lines(left, scales, {"": np.array([np.sqrt((v**2).mean()) for v in y[1:]])}, log="x", xlabel="W multiplied by", ylabel="size of the output", title="forward")
    plots.lines(right, scales, {"yours": np.array(g[2:]) / g[0], "1 / factor": 1 / scales}, log="xy", xlabel="W multiplied by", ylabel="gradient in W, relative", title="backward", styles={"1 / factor": {"linestyle": "--", "color": "0.5"}})
    plots.show(fig, "Left: size of the output against the factor on W: 1 from a factor of about 0.03 on, falling to 0 below. Right, both axes logarithmic: the gradient in W follows one over the factor from 0.03 to 1000; below it bends away and stays near 130.")
    expect("largest change of the output, W times 10, relative", np.abs(y[int(np.argmin(np.abs(scales - 10))) + 1] - y[0]).max(), 0, 1e-3, ".1g")
    expect("gradient divided by, W times 10", g[0] / g[1], 9.99, 10.01, ".4g")

# %% [markdown]
# The output does not see the size of W at all, so the gradient in W must shrink by 10: it is the price of the second dead direction. A step of the same learning rate is then 100 times smaller, relative to W. Weight decay before a batch norm therefore does not make the function simpler. It holds W small, and so the steps large (van Laarhoven 2017). Where the line bends, the variance of the units has fallen to the size of ε, and the norm gives up.

# %% [markdown]
# ## 5. The puzzle, solved
#
# A net of two hidden layers, with the norm of our choice between affine and ReLU, made of your functions. `predict` evaluates with running statistics, or with those of the batch at hand.

# %%
x_digits, y_digits = data.digits()
parts = data.split(x_digits, y_digits, 600, rng=np.random.default_rng(0))


def trained_net(norm, batch_size, n_epochs=8, seed=0):
    """64-64-64-10 with norm "batch", "layer" or "none", trained on 600 digits; the step grows with the batch."""
    rng, blocks, norms = np.random.default_rng(seed), [], []
    for _ in range(2):
        blocks.append(affine_block(64, 64, "he", rng=rng))
        if norm == "batch":
            norms.append(RunningNorm(batch_norm, 64))
            blocks.append(norm_block(norms[-1], batch_norm_backward, 64))
        if norm == "layer":
            blocks.append(norm_block(layer_norm, layer_norm_backward, 64))
        blocks.append(relu_block())
    net = Stack([*blocks, affine_block(64, 10, rng=rng)])
    fit(net.params, objective(net), parts.x_train, parts.y_train, lr=0.0015 * batch_size, momentum=0.9, n_epochs=n_epochs, batch_size=batch_size, rng=rng)
    return net, norms


# %%
def predict(net, norms, x, *, batch_statistics=False):
    """Scores; the running statistics stay as they are in either mode."""
    kept = [(n.mean, n.var) for n in norms]
    for n in norms:
        n.training = batch_statistics
    scores = net(x)
    for n, (mean, var) in zip(norms, kept, strict=True):
        n.mean, n.var, n.training = mean, var, True
    return scores


# %% [markdown]
# The colleague's program left the net in training mode: each batch was normalised by its own mean. Now for every batch size, in both orders:

# %%
@experiment("batch_norm", "batch_norm_backward")
def sorted_or_shuffled():
    net, norms = trained_net("batch", 64)
    orders = {"shuffled": np.random.default_rng(0).permutation(len(parts.y_test)), "sorted": np.argsort(parts.y_test, kind="stable")}
    sizes, share = 2 ** np.arange(1, 11), {}
    for name, order in orders.items():
        for size in sizes:
            batches = [order[i : i + size] for i in range(0, len(order) - size + 1, size)]
            right = [accuracy(predict(net, norms, parts.x_test[b], batch_statistics=True), parts.y_test[b]) for b in batches]
            share[name, int(size)] = float(np.mean(right))
    running = accuracy(predict(net, norms, parts.x_test), parts.y_test)
    fig, ax = plots.figure(width=6)
    curves = {f"{name}, batch statistics": np.array([share[name, int(s)] for s in sizes]) for name in orders}
    plots.lines(ax, sizes, {"running statistics": np.full(len(sizes), running), **curves}, log="x", xlabel="digits in a test batch", ylabel="test accuracy")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, map(str, sizes))
    plots.show(fig, "Test accuracy against the size of the test batch from 2 to 1024. Running statistics: a flat line at 0.97. Batch statistics, shuffled file: from 0.48 at 2 up to the line at about 64. Sorted file: near 0.11 up to 16, 0.16 at 32, and only from 512 on near the line.")
    expect("running statistics, any order, any batch", running, 0.945, 0.985)
    expect("batch statistics, shuffled, batches of 32", share["shuffled", 32], 0.92, 0.97)
    expect("batch statistics, sorted, batches of 32", share["sorted", 32], 0.12, 0.21)
    expect("batch statistics, sorted, batches of 1024", share["sorted", 1024], 0.92, 0.98)
    print("your prediction:", my_prediction)

# %% [markdown]
# In a batch that holds only sevens, "being a seven" is what all examples have in common. And what they have in common is exactly what batch norm takes away. With 1024 of 1197 digits a batch holds nearly every class again, and all is well.
#
# In PyTorch the missing line is `model.eval()`. Nothing warns you: on a shuffled file with large batches the bug costs less than one digit in a hundred. A layer norm has no such mode to forget.

# %% [markdown]
# ## 6. A batch of two
#
# Two examples, one unit: μ is half way between them. **Before the next cell**, write down the two normalised values if ε is negligible. Does it matter how far the two are apart? And how many of section 4's D − 2 directions are left for a gradient, now that the set has two numbers?

# %%
@experiment("batch_norm", "batch_norm_backward")
def batch_of_two():
    gaps, one, zero = np.geomspace(1e-4, 10, 200), np.ones(200), np.zeros(200)
    x = np.stack([gaps / 2, -gaps / 2]) + 1.0  # each column is a unit: two values, `gap` apart
    y = batch_norm(x, one, zero, zero, one, training=True)[0]
    dx = batch_norm_backward(np.stack([one, -one]), x, one)[0]
    fig, (left, right) = plots.figure(2)
    plots.lines(left, gaps, {"larger": y[0], "smaller": y[1]}, log="x", xlabel="distance of the two values", ylabel="batch norm's output")
    plots.lines(right, gaps, {"": dx[0]}, log="xy", xlabel="distance of the two values", ylabel="gradient in x for dy = ±1")
    plots.show(fig, "Left: batch norm's two outputs against the distance of the two inputs, from 0.0001 to 10: from 0.03 on they are +1 and −1 and stay there. Right, both axes logarithmic: the gradient is 316 for values that nearly agree and falls with the third power of the distance, to less than a millionth at 10.")
    middle = int(np.argmin(np.abs(gaps - 1)))
    print(f"two values a distance of 1 apart: outputs {y[0, middle]:+.3f} and {y[1, middle]:+.3f}, gradient {dx[0, middle]:.0e}")
    print(f"two values that nearly agree: gradient {dx[0, 0]:.0f}")

# %% [markdown]
# At a batch of two, batch norm is a comparison: +1 for the larger, −1 for the smaller, and a comparison has no slope. What gradient there is comes from pairs that nearly agree, and there ε alone decides its size. Can one train with that? **Predict** the test accuracy for batches of 2, 4, 16 and 64: with batch norm, with layer norm, and with no norm at all.

# %%
@experiment("batch_norm", "batch_norm_backward", "layer_norm", "layer_norm_backward")
def small_batches():
    sizes, names, share = (2, 4, 16, 64), {"batch": "batch norm", "layer": "layer norm", "none": "no norm"}, {}
    for norm in names:
        for size in sizes:
            net, norms = trained_net(norm, size, n_epochs=3 if size < 16 else 8)
            share[norm, size] = accuracy(predict(net, norms, parts.x_test), parts.y_test)
            if (norm, size) == ("batch", 2):
                helped = accuracy(predict(net, norms, parts.x_test, batch_statistics=True), parts.y_test)
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.array(sizes), {names[n]: np.array([share[n, s] for s in sizes]) for n in names}, log="x", xlabel="digits in a TRAINING batch", ylabel="test accuracy")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, map(str, sizes))
    plots.show(fig, "Test accuracy against the size of a training batch. Layer norm and no norm lie between 0.87 and 0.96 throughout; batch norm lies far below them at 2, among them from 4 on, and highest at 64.")
    expect("batch norm, batches of 2", share["batch", 2], 0.3, 0.8)
    expect("batch norm, batches of 2, statistics of the whole test set", helped, 0.3, 0.8)
    expect("layer norm, batches of 2", share["layer", 2], 0.88, 0.97)
    expect("no norm, batches of 2", share["none", 2], 0.86, 0.97)
    expect("batch norm, batches of 64", share["batch", 64], 0.94, 0.98)
    expect("layer norm, batches of 64", share["layer", 64], 0.91, 0.97)

# %% [markdown]
# Two things that the textbook leaves out. First, the failure at 2 is not one of poor running statistics: given those of the whole test set, the net is as bad. It was *trained* on comparisons. (And it is wild: the same seed gives other figures on another processor, for the gradient lives on near-ties, where rounding decides.) Second, layer norm at 2 is no better than no norm. Two hidden layers on clean digits need none; what this experiment shows is what a batch of two does to batch norm, not what layer norm does for a net. That shows in depth: the capstone puts one into every block.

# %% [markdown]
# ## 7. Gone without a trace
#
# In evaluation the statistics are constants, so a batch norm is an affine function of each unit. It comes right after an affine layer. Expand $\gamma \frac{(xW + b) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta$ and sort: what multiplies x, and what does not?

# %% exercise="fold_batch_norm"

# %% check="fold_batch_norm"

# %% [markdown]
# Fold both norms of the trained net. Five layers with arrays become three, and every answer must stay.

# %%
@experiment("batch_norm", "batch_norm_backward", "fold_batch_norm")
def folded_net():
    net, norms = trained_net("batch", 64)
    blocks = []
    for i, norm in enumerate(norms):
        W, b = net.blocks[3 * i].params
        gamma, beta = net.blocks[3 * i + 1].params
        blocks.append(Block(*activated("relu"), fold_batch_norm(W, b, gamma, beta, norm.mean, norm.var)))
    folded = Stack([*blocks, net.blocks[-1]])
    before, after = predict(net, norms, parts.x_test), folded(parts.x_test)
    print(f"numbers that are stored: {net.n_parameters + sum(n.mean.size + n.var.size for n in norms)} before, {folded.n_parameters} after")
    print(f"same label for all {len(before)} test digits: {bool((before.argmax(axis=1) == after.argmax(axis=1)).all())}")
    print(f"largest difference of the logits below 1e-12: {bool(np.abs(before - after).max() < 1e-12)}")
    return net, norms, folded

# %% [markdown]
# And the time, on this machine, in turn so that other work hits both alike:

# %% tags=["nbval-ignore-output"]
@experiment("batch_norm", "batch_norm_backward", "fold_batch_norm")
def faster():
    net, norms, folded = folded_net

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    pairs = [(seconds(lambda: predict(net, norms, parts.x_test)), seconds(lambda: folded(parts.x_test))) for _ in range(30)]
    print(f"the folded net is {np.median([a / b for a, b in pairs]):.2f} times as fast")

# %% [markdown]
# ## 8. The same in PyTorch
#
# Three training batches through `BatchNorm1d`, then one row in evaluation; the running statistics side by side, with its gradients and those of `layer_norm`:

# %%
import torch


@experiment("batch_norm", "batch_norm_backward", "layer_norm", "layer_norm_backward")
def against_pytorch():
    rng = np.random.default_rng(0)
    layer, mean, var, one, zero = torch.nn.BatchNorm1d(4, dtype=torch.float64), np.zeros(4), np.ones(4), np.ones(4), np.zeros(4)
    for _ in range(3):
        x, dy = rng.normal(3, 2, size=(5, 4)), rng.normal(size=(5, 4))
        _, mean, var = batch_norm(x, one, zero, mean, var, training=True)
        tensor = torch.tensor(x, requires_grad=True)
        layer(tensor).backward(torch.tensor(dy))
    print("running mean      yours", np.round(mean, 6), "  PyTorch", layer.running_mean.numpy().round(6))
    print("running variance  yours", np.round(var, 6), "  PyTorch", layer.running_var.numpy().round(6))
    row = rng.normal(3, 2, size=(1, 4))
    same = {"batch norm, one row": (batch_norm(row, one, zero, mean, var, training=False)[0], layer.eval()(torch.tensor(row))), "batch norm, dx": (batch_norm_backward(dy, x, one)[0], tensor.grad)}
    tensor = torch.tensor(x, requires_grad=True)
    t = torch.nn.functional.layer_norm(tensor, (4,))
    t.backward(torch.tensor(dy))
    same |= {"layer norm, y": (layer_norm(x, one, zero), t), "layer norm, dx": (layer_norm_backward(dy, x, one)[0], tensor.grad)}
    for name, (mine, theirs) in same.items():
        print(f"{name:20} largest difference below 1e-12: {bool(np.abs(mine - theirs.detach().numpy()).max() < 1e-12)}")

# %% [markdown]
# Now layer norm once more, in tensor operations, so that PyTorch finds the gradient of section 4 by itself. One habit of `torch.var` differs from NumPy's; and every statistic must stay part of the graph.

# %% exercise="layer_norm_in_torch"

# %% check="layer_norm_in_torch"

# %% [markdown]
# ## 9. In your own words
#
# A team trains a translation model. Sentences differ in length, the graphics card holds two at a time, and in use the requests come one by one. Someone proposes batch norm, *"because it won in the vision course"*. Explain to him what batch norm would do (a) in training, with N = 2, (b) with a single request, in training mode and in evaluation mode. Then say what layer norm does in both situations, and why. Use at least one formula or figure of this notebook for (a). Finish with a case in which you would choose batch norm all the same. (Eight sentences.)

# %% [markdown] written="which_norm"
# (a) With N = 2 the mean is half way between the two values and the deviation is half their distance, so x̂ = ±1 whatever the values were (but for ε): a unit only says which of the two is larger. Its gradient has N − 2 = 0 directions left; only units whose two values nearly agree pass any, of size up to 1/√ε ≈ 316. In our experiment such a net stayed between 0.5 and 0.7, where layer norm had 0.9. (b) With N = 1 in training mode x − μ = 0, and every request is answered with β: the input is lost. In evaluation mode the running statistics answer for any single request; but they were collected from batches of two, over positions that only the longer sentences have, and the net was trained on comparisons. Layer norm takes mean and deviation over the D features of one token: it needs no neighbours, so N = 2 and N = 1 are nothing special, the length does not matter, and training and evaluation are the same function. I would choose batch norm for images in large batches: many values per channel make good statistics, the noise in them regularises, and in use it is folded into the convolution and costs nothing.
#
# Rubric:
# - **full** ±1 at N = 2 with the reason and the vanishing gradient; β (or 0) at N = 1 in training mode, and running statistics in evaluation; layer norm's set named as the reason why it depends on neither; a sensible case for batch norm
# - **half** says that statistics of small batches are poor and that layer norm does not need the batch, without the ±1 or its gradient, or without telling the two modes apart
# - **none** only "layer norm is for text, batch norm for images", or the axes confused

# %% [markdown]
# ## Recap
#
# 1. One formula, two sets: batch norm shares a mean among the examples of a feature, layer norm among the features of an example. Each removes what its set has in common.
# 2. Three paths lead back to x: ∂L/∂x = (g − mean g − x̂ · mean(g x̂)) / s. Two directions get no gradient; in layer norm γ is inside g.
# 3. Batch norm has two modes and a state. In ours and PyTorch's, momentum is the share of the new; N normalises, N − 1 is stored. Forgetting the mode shows on a sorted file, not on a shuffled one.
# 4. The size of W does not matter before a batch norm, and the gradient shrinks as W grows. A batch of two leaves only ±1.
# 5. In evaluation a batch norm folds into the layer before it.
#
# **The recap question.** While training, each batch's own mean, which is there and fits the weights of this very step; for the single digit, a running average of those. Or, with layer norm, nobody's but its own.
#
# **To read:** Ioffe and Szegedy 2015, *Batch Normalization*; Ba, Kiros and Hinton 2016, *Layer Normalization*; for why it helps, which is not what the first paper says, Santurkar, Tsipras, Ilyas and Madry 2018, *How Does Batch Normalization Help Optimization?*; van Laarhoven 2017, *L2 Regularization versus Batch and Weight Normalization*; for small batches of images Wu and He 2018, *Group Normalization*.
