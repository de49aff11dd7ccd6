# %% [markdown]
# # Early stopping
#
# **You will be able to** write the two rules that both go by the name of early stopping and say where they part; keep the best weights so that training on does not spoil them; show that stopping gradient descent shrinks weights the way weight decay does; and compute the best moment to stop.
#
# **Time** about an hour and a quarter, five minutes more with the bonus · **Needs** gradient descent, eigenvalues of XᵀX, *dropout* · **Symbols** t counts epochs (in the rules) or steps (in the theory), from 0; η is the step size, `lr` in code; λ an eigenvalue of XᵀX/N, so a curvature (a class weight in the losses to come); α the strength of a weight decay; k the slides' distance between epochs.
#
# **Recap question.** Dropout on a linear model turned out to be a penalty on the weights, and its knob was p: the larger p, the stronger. Early stopping has a knob, too: when to stop. Which way must *it* be turned for a stronger penalty, and how strong is the penalty if you never stop?

# %% setup=true
import copy

import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import Stack, affine_block, objective, relu_block
from class4lib.softmax_cross_entropy import softmax_cross_entropy
from class4lib.training import accuracy, first_stop, fit

# %% [markdown]
# ## 1. The same name, twice
#
# Two colleagues watch the same validation loss:
#
# | epoch | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | loss | 1 | 2 | 1 | 2 | 1 | 2 |
#
# One goes by the slides: stop when $L(t) > L(t-k)$ for $k$ epochs in a row. The other goes by what most programs call early stopping: stop after $k$ epochs in a row without an improvement on the best loss so far. Both take $k = 2$, and the curve goes on like this for ever.
#
# **Predict before you read on.** At which epoch does each of them stop?

# %%
my_prediction = None  # a pair: (epoch by patience, epoch by the slides' rule); None inside for "never"

# %% [markdown]
# ## 2. Patience
#
# The second rule first. It needs a memory: the best loss so far, how many epochs ago that was, and the weights of that epoch. The weights at the moment of stopping are `patience` epochs past their best; the best ones are what you want back.
#
# Keeping them is where most home-made versions go wrong. Weights are arrays, and training changes them **in place**. Three ways to keep a list of arrays; **predict** what each of them holds after the next step of training:

# %%
weights = [np.zeros(2)]
kept = {"the list": weights, "a copy of the list": weights.copy(), "a deep copy": copy.deepcopy(weights)}
weights[0] += 1.0  # training goes on

for way, value in kept.items():
    print(f"{way:20}", value[0])

# %% [markdown]
# Copying a list copies a row of signposts; they all point to the same arrays as before. Nothing warns you: the run ends, you "restore the best weights", and what you restore are the last.
#
# Three more things to settle before you write: what a tie is (no improvement), what a NaN is (no improvement either), and whether a hundredth of a per cent counts. For the last there is `min_delta`: less than that is noise.

# %% exercise="EarlyStopping"

# %% check="EarlyStopping"

# %% [markdown]
# With the class, a whole curve can be judged afterwards. A bonus, and a short one:

# %% exercise="stopping_epoch_patience"

# %% check="stopping_epoch_patience"

# %% [markdown]
# ## 3. The slides' rule
#
# Read it slowly: $L_{\mathrm{val}}(t) > L_{\mathrm{val}}(t-k)$ for $k$ consecutive epochs. One comparison is with **one** epoch, the one $k$ before; nobody asks for the best. And there have to be $k$ such comparisons in a row. How early can it stop at all?

# %% exercise="stopping_epoch_consecutive"

# %% check="stopping_epoch_consecutive"

# %%
def patience_stops(losses, patience):
    """Epoch at which your EarlyStopping says stop, or None."""
    return first_stop(EarlyStopping(patience), losses)


@experiment("EarlyStopping", "stopping_epoch_consecutive")
def the_two_colleagues():
    zigzag = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]
    print("stop at:", (patience_stops(zigzag, 2), stopping_epoch_consecutive(zigzag, 2)), "· your prediction:", my_prediction)

# %% [markdown]
# Patience stops at epoch 2: two epochs without a new best. The slides' rule never does: every epoch is *equal* to the one two before, never worse. It would watch this net waste electricity for ever.
#
# Now find disagreements of your own. Write six losses on which
#
# - the slides' rule stops, but later than patience;
# - patience stops and should not have: the best loss is still to come;
# - the slides' rule stops **first**.

# %%
my_curve = [3.0, 2.0, 1.0, 1.0, 2.0, 3.0]  # change me


@experiment("EarlyStopping", "stopping_epoch_consecutive")
def my_disagreement():
    print("patience stops at", patience_stops(my_curve, 2), "and the slides' rule at", stopping_epoch_consecutive(my_curve, 2))
    print("the best epoch is", int(np.argmin(my_curve)))

# %% [markdown]
# Did the third kind resist? Try all: six epochs, each good, middling or bad, make 3⁶ = 729 curves.

# %%
import itertools


@experiment("EarlyStopping", "stopping_epoch_consecutive")
def all_short_curves():
    never = 99
    counts = {"patience stops first": 0, "both at once, or neither": 0, "the slides' rule stops first": 0}
    for curve in itertools.product((0.0, 1.0, 2.0), repeat=6):
        patient, slides = (never if epoch is None else epoch for epoch in (patience_stops(curve, 2), stopping_epoch_consecutive(curve, 2)))
        counts[list(counts)[(slides <= patient) + (slides < patient)]] += 1
    print(counts)

# %% [markdown]
# Not one. That is no accident: if $L(s) > L(s-k)$, then $L(s)$ is above *some* earlier loss, so it is above the best, and epoch $s$ is one without improvement. Where the slides' rule has seen $k$ bad epochs in a row, patience has seen them as well. With equal $k$ the slides' rule is the more patient of the two, always. (With a larger patience, as in `[4, 1, 5, 2, 0.5]` with $k = 2$ against patience 3, the order may turn round.)
#
# So "early stopping with k = 5" says nothing until you know whose.

# %% [markdown]
# ## 4. What it gains
#
# 400 digits to train on, 400 to watch, about 1000 to be judged by. One hidden layer of 128 units, enough to learn the 400 by heart. In a second run 30 % of the labels, in training **and** in validation, are drawn at random from the wrong ones; the test labels are always right.
#
# **Predict** for both runs: by how much will the weights of the best epoch beat those of the last?

# %%
def digit_run(noise, seed=0):
    """Validation loss and test accuracy by epoch, the EarlyStopping that watched, and the restored accuracy."""
    rng = np.random.default_rng(seed)
    parts = data.split(*data.digits(), 800, rng=rng)
    labels = data.noisy_labels(parts.y_train, 10, noise, rng=rng)
    net = Stack([affine_block(64, 128, "he", rng=rng), relu_block(), affine_block(128, 10, rng=rng)])
    stopping, val, test = EarlyStopping(10), [], []
    stops = []

    def after_epoch(epoch):  # the run goes on after the stop, to show what stopping saves
        val.append(float(softmax_cross_entropy(net(parts.x_train[400:]), labels[400:])))
        test.append(accuracy(net(parts.x_test), parts.y_test))
        if not any(stops):
            stops.append(stopping.step(val[-1], net.params))

    fit(net.params, objective(net), parts.x_train[:400], labels[:400], lr=0.05, n_epochs=45, batch_size=20, rng=rng, momentum=0.9, after_epoch=after_epoch)
    for p, best in zip(net.params, stopping.best_state, strict=True):
        p[...] = best
    return np.array(val), np.array(test), stopping, accuracy(net(parts.x_test), parts.y_test)

# %%
@experiment("EarlyStopping")
def clean_and_noisy():
    fig, axes = plots.figure(2, rows=2, width=4.6, height=2.7)
    for row, (name, noise, low, high) in zip(axes, (("clean labels", 0.0, -0.02, 0.015), ("30 % wrong labels", 0.3, 0.08, 0.28)), strict=True):
        val, test, stopping, restored = digit_run(noise)
        for ax, curve, what in zip(row, (val, test), ("validation loss", "test accuracy"), strict=True):
            plots.lines(ax, np.arange(45), {what: curve}, xlabel="epoch", title=f"{name}: {what}")
            ax.plot(stopping.best_epoch, curve[stopping.best_epoch], "o", color=plots.COLOURS[1])
        print(f"{name}: best_state restores the accuracy of the best epoch: {bool(restored == test[stopping.best_epoch])}")
        expect("    accuracy at the best epoch minus at the end", restored - test[-1], low, high, "+.3f")
    plots.show(fig, "Upper row, clean labels: the validation loss falls for some twenty epochs and then creeps up a very little, while the test accuracy climbs to about 0.95 and stays there. Lower row, wrong labels: the loss has its lowest point within the first five epochs and then climbs and climbs; the accuracy falls, raggedly, from near 0.87 to about 0.7. Dots mark the best epoch.")

# %% [markdown]
# With clean labels: nothing to speak of, in either direction. The validation loss does turn up, as the textbook says, but look at what it measures: the net becomes surer and surer, also of its few mistakes, and that costs nats. It does not get more digits wrong. Stopping saved time here, not accuracy.
#
# With wrong labels the net first learns what the digits have in common and then, one by one, the lies. The gain is large, although the validation labels lie just as often: lies that differ from the training set's cannot reward learning those.
#
# *Early stopping helps where there is something not worth learning.* Why is that learned last?

# %% [markdown]
# ## 5. Why it works: descent is a filter
#
# Take a model whose training we can solve: a linear one, with the mean of ½ squared errors. In the coordinates of the eigenvectors of XᵀX/N the loss falls apart into one parabola per direction, plus a constant:
#
# $$L(w) = \tfrac12 \sum_j \lambda_j\,(w_j - w^*_j)^2$$
#
# with $w^*$ the least squares solution. Descent starts at $w = 0$ and walks down each parabola on its own. **On paper:** write one step for one direction; what becomes of the distance $w_j - w^*_j$? And after $t$ steps?

# %% exercise="gradient_descent_path"

# %% check="gradient_descent_path"

# %% [markdown]
# Is that what really happens? Ten measurements of 442 diabetes patients; descent is run on the data, and your formula never sees them, only eigenvalues and $w^*$.

# %%
def diabetes_spectrum():
    """X, y, eigenvalues of X'X/N (descending), their vectors, and w* in their coordinates."""
    X, y = data.diabetes()
    y = (y - y.mean()) / y.std()
    eigenvalues, vectors = np.linalg.eigh(X.T @ X / len(X))
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    vectors = vectors * np.sign(vectors.sum(axis=0))  # an eigenvector's sign is free: fix it
    return X, y, eigenvalues, vectors, vectors.T @ np.linalg.lstsq(X, y)[0]


@experiment("gradient_descent_path")
def really_run():
    X, y, eigenvalues, vectors, w_star = diabetes_spectrum()
    path, w, worst = gradient_descent_path(eigenvalues, w_star, 0.2, 300), np.zeros(10), 0.0
    for row in path:
        worst = max(worst, np.abs(vectors.T @ w - row).max())
        w = w - 0.2 * X.T @ (X @ w - y) / len(X)
    print("eigenvalues:", np.round(eigenvalues, 3))
    print("300 steps of descent against the formula, largest difference below 1e-10:", bool(worst < 1e-10))

# %% [markdown]
# The eigenvalues span a factor of several hundred, and so does the speed of learning. **Predict**: after ten steps of size 0.2, what share of $w^*_j$ has the steepest direction learned, and what share the flattest?

# %%
@experiment("gradient_descent_path")
def learned_shares():
    *_, eigenvalues, _, _ = diabetes_spectrum()
    curvature = np.geomspace(0.003, 5, 120)
    shares = {f"t = {t}": gradient_descent_path(curvature, np.ones(120), 0.2, t)[-1] for t in (1, 10, 100, 1000)}
    fig, ax = plots.figure(width=6)
    for i, (name, share) in enumerate(shares.items()):
        ax.plot(curvature, share, color=plots.COLOURS[i])
        where = int(np.argmin(np.abs(share - 0.5)))
        ax.annotate(name, (curvature[where], share[where]), xytext=(6, -4), textcoords="offset points", color=plots.COLOURS[i], fontsize=9)
    ax.plot(eigenvalues, np.zeros(10), "k^", markersize=5)
    ax.set(xscale="log", xlabel="curvature λ", ylabel="share of w* learned")
    plots.show(fig, "Share learned against curvature, logarithmic: four S-shaped curves, each rising from 0 to 1. From t = 1 to t = 1000 the rise moves to the left, by about a decade for ten times as many steps. Triangles mark the ten eigenvalues of the data, from 0.009 to 4.")
    ten = gradient_descent_path(eigenvalues, np.ones(10), 0.2, 10)[-1]
    print(f"after ten steps: steepest direction {ten[0]:.2f}, flattest {ten[-1]:.3f}")

# %% [markdown]
# Descent learns the directions in which the data vary much, and reaches the flat ones late. Signal tends to sit in the first; noise is everywhere alike. To stop is to say: what I have not learned by now I take for noise.

# %% [markdown]
# ## 6. The weight decay it resembles
#
# Ridge regression shrinks as well. Add $\tfrac12 \alpha \sum_j w_j^2$ to the parabolas above, set the slope to 0, and each direction keeps a share of $w^*_j$ that depends on $\lambda_j$ and $\alpha$. **Derive** that share. Then expand both shares, ridge's and that of descent after $t$ steps, for a small $\lambda$, and choose $\alpha$ so that they agree to first order.

# %% exercise="equivalent_l2"

# %% check="equivalent_l2"

# %% [markdown]
# "Early stopping *is* weight decay", one reads. First order is a promise about small λ only. **Predict**: at which share of $w^*$ will the two disagree most, near 0, near one half or near 1?

# %%
@experiment("gradient_descent_path", "equivalent_l2")
def is_it_ridge():
    *_, eigenvalues, _, w_star = diabetes_spectrum()
    steps, curvature = np.arange(1, 2001), np.geomspace(0.003, 5, 200)
    alphas = np.array([equivalent_l2(0.2, int(t)) for t in steps])[:, None]
    descent, ridge = gradient_descent_path(eigenvalues, w_star, 0.2, 2000)[1:], eigenvalues / (eigenvalues + alphas) * w_star
    share = {"descent, t = 20": gradient_descent_path(curvature, np.ones(200), 0.2, 20)[-1], "ridge": curvature / (curvature + equivalent_l2(0.2, 20))}
    fig, (left, right) = plots.figure(2, width=5)
    plots.lines(left, curvature, share, log="x", xlabel="curvature λ", ylabel="share of w* kept", title="shrinkage")
    for colour, (j, name) in zip(plots.COLOURS, ((0, "direction 1"), (1, "2"), (8, "9")), strict=False):
        right.plot(steps, descent[:, j], color=colour)
        right.plot(steps, ridge[:, j], color=colour, linestyle="--")
        right.annotate(name, (steps[-1], descent[-1, j]), xytext=(4, 0), textcoords="offset points", va="center", color=colour, fontsize=9)
    right.set(xscale="log", xlabel="steps t (ridge: α = your equivalent_l2)", ylabel="weight", title="descent (solid) and ridge (dashed)")
    plots.show(fig, "Left: both shares rise from 0 to 1 with curvature, together at first; then descent's rises more steeply and reaches 1 while ridge still lags, by about 0.2 at the widest. Right: three weights along both paths. They leave 0 together and tend to the same ends, and in between the dashed ridge curves lag behind the solid ones.")
    print(f"largest gap of the two shares: {np.abs(share['ridge'] - share['descent, t = 20']).max():.2f}")
    print(f"largest gap of the weights, over the largest |w*|: {np.abs(descent - ridge).max() / np.abs(w_star).max():.2f}")

# %% [markdown]
# The same beginning, the same end, and on the way a difference of a fifth, at its largest where both are beyond one half: ridge has let in six tenths of such a direction, and descent has learned eight. A relative, not a twin. The relation is worth having all the same. One run of descent gives the solutions for *every* strength, in order; ridge has to be solved anew for each α.

# %% [markdown]
# ## 7. The best moment
#
# The slides ask for $t^* = \arg\min_t \mathbb{E}[L_{\mathrm{test}}(t)]$. In the linear model it can be written down. Let the targets be $y = Xw^* + $ noise, with the **true** weights $w^*$. Least squares then misses them, in direction $j$, by a random amount of mean 0 and variance $\sigma^2 / (N\lambda_j)$. Descent does not know, and walks towards the noisy solution: after $t$ steps it has learned the same share of both, of the truth and of the noise.
#
# **On paper:** in direction $j$, by how much do the weights miss $w^*_j$ on average (bias), and how much do they vary (variance)? An error in direction $j$ costs its square times $\lambda_j$. Add up. One factor cancels; let it cancel on paper, for the sake of directions with $\lambda_j = 0$.

# %% exercise="expected_excess_risk"

# %% check="expected_excess_risk"

# %% [markdown]
# Hold it against nature: 40 examples, 20 directions, noise of deviation 3. Descent runs on 500 data sets that differ in their noise only, and the mean risk of the 500 is drawn beside your formula.

# %%
def many_descents(seed=0, n=40, d=20, lr=0.1, n_steps=300):
    """Eigenvalues, true weights in their coordinates, and the mean excess risk (n_steps + 1,) of 500 descents on fresh noise."""
    rng = np.random.default_rng(seed)
    X, w_true = rng.normal(size=(n, d)) * np.linspace(1.5, 0.1, d), rng.normal(size=d)
    Y, W, risks = X @ w_true + 3.0 * rng.normal(size=(500, n)), np.zeros((500, d)), []
    for _ in range(n_steps + 1):
        risks.append((((W - w_true) @ X.T) ** 2).mean())
        W = W - lr * (W @ X.T - Y) @ X / n
    eigenvalues, vectors = np.linalg.eigh(X.T @ X / n)
    return np.maximum(eigenvalues, 0.0), vectors.T @ w_true, np.array(risks)

# %%
@experiment("expected_excess_risk")
def when_to_stop():
    eigenvalues, w_true, measured = many_descents()
    bias, both = (expected_excess_risk(eigenvalues, w_true, 0.1, 300, v, 40) for v in (0.0, 9.0))
    fig, ax = plots.figure(width=6)
    curves = {"bias²": bias, "variance": both - bias, "risk, your formula": both, "mean of 500 runs": measured}
    ax.set_ylim(0, 5)
    plots.lines(ax, np.arange(301), curves, xlabel="step", ylabel="excess risk", styles={"mean of 500 runs": {"linestyle": ":", "linewidth": 3}})
    ax.plot(both.argmin(), both.min(), "ko")
    plots.show(fig, "Excess risk against steps, 0 to 300. Bias falls steeply and then slowly towards 0; variance rises from 0, ever more slowly, to about 4. Their sum has its lowest point, marked by a dot, within the first ten steps and climbs again; the dotted mean of 500 runs lies on top of it.")
    expect("best step by your formula, minus that of the 500 runs", both.argmin() - measured.argmin(), -2, 2, ".0f")
    expect("largest relative difference of the two curves", np.abs(measured / both - 1).max(), 0, 0.05)
    expect("risk at step 300 over risk at the best step", both[-1] / both.min(), 1.4, 2.2)

# %% [markdown]
# **Two questions for your formula.** With twice as many examples, does the best moment come earlier or later? And with noise 0? Predict, then run.

# %%
@experiment("expected_excess_risk")
def more_data_or_less_noise():
    eigenvalues, w_true, _ = many_descents(n_steps=0)
    for what, variance, n in (("as above", 9.0, 40), ("twice the examples", 9.0, 80), ("ten times", 9.0, 400), ("half the noise deviation", 2.25, 40), ("no noise", 0.0, 40)):
        print(f"{what:26} best of 5000 steps: {int(expected_excess_risk(eigenvalues, w_true, 0.1, 5000, variance, n).argmin())}")

# %% [markdown]
# Later with more data or less noise, and without noise never: the digits of section 4 in a formula. Half the deviation counts like four times the examples, since only σ²/N enters.
#
# In practice neither $w^*$ nor σ is known. That is why one watches a validation set, and needs patience: its curve is $t$'s risk plus noise of its own.

# %% [markdown]
# ## 8. The same in PyTorch
#
# PyTorch has no early stopping of its own; everybody writes it, and `model.state_dict()` looks like the thing to keep. **Predict** what the two copies hold after one more step:

# %%
import torch

model = torch.nn.Linear(1, 1, bias=False)
torch.nn.init.zeros_(model.weight)
kept = {"model.state_dict()": model.state_dict(), "copy.deepcopy of it": copy.deepcopy(model.state_dict())}
with torch.no_grad():
    model.weight += 1.0  # as every optimizer does: in place

for way, state in kept.items():
    print(f"{way:22}", state["weight"].item())

# %% [markdown]
# The same trap: a new dict with the old tensors. Your `EarlyStopping` copies deeply and may be handed a `state_dict` as it is.
#
# Now the filter, against PyTorch's own optimizer:

# %%
@experiment("gradient_descent_path")
def against_sgd():
    X, y, eigenvalues, vectors, w_star = diabetes_spectrum()
    a, b, w = torch.tensor(X), torch.tensor(y), torch.zeros(10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.2)
    for _ in range(50):
        optimizer.zero_grad()
        (0.5 * ((a @ w - b) ** 2).mean()).backward()
        optimizer.step()
    yours, theirs = gradient_descent_path(eigenvalues, w_star, 0.2, 50)[-1], vectors.T @ w.detach().numpy()
    for j in range(3):
        print(f"direction {j + 1}: yours {yours[j]:+.10f}   PyTorch {theirs[j]:+.10f}")
    print("largest difference of all ten below 1e-10:", bool(np.abs(yours - theirs).max() < 1e-10))

# %% [markdown]
# An optimizer hides training from the graph: its steps are taken under `no_grad`. Leave the optimizer away, write the steps with tensors, and PyTorch can differentiate *through the whole training*: how would a prediction change if a target were a little larger?

# %% exercise="stopped_fit_in_torch"

# %% check="stopped_fit_in_torch"

# %% [markdown]
# What is that slope good for? Add up, over all patients, how strongly each patient's prediction follows that patient's **own** target. Least squares with $D$ weights gives exactly $D$, so the sum deserves its name: *degrees of freedom*. **Predict**: how many of the ten does a fit use that was stopped after ten steps? And is there a formula that you have already?

# %%
@experiment("stopped_fit_in_torch", "gradient_descent_path")
def degrees_of_freedom():
    X, y, eigenvalues, _, _ = diabetes_spectrum()
    a, b = torch.tensor(X), torch.tensor(y)
    shares = gradient_descent_path(eigenvalues, np.ones(10), 0.2, 1000)
    for t in (1, 10, 50):
        slopes = torch.autograd.functional.jacobian(lambda targets, t=t: stopped_fit_in_torch(a, targets, 0.2, t), b, vectorize=True)
        print(f"{t:2} steps: through PyTorch {slopes.trace().item():.6f}   sum of the learned shares {shares[t].sum():.6f}")
    print(f"1000 steps, by the shares alone: {shares[1000].sum():.2f}")

# %% [markdown]
# The sum of the shares, to all digits. Ten weights are there from the first step on, but the fit is free to use them only as time goes by. That is capacity, counted in steps.

# %% [markdown]
# ## 9. In your own words
#
# A report says: "We trained with early stopping (patience 10), restored the weights of the best epoch, and report their accuracy on the validation set that we watched. As stopping is the same as weight decay, we did without weight decay." Judge the report. Is the reported accuracy fair? Is the second sentence right, and what does stopping really have in common with weight decay? When would their stopping have gained nothing at all? (Six sentences.)

# %% [markdown] written="stop_or_decay"
# The accuracy is too good. The best epoch was chosen because it looked best on just this validation set, so part of what made it look best is that set's chance; an untouched test set is needed for a fair figure. Stopping descent and weight decay both shrink the solution along the directions of the data's covariance: flat directions keep a small share, steep ones almost all of it, and to first order in the curvature stopping after t steps of size η acts like α = 1/(ηt). But they are not the same: between the two ends the shares differ by about 0.2, the correspondence is derived for a quadratic loss and descent from zero, and with another start, momentum or a net it is an analogy. So leaving out weight decay is a choice that can be tried, not a consequence. Stopping gains nothing where there is nothing harmful to learn, as with clean labels or plenty of data: then variance hardly grows, and the best moment is late or never.
#
# Rubric:
# - **full** the choice of the epoch on the validation set makes its accuracy optimistic, and a test set is named; shared shrinkage by direction with the limits of the analogy (first order, quadratic, or the measured gap); a situation without gain and its reason (no noise to be learned)
# - **half** two of the three points with reasons, or all three without
# - **none** the report is accepted, or only "early stopping prevents overfitting"

# %% [markdown]
# ## Recap
#
# 1. Patience compares with the best so far, the slides' rule with the epoch k before, k times in a row; with equal k the slides' rule never stops first.
# 2. Keep the best weights as a deep copy; a `state_dict` is an alias, too.
# 3. Descent from 0 learns the share 1 − (1 − ηλ)ᵗ of each direction: steep first, flat last.
# 4. To first order that is ridge with α = 1/(ηt); in between the two differ by about 0.2.
# 5. The best moment balances bias² against variance: later with more data and less noise, never without noise. Clean digits gained nothing, wrong labels a lot.
#
# **The recap question.** Stop *earlier* for a stronger penalty: its strength falls as 1/t. If you never stop it is 0, and descent ends at plain least squares.
#
# **To read:** Prechelt 1998, *Early Stopping – But When?*; Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 7.8; Ali, Kolter & Tibshirani 2019, *A Continuous-Time View of Early Stopping for Least Squares Regression*.
