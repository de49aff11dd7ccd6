# %% [markdown]
# # Dropout
#
# **You will be able to** write dropout and its backward pass, derive what it does to mean and variance, say in closed form which loss it minimises for a linear model, and predict where it will help and where it will not.
#
# **Time** about an hour and a quarter, ten minutes more with the bonus · **Needs** expectation and variance, the chain rule, *vanishing gradients* · **Symbols** p the probability to **drop** (a class's probability elsewhere; Srivastava's p *keeps*), r a coin that is 0 or 1, m the mask: the factor of an entry, rescaling included. A tilde marks what went through dropout.
#
# **Recap question.** He's initialisation makes weights a little larger, because ReLU switches off half of the units. Dropout switches off a share p of them. Which factor on the units that stay would preserve their *mean*, and which their *mean square*? Both cannot be had. Keep your answer for the end.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.basics import affine, affine_backward, relu, relu_backward
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import layer_params
from class4lib.softmax_cross_entropy import softmax, softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. A quiet unit
#
# A hidden unit is as calm as can be: over the data its value is 10, give or take 1. Its variance is 1. Now a dropout layer keeps it one time in four, and multiplies what it keeps by 4, so that on average nothing changes.
#
# **Predict before you read on.** What is the variance of the unit behind the dropout layer? (A factor of 4 would make it 16 times larger. Dropping adds something. How much?)

# %%
my_prediction = None  # a number: the variance behind dropout with p = 0.75, x ~ N(10, 1)

# %% [markdown]
# ## 2. Two outcomes
#
# Dropout throws a coin for every entry $x$ of an array: with probability $p$ the entry becomes 0. Otherwise it stays, and is divided by $1 - p$. The slides write the coin as $r \sim \mathrm{Bernoulli}(1 - p)$:
#
# $$\tilde x = \frac{r}{1 - p}\, x$$
#
# This is *inverted* dropout: the correction happens in training, so that in evaluation nothing at all has to be done. The older form keeps $r x$ in training and shrinks in evaluation, and half of all dropout bugs come from mixing the two.
#
# There are only two outcomes, so an expectation is a sum of two terms, each a value times its probability. Write them down, for $x$ fixed.

# %% exercise="dropout_mean"

# %% check="dropout_mean"

# %% [markdown]
# On average dropout does nothing. So whatever it does, it does through the *scatter*. Write $\tilde x = m x$ with the mask $m = r/(1-p)$, and use $\operatorname{Var}[m] = \mathbb{E}[m^2] - \mathbb{E}[m]^2$.
#
# Before you code it, three questions that a right formula must survive. What is the variance for $p = 0$? For $x = 0$? And what happens as $p \to 1$?

# %% exercise="dropout_variance"

# %% check="dropout_variance"

# %%
@experiment("dropout_variance")
def scatter_against_p():
    p = np.linspace(0, 0.95, 96)
    fig, ax = plots.figure(width=6)
    deviation = np.sqrt([dropout_variance(np.array([1.0]), q)[0] for q in p])
    plots.lines(ax, p, {"deviation / |x|": deviation}, xlabel="probability p to drop", ylabel="deviation in units of |x|")
    plots.level(ax, 1.0, "as large as the signal itself")
    plots.show(fig, "The deviation of a dropped entry, in units of its size, against p. It rises steeply from 0, reaches 1 at p = 0.5, 2 at p = 0.8 and passes 4 at 0.95.")
    print(f"p = 0.1: {deviation[10]:.2f}   p = 0.5: {deviation[50]:.2f}   p = 0.9: {deviation[90]:.2f}")

# %% [markdown]
# The usual $p = ½$ is no round number picked at random: there the noise is exactly as large as the signal. And even $p = 0.1$ shakes every entry by a third of its size.

# %% [markdown]
# ## 3. The layer
#
# Now throw the coins. Five things are easily got wrong, and each is invisible in some test that looks sensible:
#
# - p **drops**. With $p = ½$ nobody can tell; with 0.2 everybody can.
# - Every entry of every example has **its own** coin. One mask for the whole batch has the right share of zeros.
# - What is kept is **rescaled**, in training and only there.
# - All randomness comes from the argument **rng**, so that a run can be repeated.
# - The **mask** that was used is returned. You will need that very one.
#
# How do you check a function whose results are random? Not against fixed numbers: `rng.random`, `rng.binomial` and `rng.choice` are all right, and all give different ones. The check calls yours 64 times and asks whether the *law* is right: the share of zeros, in every place, in pairs, between calls. A right answer fails with a chance below one in a thousand million.

# %% exercise="dropout"

# %% check="dropout"

# %% [markdown]
# Back to the quiet unit. A hundred thousand values around 10, and the same values behind your layer:

# %%
@experiment("dropout")
def quiet_unit():
    rng = np.random.default_rng(0)
    x = rng.normal(10, 1, size=(100_000, 1))
    y, _ = dropout(x, 0.75, training=True, rng=rng)
    fig, ax = plots.figure(width=6)
    for values, colour, name in ((x, plots.COLOURS[0], "before"), (y, plots.COLOURS[1], "behind")):
        ax.hist(values.ravel(), bins=np.arange(-0.5, 50), color=colour, alpha=0.7, label=name)
    ax.legend(frameon=False)
    ax.set(xlabel="value of the unit", ylabel="how often, of 100,000")
    plots.show(fig, "Histogram. Before: one narrow hill at 10. Behind: three quarters of all values in one bar at 0, the others in a low, wide hill around 40; between them nothing.")
    expect("mean behind", y.mean(), 9.8, 10.2, ".2f")
    expect("variance behind", y.var(), 298, 310, ".1f")
    print("your prediction:", my_prediction)

# %% [markdown]
# About 304. The factor of 4 explains hardly any of it. Split the variance by its causes (the law of total variance): what the *data* scatter on average, $\operatorname{Var}[x] = 1$, and what the *mask* scatters for given data, on average over the data. With $p = ¾$ your formula gives $3\,x^2$, and the mean of $x^2$ is $10^2 + 1$. So $1 + 3 \cdot 101 = 304$.
#
# The lesson: dropout does not enlarge the variance of a signal; it turns its **size** into variance. A unit with a large constant value is the loudest of all. (A layer that normalises *after* dropout and is used without it in evaluation gets its statistics wrong for this reason.)

# %% [markdown]
# ## 4. The way back
#
# In the backward pass $m$ is a number like any other: it was drawn, and it is known. Which derivative does $y_i = m_i x_i$ have?

# %% exercise="dropout_backward"

# %% check="dropout_backward"

# %% [markdown]
# **Predict**: somebody draws a *new* mask in the backward pass, "it is random anyway". Take $L = ½ \sum y_i^2$, whose gradient in $y$ is $y$. What will the average gradient be, over many masks, compared with the right one? Think about $\mathbb{E}[m \cdot m]$ and $\mathbb{E}[m \cdot m']$.

# %%
@experiment("dropout", "dropout_backward")
def fresh_mask():
    rng, x, p = np.random.default_rng(0), np.ones((1, 4000)), 0.75
    same, fresh = [], []
    for _ in range(50):
        y, mask = dropout(x, p, training=True, rng=rng)
        _, other = dropout(x, p, training=True, rng=rng)
        same.append(dropout_backward(y, mask).mean())
        fresh.append(dropout_backward(y, other).mean())
    expect("mean gradient, the forward's mask", np.mean(same), 3.85, 4.15)
    expect("mean gradient, a fresh mask", np.mean(fresh), 0.9, 1.1)

# %% [markdown]
# Not a little noise: another *expectation*. With its own mask the gradient is $\mathbb{E}[m^2]\,x = x/(1-p)$, four times as large; with a fresh one the coins are independent, the average is $x$, and what training would then minimise is the loss **without** dropout. The regularisation, whatever it is, lives entirely in the correlation between the forward and the backward mask.

# %% [markdown]
# ## 5. Which loss is this?
#
# So which loss does dropout minimise? For a linear model that can be answered exactly. Let the inputs of one example go through dropout, $\tilde x$, and predict $\tilde x \cdot w$. For any random number $s$ and any fixed $y$,
#
# $$\mathbb{E}\left[(s - y)^2\right] = \left(\mathbb{E}[s] - y\right)^2 + \operatorname{Var}[s]$$
#
# Here $s = \tilde x \cdot w = \sum_j w_j \tilde x_j$. You know the mean and the variance of each $\tilde x_j$, and the coins are independent. Put it together, with the ½ and the mean over the N examples of our loss. (Mind both: other texts sum over the examples, and leave the ½ away; then the penalty has another factor.)

# %% exercise="marginal_dropout_loss"

# %% check="marginal_dropout_loss"

# %% exercise="marginal_dropout_loss_grad"

# %% check="marginal_dropout_loss_grad"

# %% [markdown]
# Is it true? Sample the loss with your layer, average over more and more masks, and watch the distance to your formula. **Predict** the slope of the curves on logarithmic axes.

# %%
def regression(seed, n=60, d=10):
    """Correlated inputs of different size, and noisy targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.6 * rng.normal(size=(d, d)) / np.sqrt(d)) * np.linspace(0.4, 1.6, d)
    return X, X @ rng.normal(size=d) + rng.normal(size=n)

# %%
@experiment("dropout", "marginal_dropout_loss")
def sampled_loss():
    X, y = regression(0)
    n, runs = np.arange(1, 2001), 6
    errors = []
    for seed in range(runs):
        rng, w = np.random.default_rng(seed), np.random.default_rng(100).normal(size=10)
        losses = [0.5 * np.mean((dropout(X, 0.5, training=True, rng=rng)[0] @ w - y) ** 2) for _ in n]
        errors.append(np.abs(np.cumsum(losses) / n / marginal_dropout_loss(w, X, y, 0.5) - 1))
    fig, ax = plots.figure(width=6)
    typical = np.sqrt(np.mean(np.square(errors), axis=0))
    for e in errors:
        ax.plot(n, e, color="0.8", linewidth=0.8)
    plots.lines(ax, n, {"typical": typical, "1/√n": typical[9:100].mean() * 6 / np.sqrt(n)}, log="xy", xlabel="masks n", ylabel="relative error of the sampled loss")
    ax.set_ylim(1e-4, 1)
    plots.show(fig, "Relative error of the sampled loss against the number of masks, both logarithmic. Six grey runs jump up and down; their typical size falls along a straight line of slope −1/2, to some thousandths at 2000 masks.")
    expect("typical error after 2000 masks", typical[-1], 0.0005, 0.01, ".2g")

# %% [markdown]
# Single runs are not monotone, and do not be surprised if one is better at a hundred masks than at a thousand; only their typical size follows $1/\sqrt n$. But there is no bias left over: the formula is exact.
#
# Look at the penalty once more. It is quadratic in $w$, as in ridge regression, with one difference: weight $j$ is charged by how large *its own input* is. So dropout is ridge on inputs scaled to equal size, and no rescaling of an input, say from metres to millimetres, changes anything. Plain ridge cannot say that.
#
# Now the test that could fail. Stack 10,000 dropped copies of the data, solve ordinary **least squares** on the pile, and compare the weights with the minimum of your closed form.

# %%
@experiment("dropout", "marginal_dropout_loss_grad")
def dropout_is_ridge():
    X, y = regression(0)
    rng, gram, moment = np.random.default_rng(1), np.zeros((10, 10)), np.zeros(10)
    for _ in range(10_000):
        dropped, _ = dropout(X, 0.5, training=True, rng=rng)
        gram += dropped.T @ dropped
        moment += dropped.T @ y
    sampled, plain = np.linalg.solve(gram, moment), np.linalg.lstsq(X, y)[0]
    # your gradient is affine in w: its columns are the differences from the gradient at 0
    at_zero = marginal_dropout_loss_grad(np.zeros(10), X, y, 0.5)
    slope = np.stack([marginal_dropout_loss_grad(e, X, y, 0.5) - at_zero for e in np.eye(10)], axis=1)
    closed = np.linalg.solve(slope, -at_zero)
    fig, ax = plots.figure(width=6)
    for values, style, colour, name in ((plain, "s", 3, "least squares"), (closed, "o", 0, "your closed form"), (sampled, "x", 1, "10,000 dropped copies")):
        ax.plot(range(10), values, style, color=plots.COLOURS[colour], label=name, markersize=6 if style == "x" else 10, fillstyle="none")
    ax.axhline(0, color="0.8", linewidth=1, zorder=0)
    ax.legend(frameon=False)
    ax.set(xlabel="input", ylabel="weight")
    plots.show(fig, "Ten weights found in three ways. The crosses of the dropped copies lie inside the circles of the closed form, all ten; the squares of least squares are elsewhere, most of them further from 0, one at −2.3 where the others are at −1.1.")
    expect("dropped copies: relative distance to the closed form", np.linalg.norm(sampled - closed) / np.linalg.norm(closed), 0, 0.01, ".2g")
    expect("least squares: relative distance", np.linalg.norm(plain - closed) / np.linalg.norm(closed), 0.3, 3)

# %% [markdown]
# Within one per cent, and least squares is far away. Dropout on a linear model is not *like* a penalty; in expectation it **is** one. (Two more notebooks of this part will end at nearly the same place by other roads: early stopping, and noise on the inputs.)

# %% [markdown]
# ## 6. Where it helps
#
# A net is not linear, and no closed form is known. So: 200 digits, of which 30 % carry a **wrong label**; 256 hidden units, which is plenty to learn every one of them by heart; dropout on the hidden layer. **Predict** three things for p = 0, ½ and 0.8: the accuracy on test digits, the share of the wrong labels that the net has learned by heart, and what becomes of the gain when all labels are right.

# %%
def train_digits(p, seed=0, wrong=0.3, epochs=80):
    """Accuracy on clean test digits, share of the wrong labels learned by heart, and the net."""
    rng = np.random.default_rng(seed)
    parts = data.split(*data.digits(), 200, rng=rng)
    given = data.noisy_labels(parts.y_train, 10, wrong, rng=rng)
    W1, b1, W2, b2 = params = [*layer_params(64, 256, "he", rng=rng), *layer_params(256, 10, "he", rng=rng)]

    def loss_and_grads(x, y):
        z = affine(x, W1, b1)
        h, mask = dropout(relu(z), p, training=True, rng=rng)
        logits = affine(h, W2, b2)
        dh, dW2, db2 = affine_backward(softmax_cross_entropy_grad(logits, y), h, W2)
        _, dW1, db1 = affine_backward(relu_backward(dropout_backward(dh, mask), z), x, W1)
        return softmax_cross_entropy(logits, y), [dW1, db1, dW2, db2]

    fit(params, loss_and_grads, parts.x_train, given, lr=0.05, momentum=0.9, n_epochs=epochs, batch_size=20, rng=rng)
    scores = lambda x: affine(relu(affine(x, W1, b1)), W2, b2)  # evaluation: no dropout, and nothing to correct
    liars = given != parts.y_train
    by_heart = accuracy(scores(parts.x_train[liars]), given[liars]) if liars.any() else 0.0
    return accuracy(scores(parts.x_test), parts.y_test), by_heart, params

# %%
@experiment("dropout", "dropout_backward")
def noisy_digits():
    runs = {p: [train_digits(p, seed) for seed in (0, 1, 2)] for p in (0.0, 0.5, 0.8)}
    clean = {p: [train_digits(p, seed, wrong=0.0)[0] for seed in (0, 1)] for p in (0.0, 0.5)}
    fig, (left, right) = plots.figure(2, width=4.6, height=2.8)
    plots.dots(left, {f"p = {p:g}": [r[0] for r in rs] for p, rs in runs.items()}, xlabel="accuracy on test digits")
    plots.dots(right, {f"p = {p:g}": [r[1] for r in rs] for p, rs in runs.items()}, xlabel="share of wrong labels learned by heart")
    plots.show(fig, "Three seeds each. Left, test accuracy: between 0.66 and 0.70 without dropout; at p = 0.5 and at p = 0.8 a few points more on average, and more scattered. Right: without dropout every wrong label is learned by heart, at 0.5 nearly every one, at 0.8 about a quarter.")
    mean = {p: np.mean([r[:2] for r in rs], axis=0) for p, rs in runs.items()}
    expect("wrong labels: gain of p = 0.5", mean[0.5][0] - mean[0.0][0], 0.0, 0.12, "+.3f")
    expect("wrong labels: gain of p = 0.8", mean[0.8][0] - mean[0.0][0], -0.06, 0.15, "+.3f")
    expect("learned by heart, p = 0", mean[0.0][1], 0.97, 1.0, ".2f")
    expect("learned by heart, p = 0.8", mean[0.8][1], 0.05, 0.5, ".2f")
    expect("right labels: gain of p = 0.5", np.mean(clean[0.5]) - np.mean(clean[0.0]), -0.015, 0.02, "+.3f")

# %% [markdown]
# With wrong labels dropout gains; with right ones, on data as easy as these, next to nothing, in spite of "dropout prevents overfitting". Where nothing false is to be learned, there is little to prevent.

# %% [markdown]
# The right picture does not fit the usual story either. At p = ½ the net gains four points on average, and *still* knows nearly every wrong label by heart: it did not refuse to learn them, it learned them in a way that does less harm to the others. At p = 0.8 it refuses three quarters of them, and gains, over a dozen seeds, no more than at ½ (on some seeds it loses): so much noise hinders the right labels as well. Remembering less is not the same as generalising better; only held-out digits can tell you which p is best.

# %% [markdown]
# ### How sure is it? (bonus)
#
# Leave dropout **on** in evaluation, ask the same net a hundred times, and you get a hundred answers. Their mean is a prediction; their scatter says how far the net's opinion hangs on single units (Gal & Ghahramani 2016).

# %% exercise="mc_dropout_predict"

# %% check="mc_dropout_predict"

# %%
@experiment("mc_dropout_predict", "dropout", "dropout_backward")
def doubtful_digits():
    _, _, (W1, b1, W2, b2) = train_digits(0.5, wrong=0.0)
    parts = data.split(*data.digits(), 200, rng=np.random.default_rng(0))
    x, y = parts.x_test[:600], parts.y_test[:600]
    model = lambda x, rng: softmax(affine(dropout(relu(affine(x, W1, b1)), 0.5, training=True, rng=rng)[0], W2, b2))
    mean, deviation = mc_dropout_predict(model, x, 60, rng=np.random.default_rng(1))
    scatter, right = deviation[np.arange(len(x)), mean.argmax(axis=1)], mean.argmax(axis=1) == y
    worst = np.argsort(-scatter)[:5]
    fig, axes = plots.figure(5, width=1.5, height=1.8)
    plots.images(axes, x[worst].reshape(-1, 8, 8), [f"{mean[i].argmax()}? (it is {y[i]})" for i in worst])
    plots.show(fig, "The five test digits on which the passes disagree most: faint, broken or between two classes; most of them are classified wrongly.")
    expect("scatter on wrongly classified digits over scatter on right ones", scatter[~right].mean() / scatter[right].mean(), 1.3, 5)

# %% [markdown]
# The net is more divided where it is wrong, and that is useful: such digits can be handed to a person. But it is no certificate. The scatter depends on p, which *you* chose; a net that is wrong for a reason that all its units share will be wrong unanimously.

# %% [markdown]
# ## 7. The same in PyTorch
#
# `torch.nn.functional.dropout` has our conventions: p drops, what is kept is rescaled. Its draws are its own, so compare what is not random: recover its mask, hand it to your backward pass.

# %%
import torch


@experiment("dropout_backward")
def against_pytorch():
    torch.manual_seed(0)
    x = torch.rand(200, 50, dtype=torch.float64) + 1  # no zeros, so that y / x is the mask
    x.requires_grad_()
    dy = torch.randn(200, 50, dtype=torch.float64)
    y = torch.nn.functional.dropout(x, 0.7, training=True)
    (y * dy).sum().backward()
    mask = (y / x).detach().numpy()
    print("values of PyTorch's mask:", sorted({round(float(v), 9) for v in mask.ravel()}))
    print("gradient: largest difference below 1e-14:", bool(np.abs(dropout_backward(dy.numpy(), mask) - x.grad.numpy()).max() < 1e-14))
    expect("share of zeros", (mask == 0).mean(), 0.67, 0.73)

# %% [markdown]
# The switch between training and evaluation is `model.train()` and `model.eval()`, one call far away from the layer. Forgetting it is the commonest dropout bug of all: the test accuracy is a little low, and different each time.
#
# Now a whole layer, with tensors. So that it can be compared number by number, the uniform numbers `u` are drawn by the caller.

# %% exercise="dropout_layer_in_torch"

# %% check="dropout_layer_in_torch"

# %% [markdown]
# ## 8. In your own words
#
# A classmate trains a linear regression with dropout on its inputs, p = ½. From the first epoch to the last, the training loss lies clearly **above** the validation loss. *"Impossible. The validation set must have leaked into training."* Explain with the closed form of section 5 what each of the two numbers contains, how large the gap is (with symbols), and why it does not vanish when training has ended. Then name one computation that would tell dropout from a leak. (Six sentences.)

# %% [markdown] written="training_loss_above_validation"
# The training loss is computed with dropout on. Its expectation is mean ½(x_i·w − y_i)² plus the penalty ½ p/(1−p) mean_i Σ_j w_j² x_ij², the variance of the prediction over the masks. The validation loss is computed with dropout off: it has the first kind of term only, on other examples. So the gap is about ½ p/(1−p) Σ_j w_j² mean_i x_ij² (½ Σ_j w_j² mean_i x_ij² for p = ½), less whatever the model fits its training examples better than new ones. It does not vanish, because the variance is there for any w ≠ 0: at the minimum the penalty's gradient balances that of the first term, but neither is 0. Test: compute the training loss once more with training=False. If it falls below (or to) the validation loss, dropout was the reason; if it still lies above, the two sets differ or something has leaked.
#
# Rubric:
# - **full** training loss = data term + variance of the prediction, validation loss without it; the penalty with p/(1−p), w² and x²; nonzero for any w ≠ 0; training loss evaluated with dropout off as the test
# - **half** says that dropout is on in one and off in the other, and either the penalty in symbols or the right test is missing
# - **none** only "dropout makes training harder", or accepts the leak

# %% [markdown]
# ## Recap
#
# 1. Inverted dropout: p drops, what is kept is divided by 1 − p, evaluation does nothing. The mean stays.
# 2. The variance is p/(1−p) x²: dropout turns the size of a signal into noise.
# 3. Backward multiplies by the forward's own mask; a fresh one would undo the regularisation.
# 4. For a linear model dropout is, in expectation, ½ p/(1−p) mean Σ w²x²: ridge that does not depend on the inputs' units.
# 5. It hinders learning by heart. With wrong labels that is worth much, on clean and easy data next to nothing.
#
# **The recap question.** The mean wants the factor 1/(1−p); the mean square wants 1/√(1−p), as He's initialisation does with its 2. Dropout chose the mean, and pays: the mean square grows by 1/(1−p). That growth *is* the variance you derived.
#
# **To read:** Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting* (there p keeps); Wager, Wang & Liang 2013, *Dropout Training as Adaptive Regularization*; for the bonus Gal & Ghahramani 2016, *Dropout as a Bayesian Approximation*.
