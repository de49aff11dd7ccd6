# %% [markdown]
# # Softmax and cross-entropy
#
# **You will be able to** turn any scores into probabilities without an overflow, derive the famous gradient p − y (and say when it is *not* p − y), and train a classifier of handwritten digits with functions that are all yours.
#
# **Time** about two hours · **Needs** the chain rule, NumPy broadcasting, *binary cross-entropy* · **Symbols** z logits (N, K), p probabilities, y targets, K classes. σ does not occur here; where the slides write p for a drop rate, that is another p.
#
# **Recap question.** For one logit and one label you found ∂L/∂z = p − y. How could a formula with *two* classes, and one logit too few, know that? Keep your answer: at the end it is a special case.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.basics import affine
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. A loss that stops at 1.46
#
# A classmate builds a digit classifier. Its last layer ends with a softmax, *"so that it gives probabilities"*. Its loss is softmax cross-entropy, *"because it's a classification"*. It learns: 96 of 100 test digits are right. But the training loss comes down to about 1.48 and stays there. More epochs, a smaller step, a larger net: 1.47, and never less. With 10 classes, guessing blindly would cost log 10 ≈ 2.30.
#
# Is the net too small? Is the data too hard? Is it a bug, and if so, why does it classify so well?
#
# **Predict before you read on.** Suppose the net becomes perfect: the *right* class gets probability 1 from its last layer. What does the loss say then? Write the number down here; we come back to it.

# %%
my_prediction = None  # a number, in nats: the loss of a perfect net that goes through softmax twice

# %% [markdown]
# ## 2. From scores to probabilities
#
# A classifier's last layer gives K real numbers, the **logits** $z_1, \dots, z_K$. We want probabilities: positive, summing to 1, larger where z is larger. Exponentials are positive; dividing by their sum does the rest:
#
# $$p_k = \frac{e^{z_k}}{\sum_{j=1}^K e^{z_j}}$$
#
# Two things follow at once, and both will be needed.
#
# 1. **A shift cancels.** Add a constant $c$ to *every* logit of a row: $e^{z_k + c} = e^c e^{z_k}$, and $e^c$ stands above and below the line. Only differences of logits matter.
# 2. **Everybody depends on everybody.** $z_j$ stands in the denominator of every $p_k$.
#
# On paper that is the end of the story. On a computer:

# %%
with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp(np.array([1000.0, 999.0])) / np.exp(np.array([1000.0, 999.0])).sum()
print("logits 1000 and 999, formula as it stands:", naive)
print("logits    1 and   0, formula as it stands:", np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum())

# %% [markdown]
# The two lines ask the same question, for the differences are equal. Use observation 1 to make your function answer it the same way, for every logit between −1000 and 1000, and also when one row of a batch is near −1000 and another near +1000.

# %% exercise="softmax"

# %% check="softmax"

# %% [markdown]
# The loss will need $\log p$. Taking the logarithm of your softmax looks harmless. Look at what it does to a class that the net rules out:

# %%
@experiment("softmax")
def logarithm_after_rounding():
    for gap in (30.0, 700.0, 800.0):
        p = softmax(np.array([0.0, -gap]))
        with np.errstate(divide="ignore"):
            print(f"gap {gap:5.0f}: p = {p[1]:.3g}, log p = {np.log(p[1]):.6g}, true value {-gap:.6g}")

# %% [markdown]
# Beyond a gap of about 745 the probability is rounded to exactly 0, and the logarithm of 0 is −∞. The number we wanted, −800, is perfectly ordinary. It was lost *between* two correct functions. The cure is algebra before arithmetic: simplify $\log p_k$ on paper, then compute.

# %% exercise="log_softmax"

# %% check="log_softmax"

# %% [markdown]
# ### Temperature
#
# Divide the logits by a temperature T before the softmax. Guess first: what becomes of the probabilities for T → 0, and for T → ∞?

# %%
@experiment("softmax")
def temperature():
    z, T = np.array([2.0, 1.0, 0.0, -1.0]), np.geomspace(0.05, 50, 200)
    p = softmax(z / T[:, None])
    fig, ax = plots.figure(width=6)
    plots.lines(ax, T, {f"z = {v:+.0f}": p[:, k] for k, v in enumerate(z)}, log="x", xlabel="temperature T", ylabel="probability")
    plots.show(fig, "Four probabilities against temperature. Near T = 0.05 the largest logit has probability 1 and the others 0; all four meet at one quarter as T grows to 50.")

# %% [markdown]
# Cold, softmax is a hard maximum; hot, it is a blind guess. The *order* of the classes never changes: temperature moves how sure the net claims to be, not what it says. We use that at the end.

# %% [markdown]
# ## 3. How every probability moves with every logit
#
# Now the derivation that everything else rests on. Start from the logarithm, which is simpler than the quotient:
#
# $$\log p_k = z_k - \log \sum_i e^{z_i}$$
#
# Differentiate in $z_j$. The first term gives 1 if $j = k$ and 0 otherwise; write $[k = j]$ for that. What does the second give? (You have seen that fraction before.) Then use $\frac{\partial p_k}{\partial z_j} = p_k \frac{\partial \log p_k}{\partial z_j}$, and code the K × K matrix for each row. It can be computed from the probabilities alone.
#
# **Before you run the check**, say what each row of that matrix must sum to, and why. (The probabilities sum to 1. Always.)

# %% exercise="softmax_jacobian"

# %% check="softmax_jacobian"

# %%
@experiment("softmax", "softmax_jacobian")
def jacobian_picture():
    J = softmax_jacobian(softmax(np.array([2.0, 1.0, 0.0, -1.0])))
    fig, ax = plots.figure(width=4.4)
    plots.heatmap(ax, J, numbers=True, signed=True, xlabel="logit j that moves", ylabel="probability k that answers")
    plots.show(fig, "The Jacobian for logits 2, 1, 0, −1: positive on the diagonal, negative off it, largest between the two likeliest classes; rows sum to 0.")
    print("every row sums to 0:", bool(np.allclose(J.sum(axis=1), 0)))

# %% [markdown]
# Raising a logit raises its own probability and lowers every other one; what one wins the others pay. There is no diagonal matrix here: treating softmax as if it acted entry by entry is the commonest wrong gradient of this topic.

# %% [markdown]
# ## 4. What a prediction costs
#
# If the data were drawn from the model, label $k$ would have probability $p_k$. The likelihood of an example is $\prod_k p_k^{y_k}$ with $y$ one-hot; minus its logarithm is the **cross-entropy**
#
# $$L = -\sum_{k=1}^K y_k \log p_k$$
#
# in nats. Nothing in it needs $y$ to be one-hot, or even to sum to 1: a row of $y$ is a set of weights. Two conventions for all that follows, because half of the mistakes live there:
#
# - **labels or weights**: a 1-D array of integers holds labels; a 2-D array, of any dtype, holds weights per class;
# - **reduction**: `"none"` gives one loss per example, `"sum"` their sum, `"mean"` the sum divided by **N**, the number of examples (never by N·K).

# %% exercise="cross_entropy"

# %% check="cross_entropy"

# %% [markdown]
# And its slope, if you like, with each probability taken as a free variable:

# %% exercise="cross_entropy_grad"

# %% check="cross_entropy_grad"

# %% [markdown]
# A loss of probabilities suffers from what you saw in section 2: where p is rounded to 0, nothing can be repaired afterwards. So in practice softmax and cross-entropy are **one** function of the logits.

# %% exercise="softmax_cross_entropy"

# %% check="softmax_cross_entropy"

# %% [markdown]
# ## 5. The gradient
#
# Put the pieces together. With $\log p_k = z_k - \log\sum_i e^{z_i}$ and your derivative of it,
#
# $$\frac{\partial L}{\partial z_j} = -\sum_k y_k \frac{\partial \log p_k}{\partial z_j} = \;?$$
#
# Keep the sum $\sum_k y_k$ as it is until the last line. The slides' result, $p_j - y_j$, appears if it equals 1. Implement the line *before* that, so that any weights work, and mind what "mean" does to a gradient.

# %% exercise="softmax_cross_entropy_grad"

# %% check="softmax_cross_entropy_grad"

# %% [markdown]
# A gradient is a claim about slopes, and a claim can be tested. Move one logit a little in both directions and look:

# %%
@experiment("softmax_cross_entropy", "softmax_cross_entropy_grad")
def slope_by_hand():
    rng = np.random.default_rng(0)
    z, y, h = rng.normal(size=(3, 4)), np.array([0, 3, 1]), 1e-6
    up, down = z.copy(), z.copy()
    up[1, 2] += h
    down[1, 2] -= h
    slope = (softmax_cross_entropy(up, y) - softmax_cross_entropy(down, y)) / (2 * h)
    print(f"measured {slope:.6f}, your formula {softmax_cross_entropy_grad(z, y)[1, 2]:.6f}")

# %% [markdown]
# ## 6. The puzzle, solved
#
# Your classmate's net puts a *probability* vector where logits are expected. A perfect net gives $(1, 0, \dots, 0)$. As logits, these are ten numbers between 0 and 1: the difference can never exceed 1, so the second softmax can never be sure.

# %%
@experiment("softmax_cross_entropy")
def lowest_loss():
    perfect = np.eye(10)[:1]
    floor = softmax_cross_entropy(perfect, np.array([0]))
    print(f"loss of a perfect net with two softmaxes: {floor:.4f}   (log(e + 9) - 1 = {np.log(np.e + 9) - 1:.4f})")
    print("your prediction:", my_prediction)

# %% [markdown]
# So it was a bug, and not one that accuracy shows: the order of the classes survives a second softmax. Only someone who knew what the loss *should* be could see it. Train both nets on 1000 digits, with your functions, and watch the two losses.

# %%
@experiment("softmax", "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_jacobian")
def one_softmax_or_two():
    x, y = data.digits()
    parts = data.split(x, y, 1000, rng=np.random.default_rng(0))
    losses, scores = {}, {}
    for name, twice in (("once", False), ("twice", True)):
        W, b = np.zeros((64, 10)), np.zeros(10)

        def loss_and_grads(xb, yb):
            z = affine(xb, W, b)
            if not twice:
                dz = softmax_cross_entropy_grad(z, yb)
                return softmax_cross_entropy(z, yb), [xb.T @ dz, dz.sum(axis=0)]
            p = softmax(z)
            dz = np.einsum("nk,nkj->nj", softmax_cross_entropy_grad(p, yb), softmax_jacobian(p))
            return softmax_cross_entropy(p, yb), [xb.T @ dz, dz.sum(axis=0)]

        losses[name] = fit([W, b], loss_and_grads, parts.x_train, parts.y_train, lr=0.5, momentum=0.9, n_epochs=60, batch_size=50, rng=np.random.default_rng(1))
        scores[name] = accuracy(affine(parts.x_test, W, b), parts.y_test)
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.arange(1, 61), {f"softmax {n}": v for n, v in losses.items()}, log="y", xlabel="epoch", ylabel="training loss, nats")
    ax.axhline(np.log(np.e + 9) - 1, color="0.5", linewidth=1, linestyle="--")
    ax.annotate("log(e + 9) − 1 = 1.46", (2, 1.46), xytext=(0, 4), textcoords="offset points", fontsize=9, color="0.35")
    plots.show(fig, "Training loss over 60 epochs on a logarithmic scale. With one softmax it falls from about 1 to about 0.03; with two it flattens just above the dashed line at 1.46.")
    expect("test accuracy, one softmax", scores["once"], 0.945, 0.98)
    expect("test accuracy, two softmaxes", scores["twice"], 0.945, 0.98)
    expect("final loss, one softmax", losses["once"][-1], 0.01, 0.04)
    expect("final loss, two softmaxes", losses["twice"][-1], 1.4612, 1.51, ".4g")

# %% [markdown]
# ## 7. How sure should it be?
#
# One-hot targets ask for probability 1, which only infinite logits give. **Label smoothing** asks for less: a share ε is taken from the right class and spread evenly over *all* K classes.

# %% exercise="label_smoothing"

# %% check="label_smoothing"

# %% [markdown]
# It is often said that smoothing makes a net better *calibrated*: that among predictions made with 80 % confidence, 80 % are right. **Predict**: train the classifier above with ε = 0 and with ε = 0.1. Which of the two will claim about as much as it delivers?

# %%
@experiment("softmax", "softmax_cross_entropy", "softmax_cross_entropy_grad", "label_smoothing")
def calibration():
    x, y = data.digits()
    parts = data.split(x, y, 1000, rng=np.random.default_rng(0))
    half = len(parts.y_test) // 2
    z_val, z_test = {}, {}
    for name, epsilon in (("ε = 0", 0.0), ("ε = 0.1", 0.1)):
        W, b = np.zeros((64, 10)), np.zeros(10)

        def loss_and_grads(xb, yb):
            targets, z = label_smoothing(yb, 10, epsilon), affine(xb, W, b)
            dz = softmax_cross_entropy_grad(z, targets)
            return softmax_cross_entropy(z, targets), [xb.T @ dz, dz.sum(axis=0)]

        fit([W, b], loss_and_grads, parts.x_train, parts.y_train, lr=0.5, momentum=0.9, n_epochs=60, batch_size=50, rng=np.random.default_rng(1))
        z = affine(parts.x_test, W, b)
        z_val[name], z_test[name] = z[:half], z[half:]
    # one number, fitted on the first half of the held-out digits and used on the second
    temperatures = np.geomspace(0.2, 5, 100)
    best = min(temperatures, key=lambda T: softmax_cross_entropy(z_val["ε = 0.1"] / T, parts.y_test[:half]))
    z_test["ε = 0.1, cooled"] = z_test["ε = 0.1"] / best
    labels = parts.y_test[half:]
    fig, ax = plots.figure(width=5.4, height=4)
    plots.reliability(ax, {n: softmax(z) for n, z in z_test.items()}, labels)
    plots.show(fig, "Reliability diagram. Without smoothing the points lie near the diagonal; with smoothing they lie far above it, right more often than claimed; cooled by a temperature they return to the diagonal.")
    for name, low, high in (("ε = 0", -0.03, 0.03), ("ε = 0.1", -0.2, -0.08), ("ε = 0.1, cooled", -0.03, 0.03)):
        p = softmax(z_test[name])
        expect(f"{name}: claimed minus delivered", p.max(axis=1).mean() - accuracy(p, labels), low, high, "+.2f")
    expect("temperature found", best, 0.2, 0.6)

# %% [markdown]
# The popular story does not come out here. This small net was honest *without* smoothing: a linear classifier on a thousand clean digits has no room to be overconfident. Trained towards 0.91 (that is 1 − ε + ε/K), the smoothed net claims 0.8 and delivers 0.95. It is too modest. One division by a temperature below 1, found on held-out digits, repairs it without touching a single decision. Smoothing is not a cure for miscalibration; it is a bias towards modesty, which helps those who were too sure.

# %% [markdown]
# ## 8. The same in PyTorch
#
# `torch.nn.functional.cross_entropy` is your `softmax_cross_entropy`: it takes **logits**. (Hand it probabilities and you have section 1 again; it does not complain.) Number by number:

# %%
import torch


@experiment("softmax_cross_entropy", "softmax_cross_entropy_grad")
def against_pytorch():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(5, 4)), rng.integers(4, size=5)
    tensor = torch.tensor(z, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(tensor, torch.tensor(y))
    loss.backward()
    print(f"loss      yours {softmax_cross_entropy(z, y):.12f}   PyTorch {loss.item():.12f}")
    print(f"gradient  largest difference below 1e-15: {np.abs(softmax_cross_entropy_grad(z, y) - tensor.grad.numpy()).max() < 1e-15}")

# %% [markdown]
# Now write one yourself, with tensors: the smoothed loss from section 7, without building the smoothed targets. PyTorch differentiates it for you, as long as every step stays a tensor operation.

# %% exercise="smoothed_cross_entropy_in_torch"

# %% check="smoothed_cross_entropy_in_torch"

# %% [markdown]
# ## 9. In your own words
#
# A classifier ends with softmax, and someone trains it with squared error $\frac12 \|p - y\|^2$ in place of cross-entropy. At the start it is *confidently wrong*: the right class has probability 0.001. Using the Jacobian of section 3, explain what each of the two losses does to the logit of the right class, and why training with one of them hardly moves. (Five sentences, one formula each.)

# %% [markdown] written="why_not_squared_error"
# For cross-entropy ∂L/∂z = p − y: at the right class it is 0.001 − 1 ≈ −1, as large as it can be. For squared error the chain goes through the Jacobian, ∂L/∂z_j = Σ_k (p_k − y_k) p_k ([k = j] − p_j); every term has a factor p_k (1 − p_k) or p_k p_j. At the right class the factor is p(1 − p) ≈ 0.001, so the gradient there is about a thousand times smaller, although the prediction is as wrong as it can be. If another class has probability near 1, its own factor p(1 − p) is tiny too: the whole gradient vanishes. Cross-entropy does not have the problem because its −1/p cancels the factor p: log undoes exp.
#
# Rubric:
# - **full** both gradients with the Jacobian's factor, the cancellation of p, and the consequence at p = 0.001
# - **half** says that squared error's gradient is small when confidently wrong, without showing where the factor comes from or why cross-entropy escapes it
# - **none** no gradient compared, or only "cross-entropy is for classification"

# %% [markdown]
# ## Recap
#
# 1. Softmax sees differences of logits only; subtracting each row's maximum changes nothing and saves everything.
# 2. Simplify log p on paper before you compute it: a probability rounded to 0 cannot be repaired.
# 3. The Jacobian is diag(p) − ppᵀ: what one class wins, the others pay.
# 4. ∂L/∂z = p Σy − y, which is p − y where the targets sum to 1, divided by N for a mean.
# 5. A second softmax keeps the order of the classes and ruins the loss; smoothing makes modest, temperature makes honest.
#
# **The recap question.** With two classes only z₁ − z₀ matters, and p₁ = sigmoid(z₁ − z₀): one logit was never too few.
#
# **To read:** Guo, Pleiss, Sun & Weinberger 2017, *On Calibration of Modern Neural Networks*; for smoothing Szegedy et al. 2016, section 7, and Müller, Kornblith & Hinton 2019, *When Does Label Smoothing Help?*
