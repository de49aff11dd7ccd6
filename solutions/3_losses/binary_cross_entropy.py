# %% [markdown]
# # Binary cross-entropy
#
# **You will be able to** derive the loss of a yes-or-no question from the toss of a coin, compute it at any logit without one infinity too many and without an invented epsilon, and say in numbers why nobody trains a classifier with squared error from a bad start.
#
# **Time** about an hour and a half · **Needs** the chain rule, NumPy, *vanishing gradients* from part 1 · **Symbols** z a logit, σ the sigmoid (here nothing else), p = σ(z) the probability of label 1 (dropout's p was another), y the label or target, N examples. All of them are one number per example: shape (N,).
#
# **Recap question.** In *vanishing gradients* every layer multiplied δ by its slope σ′(z). For a sigmoid: how large is that factor at most, and where is it nearly 0? Keep your answer. One sigmoid in every classifier does not do this, and at the end you will know which and why.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.training import fit

# %% [markdown]
# ## 1. Wrong, and very sure
#
# A unit looks at one example. The label is 1. The unit's logit is z = −10, so it gives label 1 a probability of 0.000045: it could hardly be more wrong, or more sure of it.
#
# Two classmates train it, by gradient descent on z alone, with steps of the same size ½. One minimises the squared error ½(p − y)². The other minimises the loss of this notebook. Both losses are 0 for a perfect answer, both grow the worse the answer is, and both have exactly one minimum to run to.
#
# **Predict before you read on.** After how many steps does each of the two units say p ≥ ½? If you cannot know the numbers, guess the orders of magnitude, and write them down.

# %%
my_prediction = {"squared error": None, "cross-entropy": None}  # steps until p >= 1/2

# %% [markdown]
# ## 2. How probable was what happened?
#
# Take the model at its word. If it says p, then the label is the toss of a coin that shows 1 with probability p and 0 otherwise. Now the coin has fallen and we know y. How probable was *that*, according to the model?
#
# The answer is easy to say with an "if". Say it in one line without one, so that it works on a whole array, and so that it can be differentiated.

# %% exercise="bernoulli_likelihood"

# %% check="bernoulli_likelihood"

# %% [markdown]
# Independent tosses multiply: the likelihood of a whole data set is the product. **Two guesses.** Ten tosses gave seven ones. Which p makes the product largest? And what does the computer answer if you multiply the likelihoods of 2000 tosses of a fair coin, each of them a healthy ½?

# %%
@experiment("bernoulli_likelihood")
def seven_of_ten():
    y, p = np.array([1, 1, 0, 1, 1, 0, 1, 1, 0, 1]), np.linspace(0.01, 0.99, 99)
    product = np.array([np.prod(bernoulli_likelihood(np.full(10, q), y)) for q in p])
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, p, {"likelihood": 1000 * product}, xlabel="p, the same for all ten", ylabel="likelihood, thousandths")
    ax.axvline(0.7, color="0.5", linewidth=1, linestyle="--")
    plots.show(fig, "The likelihood of ten labels, seven of them 1, against p: a single hill, slightly skewed, whose top of about 2.2 thousandths lies on the dashed line at p = 0.7.")
    print(f"largest at p = {p[product.argmax()]:.2f}")
    print("product of 2000 likelihoods of 0.5:", np.prod(bernoulli_likelihood(np.full(2000, 0.5), np.ones(2000))))

# %% [markdown]
# The most likely coin is the one that agrees with the share of ones: a first sign that likelihood asks for honest probabilities. And the product of 2000 harmless factors is 0, because 10⁻⁶⁰² is not a number that 64 bits can hold. It is 0 for the best p and for the worst: nothing can be maximised there.
#
# A logarithm turns the product into a sum and leaves the top of the hill where it is. It has two ends, and both deserve a thought before you write it:
#
# - The label is 0 and the model said p = 0. Sure, and right. One of the two terms is $0 \cdot \log 0$. NumPy calls it nan; its limit is 0, and the label has switched that term off anyway.
# - The label is 1 and the model said p = 0. What it called impossible has happened. The logarithm of 0 is −∞, and there it is no accident to be repaired: it is the answer.

# %% exercise="bernoulli_log_likelihood"

# %% check="bernoulli_log_likelihood"

# %%
@experiment("bernoulli_log_likelihood")
def logarithms_do_not_underflow():
    y, p = np.array([1, 1, 0, 1, 1, 0, 1, 1, 0, 1]), np.linspace(0.01, 0.99, 99)
    total = [bernoulli_log_likelihood(np.full(10, q), y).sum() for q in p]
    print(f"ten tosses: the sum of logarithms is largest at p = {p[np.argmax(total)]:.2f}")
    print(f"2000 fair tosses: {bernoulli_log_likelihood(np.full(2000, 0.5), np.ones(2000)).sum():.1f} nats")

# %% [markdown]
# ## 3. The loss
#
# Losses are made small, so it gets a minus: the **binary cross-entropy** is the negative log-likelihood. It is the price, in nats, of being surprised. The same recipe gives the other two losses that you know; only the assumption about the noise differs.
#
# | what y is, given the prediction | its density, without constants | minus its logarithm |
# |---|---|---|
# | a real number, Gaussian about ŷ | $e^{-\frac12 (y - \hat y)^2}$ | $\frac12 (\hat y - y)^2$, squared error |
# | a real number, Laplace about ŷ | $e^{-\lvert y - \hat y\rvert}$ | $\lvert\hat y - y\rvert$, absolute error |
# | 0 or 1, a coin with probability p | your likelihood | binary cross-entropy |
#
# So squared error on a label is not a crime against mathematics. It is the claim that labels are Gaussian, which is false, and section 7 shows what the false claim costs.
#
# Two conventions. A **target** may be any share between 0 and 1: if three of ten doctors say yes, y = 0.3, and each *logarithm* is weighted by its share. (So both terms are written out here, even if your log-likelihood chose one of them.) And the **reduction** says what comes back: `"none"` one loss per example, `"sum"` their sum, `"mean"` the sum divided by N.

# %% exercise="binary_cross_entropy"

# %% check="binary_cross_entropy"

# %% [markdown]
# ### What an epsilon costs
#
# Much code protects the logarithm: it clips p into [ε, 1 − ε] first, "for numerical stability". **Predict.** Label 1, and the model says p = 10⁻⁹, a grave mistake that should cost 20.7 nats. What does the loss say with ε = 10⁻⁷? If p then falls to 10⁻¹², how does it change? And what is the slope of something that does not change?

# %%
@experiment("binary_cross_entropy")
def what_a_clip_does():
    p, ones = np.geomspace(1e-12, 1, 241), np.ones(241)
    losses = {"yours": binary_cross_entropy(p, ones, "none")}
    for epsilon, name in ((1e-7, "ε = 10⁻⁷"), (1e-4, "ε = 10⁻⁴")):
        losses[name] = binary_cross_entropy(np.clip(p, epsilon, 1 - epsilon), ones, "none")
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, p[::-1], {name: loss[::-1] for name, loss in losses.items()}, log="x", xlabel="p, the probability given to the right label", ylabel="loss, nats")
    ax.invert_xaxis()
    plots.show(fig, "Loss of an example with label 1 against p on a logarithmic axis, from 1 on the left to 1e-12 on the right. The true loss is a straight line up to 27.6; the clipped ones leave it at their epsilon and run on flat at 16.1 and 9.2.")
    for epsilon in (1e-12, 1e-8, 1e-7, 1e-4):
        clipped = np.clip(1e-9, epsilon, 1 - epsilon)
        print(f"p = 1e-9, clipped at {epsilon:.0e}: loss {binary_cross_entropy(np.array([clipped]), np.array([1])):.2f}")

# %% [markdown]
# Left of its ε a clipped loss is the true one. Right of it, where the model is most wrong, it is a plateau: the example still costs something, but nothing that the model does can change it. The clip switches learning off exactly where there is most to learn. Section 10 asks you about such an example.

# %% [markdown]
# ## 4. The slope in p
#
# Differentiate the two terms of the loss apart. The second has an inner function: mind what its derivative contributes. Then bring both onto one denominator and watch the numerator shrink. (Each example has its own p, so the gradient has the shape of p. What does "mean" do to it?)

# %% exercise="binary_cross_entropy_grad"

# %% check="binary_cross_entropy_grad"

# %% [markdown]
# A minimum is where the slope is 0. **Predict.** Of 569 tumours in scikit-learn's breast-cancer data 357 are benign (label 1). A model without eyes may say one single p for all of them. Which p costs least? Is its loss nearer to 0 or to log 2 ≈ 0.693, the price of tossing a fair coin?

# %%
@experiment("binary_cross_entropy", "binary_cross_entropy_grad")
def a_model_without_eyes():
    _, y = data.breast_cancer()
    p, base = np.linspace(0.05, 0.95, 91), y.mean()
    loss = np.array([binary_cross_entropy(np.full(len(y), q), y) for q in p])
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, p, {"loss": loss}, xlabel="p, the same for every tumour", ylabel="mean loss, nats")
    ax.plot([base], [binary_cross_entropy(np.full(len(y), base), y)], "o", color=plots.COLOURS[1])
    ax.annotate("share of benign tumours", (base, 0.66), xytext=(0, 14), textcoords="offset points", ha="center", fontsize=9, color=plots.COLOURS[1])
    plots.show(fig, "Mean loss over 569 tumours against a common p: a bowl that is steep at both ends. Its lowest point, 0.66, is marked at p = 0.63, the share of benign tumours.")
    slope = binary_cross_entropy_grad(np.full(len(y), base), y).sum()
    print(f"share of benign {base:.3f}: loss {binary_cross_entropy(np.full(len(y), base), y):.4f}, slope 0: {bool(abs(slope) < 1e-9)}")

# %% [markdown]
# The best constant is the base rate again, and it is hardly better than a coin: 0.66 nats. Remember such a number for every data set you meet. A net whose loss stays there has learnt how frequent the labels are and nothing else.

# %% [markdown]
# ## 5. From any number to a probability
#
# The last layer of a net gives any real number. Which function makes a probability of it? Bookmakers know one way back: odds, $p/(1-p)$, run from 0 to ∞, and their logarithm runs over the whole line. Call that the **logit**:
#
# $$z = \log \frac{p}{1-p}$$
#
# Solve for p. (NumPy may warn about an overflow in your function at z = −1000. Look at the value that comes out before you worry.)

# %% exercise="sigmoid"

# %% check="sigmoid"

# %% [markdown]
# Now you have a sigmoid and a loss, both of them right. Put one into the other. For a prediction that is wrong by a logit of size |z| the loss is, up to a tiny rest, just |z|. **Predict**: where does the composition stop giving that? And which fails first, label 0 with z large and positive, or label 1 with z large and negative?

# %%
@experiment("sigmoid", "binary_cross_entropy")
def two_right_functions():
    print("   |z|   label 0 at +|z|   label 1 at −|z|   exact")
    with np.errstate(over="ignore", divide="ignore"):
        for z in (10.0, 30.0, 36.0, 37.0, 100.0, 700.0, 800.0):
            zero = binary_cross_entropy(sigmoid(np.array([z])), np.array([0]))
            one = binary_cross_entropy(sigmoid(np.array([-z])), np.array([1]))
            print(f"{z:6.0f} {zero:17.4f} {one:17.4f} {z + np.exp(-z):9.4f}")

# %% [markdown]
# Label 0 is lost from z = 37 on, and a little wrong before that. Look closely: 37 is not an exotic logit. The two columns fail at different places because doubles are dense near 0 and coarse near 1. Just above 1 they are 2⁻⁵² apart, and $e^{-37}$ is less than half of that, so $1 + e^{-37}$ *is* 1 for the machine and the rest is gone (53 log 2 = 36.7). Near 0 there is room down to about $e^{-745}$. (A sigmoid built on tanh adds a ½, and both columns fail early.)
#
# You may not clip, and you need not. Go back to paper: put the sigmoid into $-\log p$ and into $-\log(1-p)$ and simplify, until no fraction is left in either. Then look at what the exponential does for z = 1000, and at what it does for z = −1000, and write it so that its exponent is never positive.

# %% exercise="bce_with_logits"

# %% check="bce_with_logits"

# %%
@experiment("sigmoid", "bce_with_logits")
def two_losses_over_the_logit():
    z, one = np.linspace(6, -12, 181), np.ones(181)
    losses = {"cross-entropy": bce_with_logits(z, one, "none"), "squared error": 0.5 * (sigmoid(z) - 1) ** 2}
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, z, losses, xlabel="logit z of an example with label 1: right … wrong", ylabel="loss")
    ax.invert_xaxis()
    plots.show(fig, "Two losses of an example with label 1 against its logit, from 6 on the left to −12 on the right. Both are near 0 on the left. Cross-entropy bends near z = 0 and then rises as a straight line to 12; the squared error rises to ½ by z = −5 and stays there.")
    print("under label 0, at z = −1000, 37, 1000:", *(f"{v:g}" for v in bce_with_logits(np.array([-1000.0, 37.0, 1000.0]), np.zeros(3), "none")))

# %% [markdown]
# On the wrong side one of the two losses is a slope and the other is a table. Both say "wrong". Only one says where to go.

# %% [markdown]
# ## 6. The slope in z
#
# Two links of the chain:
#
# $$\frac{\partial L}{\partial z} = \frac{\partial L}{\partial p}\,\frac{\partial p}{\partial z}$$
#
# The first you have. For the second, differentiate the sigmoid and write the result with p alone. **Before you multiply them**: under label 1, as p → 0, the first factor grows without limit while the second dies. Who wins?
#
# Multiply on paper. In NumPy the two would meet as ∞ · 0.

# %% exercise="bce_with_logits_grad"

# %% check="bce_with_logits_grad"

# %% [markdown]
# Neither wins; they cancel. Never believe a gradient that has not been measured:

# %%
@experiment("bce_with_logits", "bce_with_logits_grad")
def slope_by_hand():
    z, y, h = np.array([-10.0, 0.5, 3.0]), np.array([1.0, 0.0, 0.3]), 1e-5
    formula = bce_with_logits_grad(z, y)
    for i in range(3):
        step = h * (np.arange(3) == i)
        slope = (bce_with_logits(z + step, y) - bce_with_logits(z - step, y)) / (2 * h)
        print(f"z = {z[i]:5.1f}, y = {y[i]}: measured {slope:.6f}, your formula {formula[i]:.6f}")

# %% [markdown]
# ## 7. The puzzle, solved
#
# For squared error the chain has the factor of the sigmoid too, but nothing to cancel it: $\partial/\partial z\,\tfrac12(p-y)^2 = (p-y)\,p(1-p)$. Here are the sizes of the two gradients under label 1.

# %%
@experiment("sigmoid", "bce_with_logits_grad")
def two_gradients():
    z = np.linspace(-12, 8, 201)
    p, one = sigmoid(z), np.ones(201)
    sizes = {"cross-entropy": np.abs(bce_with_logits_grad(z, one, "none")), "squared error": (1 - p) * p * (1 - p)}
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, z[::-1], {n: v[::-1] for n, v in sizes.items()}, log="y", xlabel="logit z of an example with label 1: right … wrong", ylabel="size of the gradient in z")
    ax.axvline(-10, color="0.5", linewidth=1, linestyle="--")
    ax.invert_xaxis()
    plots.show(fig, "Size of both gradients on a logarithmic scale against the logit, from 8 on the left to −12 on the right. Both rise at first; then cross-entropy stays at 1 while the squared error peaks near z = −0.7 and falls again to below 1e-5. A dashed line marks z = −10.")
    at = np.argmin(np.abs(z + 10))
    print(f"at z = −10: cross-entropy {sizes['cross-entropy'][at]:.4f}, squared error {sizes['squared error'][at]:.2e}")

# %% [markdown]
# On the left, where the answer is right, both gradients die: well so. On the right one of them dies as well. Let both classmates run.

# %%
@experiment("sigmoid", "bce_with_logits_grad")
def paths():
    def squared_error_grad(z, y):
        p = sigmoid(z)
        return (p - y) * p * (1 - p)

    found, y = {}, np.array([1.0])
    for name, gradient in (("cross-entropy", bce_with_logits_grad), ("squared error", squared_error_grad)):
        z, path = np.array([-10.0]), [-10.0]
        while z[0] < 0 and len(path) < 100_000:
            z = z - 0.5 * gradient(z, y)
            path.append(float(z[0]))
        found[name] = np.array(path)
        print(f"{name}: {len(path) - 1:,} steps")
    print("your prediction:", my_prediction)
    return found

# %%
@experiment("sigmoid", "bce_with_logits_grad")
def two_paths():
    fig, ax = plots.figure(width=6)
    for colour, (name, path) in zip(plots.COLOURS, paths.items(), strict=False):
        ax.plot(np.arange(1, len(path) + 1), path, color=colour, linewidth=1.8)
        ax.annotate(f"{name}, step {len(path) - 1:,}", (len(path), path[-1]), xytext=(-8 if len(path) > 100 else 8, -12), textcoords="offset points", ha="right" if len(path) > 100 else "left", color=colour, fontsize=9)
    ax.set(xscale="log", xlabel="step", ylabel="logit z")
    plots.show(fig, "The logit against the step on a logarithmic axis. Cross-entropy climbs from −10 to 0 within 22 steps; the squared error stays near −10 for some ten thousand steps and shoots up to 0 at step 44,122.")
    print(f"2 e^10 = {2 * np.exp(10):,.0f}")

# %% [markdown]
# Cross-entropy walks: half a unit per step, so the number of steps grows like 2|z|. The squared error waits: at z = −10 a step moves it by ½e⁻¹⁰, so it needs about $2e^{|z|}$ steps to get away. At z = −20 it would be a billion. How sure a unit was of its mistake enters *linearly* in one case and *exponentially* in the other.

# %% [markdown]
# ## 8. On real tumours
#
# One unit, thirty measurements of a tumour, label 1 for benign. Train it with both losses, each from two starting points: bias 0, where every tumour gets p = ½, and bias −10, where every tumour is called malignant with great confidence. Three hundred tumours to learn from, 30 epochs, 269 to test.
#
# **Predict.** Which of the four runs end above 94 % accuracy?

# %%
@experiment("sigmoid", "bce_with_logits", "bce_with_logits_grad")
def four_runs():
    parts = data.split(*data.breast_cancer(), 300, rng=np.random.default_rng(0))
    curves, scores, claims = {}, {}, {}
    for name, start, square in (("cross-entropy, b = 0", 0.0, False), ("cross-entropy, b = −10", -10.0, False), ("squared error, b = 0", 0.0, True), ("squared error, b = −10", -10.0, True)):
        w, b, tests = np.zeros(30), np.array([start]), []

        def loss_and_grads(x, y):
            z = x @ w + b
            p = sigmoid(z)
            dz = (p - y) * p * (1 - p) / len(y) if square else bce_with_logits_grad(z, y)
            return bce_with_logits(z, y), [x.T @ dz, dz.sum(keepdims=True)]

        fit([w, b], loss_and_grads, parts.x_train, parts.y_train, lr=0.5, n_epochs=30, batch_size=32, rng=np.random.default_rng(1), after_epoch=lambda _: tests.append(bce_with_logits(parts.x_test @ w + b, parts.y_test)))
        curves[name], scores[name] = np.array(tests), np.mean((parts.x_test @ w + b > 0) == parts.y_test)
        claims[name] = np.mean(sigmoid(parts.x_train @ w + b))
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.arange(1, 31), curves, log="y", xlabel="epoch", ylabel="cross-entropy on test tumours, nats")
    ax.axhline(0.66, color="0.5", linewidth=1, linestyle="--")
    ax.annotate("base rate, 0.66", (30, 0.66), xytext=(0, 4), textcoords="offset points", ha="right", fontsize=9, color="0.35")
    plots.show(fig, "Cross-entropy on test tumours over 30 epochs on a logarithmic scale. Three runs end near 0.1, far below the dashed base rate of 0.66, cross-entropy from bias −10 after starting above it; squared error from bias −10 is a flat line near 6.")
    for name, low, high in (("cross-entropy, b = 0", 0.94, 1), ("cross-entropy, b = −10", 0.94, 1), ("squared error, b = 0", 0.94, 1), ("squared error, b = −10", 0.33, 0.45)):
        expect(f"test accuracy, {name}", scores[name], low, high, ".2f")
    expect("cross-entropy, b = 0: mean of p minus share of benign, training set", claims["cross-entropy, b = 0"] - parts.y_train.mean(), -0.03, 0.03, "+.2f")

# %% [markdown]
# The textbook says that classifiers must not be trained with squared error. From a good start that does not come out: 96 or 97 % either way, and nobody could tell the two apart by their decisions. The squared error fails where a unit is *confidently wrong*: from bias −10 it has hardly moved after 30 epochs, right about the malignant tumours and about no other. Good initialisation hides the difference. A deep net, noisy labels or one careless bias bring it back.
#
# The last line is a present from your gradient. The slope in the bias is the mean of ∂L/∂z. Look at your formula: where that mean is 0, the average probability equals the share of ones. The unit says "benign" as often as tumours are benign, without anybody asking for it.

# %% [markdown]
# ## 9. The same in PyTorch
#
# `binary_cross_entropy_with_logits` is your `bce_with_logits`. There is also `binary_cross_entropy`, on probabilities, and there the two of you disagree. Guess where.

# %%
import torch
from torch.nn import functional


@experiment("binary_cross_entropy", "bce_with_logits", "bce_with_logits_grad")
def against_pytorch():
    rng = np.random.default_rng(0)
    z, y = np.append(rng.normal(scale=5, size=6), [1000.0, -1000.0]), np.append(rng.integers(2, size=6), [0, 1]).astype(float)
    tensor = torch.tensor(z, requires_grad=True)
    loss = functional.binary_cross_entropy_with_logits(tensor, torch.tensor(y))
    loss.backward()
    print(f"on logits      yours {bce_with_logits(z, y):.10f}   PyTorch {loss.item():.10f}")
    print(f"its gradient   largest difference below 1e-15: {np.abs(bce_with_logits_grad(z, y) - tensor.grad.numpy()).max() < 1e-15}")
    with np.errstate(divide="ignore"):
        for p in (0.25, 1e-9, 1e-100, 0.0):
            theirs = functional.binary_cross_entropy(torch.tensor([p], dtype=torch.float64), torch.ones(1, dtype=torch.float64))
            print(f"label 1, p = {p:<6g} yours {binary_cross_entropy(np.array([p]), np.ones(1)):8.4f}   PyTorch {theirs.item():8.4f}")

# %% [markdown]
# PyTorch cuts its logarithms at −100, so that no single example can make the mean infinite. That is a decision, and a documented one; it is not the mathematics. On logits no decision is needed.
#
# Now a whole unit in PyTorch: from measurements, weights and bias to the loss. PyTorch differentiates it in all three, as long as every step stays a tensor operation. Labels arrive as integers, as labels do.

# %% exercise="logistic_loss_in_torch"

# %% check="logistic_loss_in_torch"

# %% [markdown]
# ## 10. In your own words
#
# A colleague's training loop computes p = σ(z), clips p into [10⁻⁷, 1 − 10⁻⁷], and takes the binary cross-entropy of the result; gradients come from automatic differentiation. "It never crashed." One example has y = 1 and z = −20. What do loss and gradient (in z) say for this example, with the clip and without it? What happens to it during training, and why does the training loss not give it away? (Five sentences, two numbers for each version.)

# %% [markdown] written="the_clipped_example"
# Without the clip p = σ(−20) ≈ 2·10⁻⁹; the loss is log(1 + e²⁰) ≈ 20.0 and the gradient in z is p − y ≈ −1, as large as a gradient of this loss can be. With the clip the loss sees 10⁻⁷ and says −log 10⁻⁷ ≈ 16.1, and its gradient is exactly 0, because the clip is constant there: dL/dp at 10⁻⁷ is finite, but the derivative of the clip is 0. So the example that is most wrong never pulls at the weights again; only by accident, through other examples, can it come back above the threshold. The training loss does not show it: the example enters with a large but ordinary and constant 16.1, one of many in a mean that goes on falling, nothing is inf or nan, and on all examples with |z| < 16 both versions agree. The cure is to compute loss and gradient from the logit, where nothing needs a clip.
#
# Rubric:
# - **full** loss 20.0 against 16.1 and gradient −1 against 0, the reason for the 0 (the clip is constant there), the example lost to training, and why the mean hides it
# - **half** says that the clip caps the loss or makes the gradient vanish, without numbers or without the consequence for training
# - **none** no statement on the gradient, or "the clip makes it stable"

# %% [markdown]
# ## Recap
#
# 1. A label is a coin; cross-entropy is minus the logarithm of how probable the observed one was. Squared and absolute error are the same idea with other noise.
# 2. 0 · log 0 is 0, log 0 is −∞, and both are right. An epsilon is a plateau where there was a slope.
# 3. In p the slope is (p − y) / [p(1 − p)]; in z the sigmoid's p(1 − p) cancels it, and p − y is left.
# 4. Two right functions can make a wrong composition: near 1 doubles are coarse, and from z = 37 on the logarithm is lost. Simplify first, compute then.
# 5. Out of a confident mistake cross-entropy walks in 2|z| steps of ½; squared error needs about 2e^|z|.
#
# **The recap question.** σ′(z) = p(1 − p) is at most ¼, at z = 0, and nearly 0 on both sides. The sigmoid of the *output* has it too, but the logarithm's 1/[p(1 − p)] stands before it in the chain: this one sigmoid does not saturate, because the loss undoes it. Next: the same with K classes.
#
# **To read:** Solla, Levin & Fleisher 1988, *Accelerated Learning in Layered Neural Networks*, where cross-entropy meets squared error; Cox 1958, *The Regression Analysis of Binary Sequences*; Goodfellow, Bengio & Courville 2016, section 6.2.2.2.
