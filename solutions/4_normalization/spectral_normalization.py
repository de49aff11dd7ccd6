# %% [markdown]
# # Spectral normalisation
#
# **You will be able to** say how far a layer, a net and a residual block can pull two inputs apart; find a matrix's largest singular value with products alone, and differentiate it; train a net whose layers stretch nothing, and say what such a net does and does not promise.
#
# **Time** about two hours · **Needs** the chain rule, *vanishing gradients*, *residual connections* · **Symbols** W (D, M), used as x @ W; W′ its transpose; σ(W) its largest singular value (σ is neither activation nor deviation here), u (D,) and v (M,) its singular vectors; |·| Euclidean length. The slides write Wh where we write xW: σ is the same for W and W′.
#
# **Recap question.** In *vanishing gradients* one layer multiplied the squared length of δ by a factor *on average* that you computed from the variance of its weights. How much worse than the average can it get, and for which δ? Keep your answer.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.basics import affine, affine_backward, relu
from class4lib.check import check, hint
from class4lib.depth_vs_width import relu_network
from class4lib.experiments import expect, experiment
from class4lib.network import Block, Stack, activated, layer_params, objective, relu_block
from class4lib.softmax_cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. A theorem, broken
#
# The slides say that dividing every W by its spectral norm "constrains the Lipschitz constant" L in $\|f(x_1) - f(x_2)\| \le L \|x_1 - x_2\|$. A student builds on it. The block of her net has two matrices and a ReLU in between; each matrix stretches no vector by more than 0.7. So the block can pull no two inputs further apart than 0.7 · 0.7 = 0.49 of what they were.
#
# She tries a few thousand pairs of inputs, to be sure. The worst pair comes out **1.2 times** as far apart as it went in. Both norms are right, the arithmetic is right, the code is right: a block from *residual connections*, with the matrices put in.
#
# **Predict before you read on.** With both norms at 0.7, how far could the block stretch a distance in the worst case? Write the number down.

# %%
my_prediction = None  # a number: the largest possible stretch of the block

# %% [markdown]
# ## 2. How far can a matrix stretch?
#
# $$\sigma(W) = \max_{|h| = 1} |W h|$$
#
# Every matrix is $W = U \Sigma V^\top$: a rotation (or reflection), then a stretch along the axes, then another rotation. Rotations change no length. Watch a circle go through a matrix, and note where the stretch is largest:

# %%
angle = np.linspace(0, 2 * np.pi, 361)
circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
shear = np.array([[1.0, 0.0], [1.5, 0.6]])
image = circle @ shear
fig, ax = plots.figure(width=5.2, height=4)
ax.plot(*circle.T, color="0.6", linewidth=1.2)
ax.plot(*image.T, color=plots.COLOURS[0], linewidth=1.8)
far = np.linalg.norm(image, axis=1).argmax()
ax.annotate("", image[far], xytext=(0, 0), arrowprops={"arrowstyle": "->", "color": plots.COLOURS[1]})
ax.annotate("", circle[far], xytext=(0, 0), arrowprops={"arrowstyle": "->", "color": "0.4"})
for text, at in (("x, length 1", circle[far] + [-0.75, 0.08]), (f"x @ W, length {np.linalg.norm(image[far]):.2f}", image[far] + [-0.9, 0.16])):
    ax.annotate(text, at, fontsize=9)
ax.set(aspect="equal", xlim=(-2.2, 2.4), ylim=(-1.3, 1.3))
plots.show(fig, "A grey unit circle and its image, a flat tilted ellipse. The vector that is stretched most has length 1 before and about 1.87 after: the ellipse's long half axis. It points between the axes, and its image points elsewhere.")

# %% [markdown]
# The long half axis of the ellipse is what we are after. Two other numbers are often taken for it, and for some matrices they agree with it. **Predict** all three for the shift [[0, 1], [0, 0]] and for the identity of size 9: largest stretch; largest |eigenvalue|; root of the sum of all squared entries.

# %% exercise="spectral_norm_svd"

# %% check="spectral_norm_svd"

# %%
@experiment("spectral_norm_svd")
def three_numbers():
    rng = np.random.default_rng(0)
    matrices = {"shift [[0, 1], [0, 0]]": np.array([[0.0, 1.0], [0.0, 0.0]]), "identity of size 9": np.eye(9), "64 x 64, normal / 8": rng.normal(size=(64, 64)) / 8}
    for name, W in matrices.items():
        radius = np.abs(np.linalg.eigvals(W)).max()
        print(f"{name:24} largest stretch {spectral_norm_svd(W):.2f}   |eigenvalue| {radius:.2f}   root of sum of squares {np.linalg.norm(W):.2f}")

# %% [markdown]
# An eigenvalue speaks of a vector that comes back along itself; the shift has none but 0, and loses nothing of (1, 0) on its first use. The sum of squares adds up all directions; the identity stretches none of nine and is charged for nine. The random matrix keeps a vector's length *on average* and doubles it at worst.

# %% [markdown]
# ## 3. Without an SVD
#
# A net's matrices change with every step, and a decomposition after every step is expensive: O(D²M). A product W′u costs O(DM). Take any u, send it over to the columns' side and back, again and again. Along the k-th singular pair, what does a trip there and back multiply u's component by? Which component will be left, if you bring u back to length 1 each time?
#
# One **step** is: v from u, brought to length 1; then u from v, brought to length 1.

# %% exercise="power_iteration"

# %% check="power_iteration"

# %% [markdown]
# How fast? Only the second singular value matters. With $r = \sigma_2/\sigma_1$, one step multiplies the unwanted part of u by r². **Predict**: by what factor does the error of *σ* fall per step? (u'Wv is largest at the right vectors. What does a function look like near its maximum?) And how good is σ after 10 steps for r = ½, 0.9 and 0.99?
#
# The spectrum below is 1, r, r², … with 30 values; the lines are the median of 20 random starts.

# %%
@experiment("power_iteration")
def convergence():
    rng, curves = np.random.default_rng(0), {}
    for r in (0.5, 0.9, 0.99):
        U, V = (np.linalg.qr(rng.normal(size=(30, 30)))[0] for _ in range(2))
        W, errors = U * r ** np.arange(30) @ V.T, np.zeros((20, 30))
        for start in range(20):
            u = rng.normal(size=30)
            for step in range(30):
                sigma, u, _ = power_iteration(W, 1, u=u)
                errors[start, step] = max(1 - sigma, 1e-16)
        curves[f"r = {r:g}"] = np.median(errors, axis=0)
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.arange(1, 31), curves, log="y", xlabel="steps", ylabel="relative error of σ")
    plots.show(fig, "Relative error of sigma against steps, logarithmic. For r = 0.5 a steep straight line down to rounding, 1e-16, after 13 steps; for r = 0.9 a slower fall to about 1e-6 at 30; for r = 0.99 a curve that flattens near 0.01.")
    expect("error after 10 steps, r = 0.5", curves["r = 0.5"][9], 1e-13, 1e-9, ".0e")
    expect("error after 10 steps, r = 0.9", curves["r = 0.9"][9], 1e-4, 5e-3, ".0e")
    expect("error after 10 steps, r = 0.99", curves["r = 0.99"][9], 2e-3, 4e-2, ".0e")
    expect("factor a step near step 8, r = 0.5 (r⁴ = 0.0625)", (curves["r = 0.5"][8] / curves["r = 0.5"][5]) ** (1 / 3), 0.05, 0.08)

# %% [markdown]
# A maximum is flat: vectors that are off by ε give a σ that is off by about ε², so σ's error falls by r⁴. Where the gap is small, many singular values are nearly the largest, and it hardly matters which of them u has found: the error is 2 % after ten steps although the *vectors* are still far off. And note the side: 1 − σ is never negative. The estimate is always **below** the truth.

# %% [markdown]
# ## 4. The gradient of a largest stretch
#
# Training goes through W/σ(W), so we need how σ answers when an entry of W moves. Write $\sigma = u^\top W v$ with $|u| = |v| = 1$, $Wv = \sigma u$, $W^\top u = \sigma v$. If W moves by dW, u and v turn a little too:
#
# $$d\sigma = du^\top W v + u^\top dW\, v + u^\top W\, dv$$
#
# Put $Wv = \sigma u$ into the first term and $u^\top W = \sigma v^\top$ into the last. Then use that u stays of length 1: differentiate $u^\top u = 1$. Two terms go. Read off what multiplies $dW_{ij}$ in the one that is left.

# %% exercise="spectral_norm_grad"

# %% check="spectral_norm_grad"

# %% [markdown]
# Is it true that the turning of u and v does not matter? Move each entry a little and recompute σ from nothing:

# %%
@experiment("spectral_norm_svd", "spectral_norm_grad")
def slope_by_hand():
    W, h = np.random.default_rng(0).normal(size=(3, 2)), 1e-6
    measured = np.zeros((3, 2))
    for entry in np.ndindex(3, 2):
        step = np.zeros((3, 2))
        step[entry] = h
        measured[entry] = (spectral_norm_svd(W + step) - spectral_norm_svd(W - step)) / (2 * h)
    print("measured    ", measured.round(5).tolist())
    print("your formula", spectral_norm_grad(W).round(5).tolist())

# %% [markdown]
# (Where the two largest singular values are equal there is no gradient: σ has an edge there, like |x| at 0. Random weights never sit on it.)
#
# ## 5. Dividing by it
#
# Spectral normalisation (Miyato, Kataoka, Koyama and Yoshida 2018) uses W/σ(W) in place of W, *also where σ is below 1*: no cap, a division. Only W = 0 stays as it is.

# %% exercise="spectral_normalize"

# %% check="spectral_normalize"

# %% [markdown]
# Now backward. $y = W / \sigma(W)$ has W above the line and below it. Given $dy = \partial L/\partial y$, use the quotient rule for $\partial y_{ij} / \partial W_{kl}$, then multiply by $dy_{ij}$ and sum over i and j. One number, a sum over all entries, will stand in front of the gradient of σ.
#
# **Before you run the check**: multiply W by 10. What happens to y? So what must the gradient's part along W be?

# %% exercise="spectral_normalize_backward"

# %% check="spectral_normalize_backward"

# %%
@experiment("spectral_normalize_backward")
def scale_does_not_matter():
    rng = np.random.default_rng(0)
    W, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    dW = spectral_normalize_backward(dy, W)
    print(f"part of the gradient along W is 0: {bool(abs((dW * W).sum()) < 1e-12)}")
    print(f"W times 10, gradient divided by {np.linalg.norm(dW) / np.linalg.norm(spectral_normalize_backward(dy, 10 * W)):.6f}")

# %% [markdown]
# A gradient at a right angle to W can only make W longer, step by step; and the longer W is, the smaller the gradient. You will meet both facts again with batch norm.

# %% [markdown]
# ## 6. From a layer to a net
#
# How far apart can a plain ReLU net carry two inputs? Follow the *difference* of two signals through one layer: what does the bias do to it? what can the matrix do at most? what does ReLU do to the distance of two numbers? Then through all layers.

# %% exercise="lipschitz_upper_bound"

# %% check="lipschitz_upper_bound"

# %% [markdown]
# This is a bound from above: *no pair* is worse. From below, one only has to look: *this pair* is at least so bad. The truth lies in between.

# %% exercise="empirical_lipschitz"

# %% check="empirical_lipschitz"

# %% [markdown]
# Between the two there is a third number for ReLU nets. Near a point the net is affine: its slope there is the matrix W₁ A₁ W₂ A₂ W₃, where A keeps the units that are on. Its σ is the exact stretch at that point.

# %%
def steepest_slope(weights, biases, x):
    """Largest exact spectral norm of the net's Jacobian over the rows of x."""
    J = np.broadcast_to(weights[0], (len(x), *weights[0].shape))
    for W, b, following in zip(weights[:-1], biases[:-1], weights[1:], strict=True):
        z = affine(x, W, b)
        J, x = (J * (z > 0)[:, None, :]) @ following, relu(z)
    return float(np.linalg.norm(J, 2, axis=(1, 2)).max())


# %% [markdown]
# ## 7. A net that stretches nothing
#
# Two nets, 64–64–64–10, on 600 digits: one plain, one with your W/σ(W) in every layer. σ is estimated by **one** power step per training batch, from the u of the batch before. (W has hardly moved since: u is nearly right already.) Logits of a net with L = 1 hardly differ, so while it trains they are multiplied by 5: a temperature, as in *softmax and cross-entropy*. Twenty epochs with large steps, then ten with small ones.

# %%
class SpectralAffine:
    """An affine layer whose W is divided by power iteration's estimate of sigma: one step a batch, u is kept."""

    def __init__(self, W, rng):
        self.sigma, self.u, _ = power_iteration(W, 15, rng=rng)

    def forward(self, x, W, b):
        self.sigma, self.u, _ = power_iteration(W, 1, u=self.u)
        return affine(x, W / self.sigma, b)

    def backward(self, dy, x, W, b):
        dx, dW, db = affine_backward(dy, x, W / self.sigma)
        return dx, spectral_normalize_backward(dW, W), db


# %%
x_digits, y_digits = data.digits()
parts = data.split(x_digits, y_digits, 600, rng=np.random.default_rng(0))


def trained_net(spectral, seed=0):
    """Weights as they are USED (divided by the estimate), after the large and after the small steps, and the biases."""
    rng, scale, used = np.random.default_rng(seed), 5.0 if spectral else 1.0, []
    params = [layer_params(n_in, n_out, "he", rng=rng) for n_in, n_out in ((64, 64), (64, 64), (64, 10))]
    layers = [SpectralAffine(W, rng) for W, _ in params]
    pairs = [(layer.forward, layer.backward) if spectral else activated("linear") for layer in layers]
    blocks = [block for pair, p in zip(pairs, params, strict=True) for block in (Block(*pair, p), relu_block())]
    net = Stack(blocks[:-1])
    goal = objective(net, lambda z, y: softmax_cross_entropy(scale * z, y), lambda z, y: scale * softmax_cross_entropy_grad(scale * z, y))
    for lr, n_epochs in ((0.3, 20), (0.03, 10)):
        fit(net.params, goal, parts.x_train, parts.y_train, lr=lr, n_epochs=n_epochs, batch_size=32, rng=np.random.default_rng(seed + 1))
        used.append([W / layer.sigma if spectral else W.copy() for (W, _), layer in zip(params, layers, strict=True)])
    return used[1], [b for _, b in params], used[0]


# %% [markdown]
# **Predict** for both nets: the product bound; the steepest slope on the test digits; the largest quotient of two test digits. Which will be near which?

# %%
@experiment("power_iteration", "spectral_normalize_backward", "lipschitz_upper_bound", "empirical_lipschitz")
def three_measures():
    nets, values = {}, {}
    for name in ("plain", "spectral"):
        weights, biases, early = nets[name] = trained_net(name == "spectral")
        some = parts.x_test[:400]
        values[f"{name}: product bound"] = lipschitz_upper_bound(weights)
        values[f"{name}: steepest slope"] = steepest_slope(weights, biases, some)
        values[f"{name}: largest quotient"] = empirical_lipschitz(lambda x, w=weights, b=biases: relu_network(x, w, b), some)
    fig, ax = plots.figure(width=6)
    plots.bars(ax, values, log=True, xlabel="how much further apart two digits can come", form=".2f")
    plots.show(fig, "Bars on a logarithmic axis. Plain net: product bound about 37, steepest slope about 24, largest quotient about 14. Spectral net: 1.00, 0.99 and about 0.88.")
    for (name, value), (low, high) in zip(values.items(), ((25, 50), (16, 34), (10, 20), (0.99, 1.03), (0.9, 1.02), (0.75, 0.98)), strict=True):
        expect(name, value, low, high)
    expect("spectral: product bound after the LARGE steps", lipschitz_upper_bound(early), 1.002, 1.3, ".4g")
    return nets

# %% [markdown]
# Why was the bound not 1 after the large steps? You know the side on which power iteration errs: its σ is too small, so W/σ is a little too large, in each of three layers; and with one step per batch it runs after a W that moves. When the steps become small it catches up.
#
# The spectral net uses up its budget: its steepest slope all but reaches the bound. In the plain net the three measures lie far apart: the directions that one layer stretches most are not those that the next one does.
#
# ## 8. Is it robust?
#
# Add normal noise to the test pixels. The plain net can amplify it 20 times more than the spectral one. **Predict**: how much better is the spectral net, in accuracy, at a noise of 0.4?

# %%
@experiment("power_iteration", "spectral_normalize_backward", "lipschitz_upper_bound", "empirical_lipschitz")
def under_noise():
    noises, shift = np.linspace(0, 0.6, 7), np.random.default_rng(100).normal(size=parts.x_test.shape)
    share = {}
    for name, (weights, biases, _) in three_measures.items():
        share[name] = np.array([accuracy(relu_network(parts.x_test + s * shift, weights, biases), parts.y_test) for s in noises])
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, noises, share, xlabel="deviation of the noise (pixels are 0 to 1)", ylabel="test accuracy")
    plots.show(fig, "Test accuracy against noise from 0 to 0.6. Without noise plain is slightly ahead, 0.97 against 0.96; the lines cross near 0.2, and at 0.4 spectral is 0.09 ahead, 0.80 against 0.71. Both fall all the way.")
    expect("plain, no noise", share["plain"][0], 0.94, 0.985)
    expect("spectral, no noise", share["spectral"][0], 0.93, 0.975)
    expect("spectral minus plain, noise 0.4", share["spectral"][4] - share["plain"][4], 0.01, 0.14, "+.2f")

# %% [markdown]
# A bound some 35 times smaller buys four to nine digits in a hundred (with other seeds too), and costs one or two of the clean ones. That is not the story one reads. To see why, do to the *plain* net after training what spectral normalisation does: divide each W by its σ (and each bias by all σ up to its layer). **Predict**: what is its product bound now? And which of its decisions change?

# %%
@experiment("power_iteration", "spectral_normalize_backward", "spectral_normalize", "spectral_norm_svd", "lipschitz_upper_bound", "empirical_lipschitz")
def only_rescaled():
    weights, biases, _ = three_measures["plain"]
    factors = np.cumprod([spectral_norm_svd(W) for W in weights])
    scaled = [spectral_normalize(W) for W in weights], [b / f for b, f in zip(biases, factors, strict=True)]
    noisy = parts.x_test + 0.4 * np.random.default_rng(100).normal(size=parts.x_test.shape)
    before, after = relu_network(noisy, weights, biases), relu_network(noisy, *scaled)
    print(f"product bound {lipschitz_upper_bound(scaled[0]):.6f}, same decision on all noisy digits: {bool((before.argmax(axis=1) == after.argmax(axis=1)).all())}")

# %% [markdown]
# The bound is 1, and nothing has changed: ReLU lets a positive factor through, and dividing all logits by one number leaves their order. Noise moves the outputs 37 times less; but the outputs of two digits are 37 times nearer, too. A Lipschitz constant alone promises nothing. What counts is the **margin**, the distance from the best logit to the second, in units of L.
#
# The difference of two logits moves by at most √2 L times the change of the input. (Why √2? It is the length of the vector with 1 and −1.) So a decision with margin m survives *every* change of the input shorter than m/(√2 L). This is a certificate, and here spectral normalisation shows what it is worth:

# %%
@experiment("power_iteration", "spectral_normalize_backward", "lipschitz_upper_bound", "empirical_lipschitz")
def certified():
    radii, share = np.linspace(0, 1, 51), {}
    for name, (weights, biases, _) in three_measures.items():
        z = relu_network(parts.x_test, weights, biases)
        right, ordered = z.argmax(axis=1) == parts.y_test, np.sort(z, axis=1)
        radius = (ordered[:, -1] - ordered[:, -2]) / (np.sqrt(2) * lipschitz_upper_bound(weights))
        share[name] = np.array([(right & (radius > r)).mean() for r in radii])
        expect(f"{name}: median certified radius", np.median(radius), *{"plain": (0.11, 0.2), "spectral": (0.38, 0.54)}[name])
    fig, ax = plots.figure(width=5.4)
    plots.lines(ax, radii, share, xlabel="length of ANY change of the input", ylabel="right, whatever the change")
    plots.show(fig, "Share of test digits that stay right under every change up to a given length. The plain net falls from 0.97 to 0 at a length of 0.27; the spectral net falls more slowly, holds nearly half of the digits at 0.5, and none beyond 0.9.")

# %% [markdown]
# The guarantee reaches three times as far: the spectral net has learnt larger margins *per unit of L*, which no rescaling gives. Keep the scale in mind, though: noise of 0.4 on each of 64 pixels has length 3.2, far outside of both certificates, and most decisions survive it. A random direction is nowhere near the worst. The promise is about the worst case, and that is what it should be bought for. (Miyato and colleagues bought it for something else: the critic of a GAN must not be too steep, or its partner learns nothing.)

# %% [markdown]
# ## 9. The puzzle, solved
#
# The block of section 1 is $f(x) = x + \mathrm{relu}(xW_1)W_2$. The product bound followed the difference of two signals through one layer after the other. Here it takes **two paths at once**. Write $f(a) - f(b)$ as a sum of two differences, bound each, and remember how the length of a sum relates to the lengths of its parts.

# %% exercise="residual_lipschitz_bound"

# %% check="residual_lipschitz_bound"

# %%
@experiment("spectral_normalize", "lipschitz_upper_bound", "empirical_lipschitz", "residual_lipschitz_bound")
def the_block():
    rng, worst = np.random.default_rng(0), []
    for _ in range(20):
        W1, W2 = (0.7 * spectral_normalize(rng.normal(size=shape)) for shape in ((6, 12), (12, 6)))
        x = rng.normal(size=(100, 6))
        worst.append(empirical_lipschitz(lambda x, W1=W1, W2=W2: x + relu(x @ W1) @ W2, x))
    fig, ax = plots.figure(width=6, height=2.2)
    plots.dots(ax, {"worst pair found": worst, "product": [lipschitz_upper_bound([W1, W2])], "your bound": [residual_lipschitz_bound(W1, W2)]}, xlabel="how much further apart")
    plots.show(fig, "Three rows of dots. Worst pairs of twenty random blocks between about 1.1 and 1.3; the product bound at 0.49, left of all of them; the residual bound at 1.49, right of all of them.")
    print(f"product {lipschitz_upper_bound([W1, W2]):.2f}, your bound {residual_lipschitz_bound(W1, W2):.2f}, your prediction {my_prediction}")
    expect("worst pair of all blocks", max(worst), 1.1, 1.45)

# %% [markdown]
# The theorem was not broken; it is about nets without skip connections. Even with W = 0 the block keeps every distance: no residual block of this kind comes below 1 by shrinking its weights. Thirty such blocks with norms of 1 may stretch by 2³⁰. Whoever wants a residual net with L = 1 has to scale the branch, or the sum.

# %% [markdown]
# ## 10. The same in PyTorch
#
# `torch.nn.utils.parametrizations.spectral_norm` keeps u and v and does one power step per training forward. Its weight is (out, in), our W′, so *its* v is our u. The same start, the same step:

# %%
import torch


@experiment("power_iteration", "spectral_normalize_backward")
def against_pytorch():
    torch.manual_seed(0)
    layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 3, bias=False, dtype=torch.float64))
    state, rng = layer.parametrizations.weight[0], np.random.default_rng(0)
    W, start, dy = layer.parametrizations.weight.original.detach().numpy().T, rng.normal(size=4), rng.normal(size=(4, 3))
    state._v.copy_(torch.tensor(start / np.linalg.norm(start)))
    sigma, u, v = power_iteration(W, 1, u=start)
    print(f"weight after one step: largest difference below 1e-12: {bool(np.abs(layer.weight.detach().numpy().T - W / sigma).max() < 1e-12)}")
    for steps in (0, 9, 29):
        state._v.copy_(torch.tensor(power_iteration(W, steps, u=start)[1] if steps else start / np.linalg.norm(start)))
        layer.zero_grad()
        (layer.weight.T * torch.tensor(dy)).sum().backward()
        gap = np.abs(layer.parametrizations.weight.original.grad.numpy().T - spectral_normalize_backward(dy, W)).max()
        print(f"gradient, {steps + 1:2} steps from the start: differs from yours by {gap:.0e}")

# %% [markdown]
# The forward agrees at once; the gradient only as u and v converge. PyTorch holds the u and v of its step fixed and differentiates u′Wv, which is the gradient of σ exactly where they are the singular vectors. Now write that layer: one step from a given u, singular vectors as constants, σ not.

# %% exercise="spectral_linear_in_torch"

# %% check="spectral_linear_in_torch"

# %% [markdown]
# ## 11. In your own words
#
# A vendor's data sheet: *"All 34 layers of our residual network are spectrally normalised. Its Lipschitz constant is therefore 1, and it is robust; an ordinary network's is in the hundreds."* Say (a) what is wrong with "therefore 1", with the right bound for one block whose branch has two normalised layers; (b) how one can give *any* plain ReLU net a bound of 1 without changing a single decision; (c) which number, with its formula, you would ask the vendor for instead, and why it is not changed by (b). (Six sentences.)

# %% [markdown] written="what_the_bound_promises"
# (a) The product bound holds for layers one after another; in a block x + F(x) two paths add, so the block's bound is 1 + σ(W₁)σ(W₂) = 2 here, and 17 blocks of two layers may stretch by 2¹⁷. (b) Divide each W by its σ and each bias by the product of all σ up to its layer: because relu(cz) = c·relu(z) for c > 0, all logits are divided by the same number, so their order, and every decision, stays, also under noise. (c) I would ask for the margin in units of the bound: m/(√2 L), m being the best logit minus the second; every change of the input shorter than that leaves the decision, since a difference of two logits moves by at most √2 L |δ|. Dividing all logits by a number divides m and L alike, so the quotient stays.
#
# Rubric:
# - **full** 1 + σσ = 2 for the block with the reason (two paths add); the rescaling with ReLU's positive factor; margin over L with a formula (the √2 may be missing) and why it does not change
# - **half** two of the three parts right, or all three named without a reason
# - **none** only "the bound is not tight", or robustness judged by L alone

# %% [markdown]
# ## Recap
#
# 1. σ(W) is the longest image of a vector of length 1: no eigenvalue, no sum over directions.
# 2. Power iteration finds it with products alone; its error falls by (σ₂/σ₁)⁴ a step, and its estimate is never above σ.
# 3. dσ/dW = u v′; through W/σ the gradient loses its part along W, for the scale of W does not matter.
# 4. Layers in a row multiply: Π σ(W_l). Paths side by side add: 1 + σ(W₁)σ(W₂).
# 5. A small L alone promises nothing; a margin divided by L does, against the worst case.
#
# **The recap question.** The average over all directions is what the Frobenius norm measures, |W|_F² divided by their number. The worst is σ(W)², attained by δ along v: at most as many times the average as there are directions, and for a square random matrix about four times.
#
# **To read:** Miyato, Kataoka, Koyama and Yoshida 2018, *Spectral Normalization for Generative Adversarial Networks*; for certificates Tsuzuku, Sato and Sugiyama 2018, *Lipschitz-Margin Training*; for residual nets Gouk, Frank, Pfahringer and Cree 2021, *Regularisation of Neural Networks by Enforcing Lipschitz Continuity*.
