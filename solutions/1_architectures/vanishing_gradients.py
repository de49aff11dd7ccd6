# %% [markdown]
# # Vanishing and exploding gradients
#
# **You will be able to** send a gradient back through any number of layers, predict from three numbers whether it will arrive, and choose initial weights so that it does. You will also know what a healthy gradient does *not* promise.
#
# **Time** about an hour and a quarter, ten minutes more with the bonus · **Needs** the chain rule, matrix products, *depth and width* · **Symbols** z pre-activations, a = σ(z) outputs; σ is any activation here, and "sigmoid" is written out; δ = ∂L/∂z of a layer (on other slides δ is the threshold of Huber's loss). The slides write `WA` and `AW` in turn; here examples are rows, and it is always `x @ W`.
#
# **Recap question.** In *depth and width* you built a sawtooth: ten layers of two units, 1024 straight pieces between 0 and 1. How steep is each piece? Write the number down, and how it comes about layer by layer. At the end it turns out to be the other half of today's topic.

# %% setup=true
import numpy as np

from class4lib import data, network, plots
from class4lib.basics import relu, sigmoid
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.softmax_cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. A zero without zeros
#
# Somebody builds a classifier of digits: fifty layers of 64 sigmoid units, sensible initial weights, 32-bit numbers as is usual. It does not learn. So she prints the norm of every layer's gradient:
#
#     layer 50:  1.3          layer 30:  5.1e-13          layer 10:  0.0
#     layer 40:  8.7e-07      layer 20:  2.0e-19          layer  2:  0.0
#
# *"The gradient has underflowed,"* says a friend. *"From layer 10 down every entry is 0. Take 64-bit numbers, and it will train."* The smallest positive number of 32 bits is about 1.4e-45.
#
# **Predict before you read on.** Layer 2 has 64 × 64 weights. In how many of these 4096 places is its gradient exactly 0? And is the friend's remedy one?

# %%
my_prediction = None  # a number from 0 to 4096

# %% [markdown]
# ## 2. One step back
#
# A deep net repeats one move, $z^{l} = a^{l-1} W^{l} + b^{l}$ and $a^{l} = \sigma(z^{l})$. The slides write the gradient of the first weights as
#
# $$\frac{\partial L}{\partial W^{(1)}} = \frac{\partial L}{\partial A^{(L)}} \prod_{l=2}^{L} W^{(l)}\, \sigma'(Z^{(l-1)})$$
#
# The idea is right: a product, one factor for each layer. As a formula it cannot be. Matrices do not commute, so the order has to be said; try shapes, and you will see that some of them stand the wrong way round; and the data $x$, without which no gradient of $W^{(1)}$ exists, do not occur.
#
# So derive it, one layer at a time. Let $\delta^{l} = \partial L / \partial z^{l}$, one row per example. Suppose someone has already found $\delta^{l+1}$. Two links lead from there to $\delta^{l}$:
#
# 1. from $z^{l+1}$ back to $a^{l}$. **One unit** $a_d$ feeds *all* M units of the next layer, so M paths lead back to it. Write the sum with indices;
# 2. from $a^{l}$ back to $z^{l}$. Here every unit is alone with its slope $\sigma'(z_d)$.
#
# Only then turn the indices into matrices.

# %% exercise="delta_recursion"

# %% check="delta_recursion"

# %% [markdown]
# ## 3. All the way
#
# The recursion needs every layer's z, so first comes a forward pass. The last layer is linear: what follows it is the loss's business.

# %% exercise="mlp_forward"

# %% check="mlp_forward"

# %% [markdown]
# Now walk back. At each layer, δ pays out two gradients before it moves on. Ask of each parameter *where it acts*: the weight from d to m multiplies what unit d sends, in every example; the bias of m is added once, in every example. Hence two sums over the batch. (If the loss is a mean over N, its 1/N is in `dy` and comes along by itself.)
#
# Three decisions before you write:
#
# - Where does δ start, given that the last layer is linear?
# - The slopes belong to z. All three can also be written with a alone, which you have at hand, and then nothing overflows at |z| = 1000. Find these forms on paper. (σ′ *applied to* a is something else, and the commonest mistake of this topic. ReLU forgives it; the others do not.)
# - ReLU has no slope at exactly 0. The docstring chooses one.

# %% exercise="mlp_backward"

# %% check="mlp_backward"

# %% [markdown]
# Never believe a gradient that you have not shaken. Move one weight of the first of four layers, and see what the loss does:

# %%
@experiment("mlp_forward", "mlp_backward")
def shake_one_weight():
    rng, h = np.random.default_rng(0), 1e-5
    params = network.mlp_params([3, 4, 5, 4, 2], "xavier", rng=rng)
    weights, biases = params[0::2], params[1::2]
    x, dy = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))  # the loss is sum(dy * y)
    for activation in ("sigmoid", "tanh"):
        losses = []
        for step in (h, -h):
            moved = weights[0].copy()
            moved[1, 2] += step
            losses.append(np.sum(dy * mlp_forward(x, [moved, *weights[1:]], biases, activation)))
        formula = mlp_backward(dy, x, weights, biases, activation)[1][0][1, 2]
        print(f"{activation:8} measured {(losses[0] - losses[1]) / (2 * h):+.6f}, your formula {formula:+.6f}")

# %% [markdown]
# To see where a gradient fades, one number a layer is enough. (Bonus: below, the experiments do it themselves.)

# %% exercise="layer_gradient_norms"

# %% check="layer_gradient_norms"

# %% [markdown]
# ## 4. Six nets of fifty layers
#
# Real digits, 8 × 8 = 64 pixels; 49 hidden layers of 64 units, 10 outputs, cross-entropy; nothing is trained. Only the activation and the size of the initial weights differ. *Xavier*, *He* and *PyTorch's default* are recipes for that size, which section 6 explains; "2 × He" has every weight doubled.
#
# **Predict**: for which of the six does the gradient reach the first layer at about the size it has at the last? And an argument to keep in mind while you look, for it stands in many books: *"the sigmoid's slope is at most ¼, so after 50 layers no more than $4^{-50} \approx 10^{-30}$ is left."*

# %%
def deep_net(scheme, gain=1.0, depth=50, width=64, seed=0):
    """Weights and biases of a net 64 → width → ... → width → 10."""
    params = network.mlp_params([64] + [width] * (depth - 1) + [10], scheme, rng=np.random.default_rng(seed))
    return [gain * W for W in params[0::2]], params[1::2]


def digit_gradients(weights, biases, activation):
    """dweights of the loss on 32 digits, with your functions."""
    x, labels = (a[:32] for a in data.digits())
    dy = softmax_cross_entropy_grad(mlp_forward(x, weights, biases, activation), labels)
    return mlp_backward(dy, x, weights, biases, activation)[1]

# %%
six_nets = {
    "sigmoid, Xavier": ("sigmoid", "xavier", 1.0, 1e-32, 1e-30),
    "ReLU, PyTorch's default": ("relu", "pytorch", 1.0, 1e-20, 1e-17),
    "tanh, PyTorch's default": ("tanh", "pytorch", 1.0, 5e-13, 1e-10),
    "tanh, Xavier": ("tanh", "xavier", 1.0, 0.2, 10),
    "ReLU, He": ("relu", "he", 1.0, 0.2, 10),
    "ReLU, 2 × He": ("relu", "he", 2.0, 0.1, 8),
}

# %%
@experiment("mlp_forward", "mlp_backward")
def fifty_layers():
    norms = {}
    for name, (activation, scheme, gain, low, high) in six_nets.items():
        norms[name] = np.array([np.linalg.norm(dW) for dW in digit_gradients(*deep_net(scheme, gain), activation)])
        expect(f"{name}: first over last", norms[name][0] / norms[name][-1], low, high, ".2g")
    expect("ReLU, 2 × He: first layer's norm", norms["ReLU, 2 × He"][0], 1e13, 1e17, ".2g")
    fig, ax = plots.figure(width=7, height=4.2)
    plots.lines(ax, np.arange(50), {n: v[::-1] for n, v in norms.items()}, log="y", xlabel="layers from the output", ylabel="norm of the layer's gradient")
    plots.show(fig, "Norm of each layer's gradient against the distance from the output, logarithmic. Three straight lines fall from about 1: sigmoid with Xavier to 1e-31, ReLU with PyTorch's default to 1e-20, tanh with the default to 1e-12; the last two flatten in the layers next to the input. Tanh with Xavier and ReLU with He stay level near 0.1 and 1. ReLU with doubled weights is level too, but at 1e15.")

# %% [markdown]
# Straight lines on a logarithmic scale: a product, as derived, with nearly the same factor in every layer. The slope of the line is that factor. (Near the input the two default nets flatten: a weight's gradient is δ times what *enters* its layer, and there the pixels have not faded yet.)
#
# Three surprises are worth a second look.
#
# - **The product need not vanish.** "Deep nets have vanishing gradients" is false for two of these six, and what saves them is nothing but the size of the first weights.
# - **The famous ¼ is not the reason.** tanh has slopes up to 1, and one tanh net vanishes while the other does not. And $4^{-50}$ comes out for the sigmoid net by luck: the weights are factors as well, and they are absent from that story.
# - **A ratio of 1 is not health.** In the last net every norm is about $10^{15}$. There *δ* explodes on its way back while the *signal* exploded on its way forward. A weight's gradient is a product of the two, so all layers explode alike. Look at the ratio **and** at the size.

# %% [markdown]
# ## 5. The puzzle, solved
#
# Layer 2 of the sigmoid net, in 32 bits. (Not layer 1: that one has honest zeros, from pixels which are white in all 32 images.)

# %%
@experiment("mlp_forward", "mlp_backward")
def zero_without_zeros():
    exact = digit_gradients(*deep_net("xavier"), "sigmoid")[1]
    stored = exact.astype(np.float32)
    print("norm, 32 bits:", np.linalg.norm(stored), "· entries that are 0:", int((stored == 0).sum()), "of", stored.size, "· your prediction:", my_prediction)
    expect("largest entry", np.abs(stored).max(), 1e-33, 1e-30, ".1g")
    expect("norm of the same entries, added up in 64 bits", np.linalg.norm(stored.astype(np.float64)), 1e-32, 1e-29, ".1g")
    weight = np.float64(0.1)
    print("64 bits, a step of 1e-31 from the weight 0.1 changes it:", bool(weight - 1e-31 != weight))

# %% [markdown]
# Not a single entry is 0. The *norm* is: it adds squares, and the square of 1e-32 is 1e-64, far below what 32 bits can hold. An instrument failed, not the gradient. (Be suspicious of a reading of exactly 0.0.)
#
# The friend's remedy helps the instrument and nothing else. In 64 bits the norm is right, and the step is still lost: next to a weight of 0.1 there is no room for a change of 1e-31, as a metre rule has no mark for a millionth of a billionth of an atomic nucleus. The trouble is not how the number is stored but that it is so small *compared with the others*. That has to be cured where it comes from.

# %% [markdown]
# ## 6. Three numbers
#
# What is the slope of those lines? Take your recursion for one unit,
#
# $$\delta_d = \sigma'(z_d) \sum_{m=1}^{M} W_{dm}\, \delta^{\text{next}}_m ,$$
#
# and let the weights be what they are before training: independent, with mean 0 and standard deviation $s$. (That δ and slopes do not depend on them is an assumption; we will see how good it is.) **Derive** the expected *square*: which of the M² products in the squared sum have a mean other than 0? How many are left, and what is each?
#
# The result multiplies the mean square of δ, from layer to layer. For a linear layer put 1 for the mean of σ′², for a ReLU ½ (half of its units are on).

# %% exercise="gradient_factor"

# %% check="gradient_factor"

# %% [markdown]
# Hold it against the six nets. The helper walks back with *your* recursion. (It gets σ and σ′ out of your own functions: a net of two identity matrices does nothing but the activation.)

# %%
def walk_back(activation, weights, x, delta):
    """Mean square of delta in every layer, and of the slopes between them; from the last layer back."""
    nothing_else = [np.eye(64)] * 2, [np.zeros(64)] * 2, activation
    slopes = []
    for W in weights[:-1]:
        z = x @ W
        x = mlp_forward(z, *nothing_else)
        slopes.append(mlp_backward(np.ones_like(z), z, *nothing_else)[0])
    sizes = [np.mean(delta**2)]
    for W, slope in zip(weights[:0:-1], slopes[::-1], strict=True):
        delta = delta_recursion(delta, W, slope)
        sizes.append(np.mean(delta**2))
    return np.array(sizes), np.array([np.mean(s**2) for s in slopes[::-1]])

# %%
def factors(activation, std, depth=40, seed=0):
    """Measured and predicted factor per layer, geometric mean over the middle layers of a net without biases."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=std, size=(64, 64)) for _ in range(depth)]
    sizes, squared_slopes = walk_back(activation, weights, data.digits()[0][:32], rng.normal(size=(32, 64)))
    predicted = [gradient_factor(64, std, q) for q in squared_slopes[5:-5]]
    return (sizes[-6] / sizes[5]) ** (1 / (depth - 11)), np.exp(np.mean(np.log(predicted)))

# %%
@experiment("delta_recursion", "mlp_forward", "mlp_backward", "gradient_factor")
def predicted_and_measured():
    rows = {"sigmoid, s² = 1/64": ("sigmoid", 1.0, 0.05, 0.062), "ReLU, s² = 1/192": ("relu", 3**-0.5, 0.145, 0.185), "tanh, s² = 1/192": ("tanh", 3**-0.5, 0.31, 0.35)}
    rows |= {"tanh, s² = 1/64": ("tanh", 1.0, 0.87, 1.0), "ReLU, s² = 2/64": ("relu", 2**0.5, 0.88, 1.12), "ReLU, s² = 8/64": ("relu", 8**0.5, 3.5, 4.5)}
    for name, (activation, gain, low, high) in rows.items():
        measured, predicted = factors(activation, gain / 8)
        expect(f"{name}: measured factor", measured, low, high)
        expect("    and predicted over measured", predicted / measured, 0.93, 1.07)

# %% [markdown]
# The prediction is good to a few per cent. The sigmoid's factor is 1/18 per layer for the square, about ¼ for the size, and *that* is why $4^{-50}$ fitted: Xavier's weights contribute a factor 1 at constant width, and near z = 0 the sigmoid has its largest slope. With other weights the coincidence is gone.
#
# ### Weights that keep the size
#
# Now turn the formula round. Gradients neither vanish nor explode if the factor is 1. For linear units this asks for a certain variance $s^2$, in terms of the *outputs* of the layer.
#
# But the signal has to survive as well. A pre-activation is a sum over the *inputs*; ask, by the same argument, for which $s^2$ it has the mean square of what came in. (Biases start at 0.) You get two conditions, and they agree only where the layer is as wide behind as in front.
#
# - **LeCun** (1998) keeps the signal of linear units.
# - **Xavier** Glorot (2010) wants both, and cannot have both: where LeCun counts one side, he puts the arithmetic mean of the two counts.
# - **He** (2015) keeps the signal of ReLU units. A ReLU behind symmetric pre-activations throws away half of the mean square in every layer; he makes up for exactly that.
#
# Recipes in papers and libraries are stated in three currencies: the variance, the standard deviation, or the bound of a uniform distribution (whose variance is bound²/3). Look at the docstring for the one that is asked for here.

# %% exercise="init_std"

# %% check="init_std"

# %% [markdown]
# For two of the schemes the factor at constant width can be told without a computer:

# %%
@experiment("init_std", "gradient_factor")
def factors_on_paper():
    for scheme, activation, q in (("xavier", "linear", 1.0), ("he", "ReLU", 0.5), ("xavier", "ReLU", 0.5), ("lecun", "sigmoid at z = 0", 1 / 16)):
        print(f"{scheme:7} with {activation:17} factor {gradient_factor(64, init_std(64, 64, scheme), q):.4f}")
    print("and where a layer narrows from 256 to 64, He with ReLU:", round(gradient_factor(64, init_std(256, 64, "he"), 0.5), 4))

# %% [markdown]
# The last line is no mistake: behind a change of width, who keeps the signal lets the gradient go, here by a factor 4 in the mean square. In a net that narrows once this is harmless; it is not raised to the 50th power.
#
# How deep may a net be? A bonus question with a short answer: count the layers until the **norm** is down to a given share.

# %% exercise="depth_to_vanish"

# %% check="depth_to_vanish"

# %%
@experiment("gradient_factor", "init_std", "depth_to_vanish")
def depth_to_a_thousandth():
    for name, scheme, q in (("sigmoid at z = 0", "xavier", 1 / 16), ("ReLU", "xavier", 1 / 2), ("tanh, mean slope² 0.95", "xavier", 0.95)):
        print(f"{name:23} with {scheme}: {depth_to_vanish(gradient_factor(64, init_std(64, 64, scheme), q), 1e-3)} layers to a thousandth")

# %% [markdown]
# ## 7. Can larger weights save the sigmoid?
#
# The textbook says that a sigmoid's gradient must vanish, its slope being at most ¼. Your formula says: the factor grows with the *square* of the weights, so just take larger ones. But larger weights push the units into their flat parts, where the slope falls.
#
# **Predict** who wins. Draw the factor against the size of the weights, both axes logarithmic, for ReLU (easy: its slopes do not change), for tanh and for the sigmoid. Does the sigmoid ever reach 1?

# %%
@experiment("delta_recursion", "mlp_forward", "mlp_backward", "gradient_factor")
def larger_weights():
    gains = np.geomspace(0.5, 16, 16)
    curves = {name: np.array([factors(name, g / 8, depth=30) for g in gains]) for name in ("relu", "tanh", "sigmoid")}
    fig, ax = plots.figure(width=6, height=4)
    plots.lines(ax, gains, {n: c[:, 1] for n, c in curves.items()}, log="xy", xlabel="weights: √64 · standard deviation", ylabel="factor of the mean square per layer")
    for i, c in enumerate(curves.values()):
        ax.plot(gains, c[:, 0], "o", color=plots.COLOURS[i], markersize=4)
    plots.level(ax, 1.0, "size kept", x=0.58)
    plots.show(fig, "Factor per layer against the size of the weights, both logarithmic; lines predicted, dots measured, close together except for tanh at the right end. ReLU: a straight line that crosses 1 at 1.4. Tanh crosses 1 at about 1.1 and then climbs more slowly. Sigmoid starts at 0.015, climbs ever more slowly, and crosses 1 near 10.")
    for name, low, high in (("relu", 1.3, 1.55), ("tanh", 1.05, 1.35), ("sigmoid", 8.5, 13.0)):
        expect(f"{name}: size of the weights at which the factor is 1", np.exp(np.interp(0.0, np.log(curves[name][:, 0]), np.log(gains))), low, high)

# %% [markdown]
# It does. The flat parts slow the growth down (the line is only half as steep at the right), but the weights win: with ten times Xavier's weights the gradient of a sigmoid net neither vanishes nor explodes. "It must vanish because σ′ ≤ ¼" is simply not true.
#
# Note the price, though. A factor 1 with weights of size 10 means $100 \cdot \overline{\sigma'^2} = 1$, while a unit in the middle of its bend has $\sigma'^2 = 1/16$. So at most one unit in six can be there; most of the others are stuck at 0 or at 1. tanh reaches 1 with a mean σ′² still above 0.8, and a ReLU net, at any size of weights, with half of its units on.
#
# ### Does a healthy gradient train?
#
# Twenty layers of 32 units, 600 digits, 15 epochs, the same step size for all, with your `mlp_backward`. **Predict** the accuracy of the four on other digits (guessing gives 0.1), and how far the first layer's weights move, relative to their size.

# %%
def train_deep(activation, scheme, gain):
    """Test accuracy of a 20-layer net, and the relative move of its first weights."""
    weights, biases = deep_net(scheme, gain, depth=20, width=32)
    params, start = [*weights, *biases], weights[0].copy()
    parts = data.split(*data.digits(), 600, rng=np.random.default_rng(0))

    def loss_and_grads(x, y):
        scores = mlp_forward(x, weights, biases, activation)
        _, dweights, dbiases = mlp_backward(softmax_cross_entropy_grad(scores, y), x, weights, biases, activation)
        return softmax_cross_entropy(scores, y), [*dweights, *dbiases]

    fit(params, loss_and_grads, parts.x_train, parts.y_train, lr=0.02, momentum=0.9, n_epochs=15, batch_size=50, rng=np.random.default_rng(1))
    reached = accuracy(mlp_forward(parts.x_test, weights, biases, activation), parts.y_test)
    return reached, np.linalg.norm(weights[0] - start) / np.linalg.norm(start)

# %%
@experiment("mlp_forward", "mlp_backward")
def healthy_and_trained():
    four = {"sigmoid, Xavier": ("sigmoid", "xavier", 1.0, 0.05, 0.15, 1e-13, 1e-10), "sigmoid, 10 × Xavier": ("sigmoid", "xavier", 10.0, 0.05, 0.35, 1e-4, 0.1)}
    four |= {"tanh, Xavier": ("tanh", "xavier", 1.0, 0.65, 0.93, 0.1, 2), "ReLU, He": ("relu", "he", 1.0, 0.2, 0.7, 0.1, 2)}
    for name, (activation, scheme, gain, low, high, least, most) in four.items():
        reached, moved = train_deep(activation, scheme, gain)
        expect(f"{name}: test accuracy", reached, low, high, ".2f")
        expect("    first layer moved by", moved, least, most, ".1g")

# %% [markdown]
# The first line is the net of section 1, made shorter: in 15 epochs its first weights move by less than a billionth of their size, and it guesses.
#
# The second and the fourth line deserve more thought. Their gradients are in order from the first layer to the last, and one of the nets barely beats guessing while the other is far behind tanh. A gradient that *arrives* is necessary; it is not enough. It tells the slope at one point. Whether it still holds a step further on is another question, and deep plain nets answer it badly. (*Residual connections*, the next notebook, are the repair.)

# %% [markdown]
# ## 8. The same in PyTorch
#
# Number by number first, with five layers; then the size of the weights that `torch.nn.Linear` starts with. Its source calls `kaiming_uniform_`, and Kaiming is He's first name. **Predict**: is this He's initialisation?

# %%
import torch


@experiment("mlp_forward", "mlp_backward")
def against_pytorch():
    params = network.mlp_params([3, 5, 4, 6, 4, 2], "xavier", rng=np.random.default_rng(0))
    weights, biases = params[0::2], params[1::2]
    x = np.random.default_rng(1).normal(size=(7, 3))
    for name, f in (("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("relu", torch.relu)):
        leaves = [torch.tensor(W, requires_grad=True) for W in weights]
        y = torch.tensor(x)
        for i, (W, b) in enumerate(zip(leaves, biases, strict=True)):
            y = y @ W + torch.tensor(b)
            y = f(y) if i < 4 else y
        y.square().sum().backward()
        yours = mlp_backward(2 * mlp_forward(x, weights, biases, name), x, weights, biases, name)[1]
        worst = max(np.abs(a - b.grad.numpy()).max() / np.abs(a).max() for a, b in zip(yours, leaves, strict=True))
        print(f"{name:8} five layers, largest relative difference below 1e-12: {bool(worst < 1e-12)}")

# %%
@experiment("init_std", "gradient_factor")
def pytorchs_default():
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 64)
    std = layer.weight.std().item()
    expect("deviation of nn.Linear's weights, over He's", std / init_std(64, 64, "he"), 0.39, 0.43)
    expect("factor with ReLU", gradient_factor(64, std, 0.5), 0.155, 0.18)

# %% [markdown]
# It is not. The function is called with a parameter that turns He's 2 into ⅓: variance 1/(3 · 64) in place of 2/64, and a factor of 1/6 per layer. This is the line that fell to 1e-20 in section 4. For three layers nobody notices; for fifty the name in the source code is no help.
#
# ### Scaled while you watch
#
# Another way to start right: store *every* weight with deviation 1, and multiply each layer's W by its own constant in the forward pass (Karras et al. 2018 train their image generators like that). Write the net with tensors; PyTorch takes care of the gradient. Mind which axis of W is `fan_in`: in `torch.nn.Linear` it is the other one.

# %% exercise="equalized_mlp_in_torch"

# %% check="equalized_mlp_in_torch"

# %% [markdown]
# On the way forward that is He's initialisation and nothing new. **Predict** what changes for training: the gradient in the stored weight, and how far the *effective* weight $cW$ moves in one step of size 1.

# %%
@experiment("equalized_mlp_in_torch", "init_std", "mlp_forward", "mlp_backward")
def stored_and_effective():
    rng, widths = np.random.default_rng(0), [64] * 50 + [10]
    stored = [torch.tensor(rng.normal(size=s), requires_grad=True) for s in zip(widths[:-1], widths[1:], strict=True)]
    biases = [np.zeros(m) for m in widths[1:]]
    x, labels = (a[:32] for a in data.digits())
    y = equalized_mlp_in_torch(torch.tensor(x), stored, [torch.tensor(b) for b in biases])
    torch.nn.functional.cross_entropy(y, torch.tensor(labels)).backward()
    norms = [W.grad.norm().item() for W in stored]
    expect("50 layers, first norm over last", norms[0] / norms[-1], 0.2, 10)
    c = init_std(64, 64, "he")
    effective = [c * W.detach().numpy() for W in stored]
    dW = mlp_backward(softmax_cross_entropy_grad(y.detach().numpy(), labels), x, effective, biases, "relu")[1][0]
    print(f"gradient in the stored weight over that in the effective one: {norms[0] / np.linalg.norm(dW):.6f}; c = {c:.6f}")
    print(f"so the effective weight moves by c² = {c * c:.6f} of what plain descent would give it")

# %% [markdown]
# The chain rule takes the factor c once, the step back into the forward pass once more. With plain descent a layer is slowed down in proportion to the number of its inputs. Initialisation decides where training starts; a scale that stays also decides how fast each layer runs.
#
# ## 9. In your own words
#
# Back to the fifty sigmoid layers with Xavier's weights, whose second layer has a gradient of 1e-31. Three remedies are offered: **(a)** 64-bit numbers, **(b)** a learning rate of $10^{30}$, **(c)** ten times larger initial weights. Say for each what it changes in the product that you derived, and why it is or is not a cure; use at least one number from this notebook for each. Then give the remedy that you would try first, with its factor per layer. (Eight sentences.)

# %% [markdown] written="three_remedies"
# (a) changes nothing in the product: the gradient is 1e-31 in either format, since its entries were not 0 in 32 bits either; only the norm, a sum of squares near 1e-63, had underflowed. And a step of 1e-31 next to a weight of 0.1 is lost in 64 bits as well. (b) multiplies all layers' gradients alike, but the trouble is their ratio: the last layer's gradient has norm 1.3, so its weights would jump by 1e30. Layers 1 and 50 differ by a factor of about 0.056 in the mean square for each layer between them; no single rate suits both. (c) does change the product: the factor is 64 · s² · mean σ′², and with 100 times the variance it comes out near 1, so the gradient arrives. But a factor of 1 then needs mean σ′² = 1/100 where 1/16 is possible: most units are saturated, and in section 7 such a net of 20 layers hardly did better than guessing. I would change the activation with the initialisation that fits it: tanh with Xavier (factor 0.95, accuracy about 0.8 at 20 layers), or ReLU with He (factor 64 · 2/64 · ½ = 1), and for fifty layers residual connections.
#
# Rubric:
# - **full** (a) the value is the same, the norm was the instrument's failure or the step is lost; (b) ratio between layers, not size; (c) the factor rises to 1 because s² does, at the price of saturated units or with training that still fails; a remedy with its factor
# - **half** two of the three argued with the product or the factor, or all three right but without numbers
# - **none** "more precision helps", "a larger rate helps", or statements without the factor per layer

# %% [markdown]
# ## Recap
#
# 1. δ of a layer is δ of the next one, through Wᵀ, times this layer's slope at z; weights and biases sum over the batch.
# 2. Over many layers that is a product. Its factor for the mean square is fan_out · s² · mean σ′², and it predicts measured gradients to a few per cent.
# 3. LeCun, Xavier and He choose s so that signal or gradient keep their size; a name in a library is not a variance.
# 4. Look at ratio and magnitude, and do not trust a norm of exactly 0.
# 5. A healthy gradient is necessary. It is not sufficient.
#
# **The recap question.** Each piece of the sawtooth has slope ±1024: ten layers, each with slope ±2, multiplied. That is an exploding gradient, factor 4 per layer in the square, and it is the very thing that makes so many pieces fit between 0 and 1. Depth is powerful and hard to train for one and the same reason.
#
# **To read:** Glorot & Bengio 2010, *Understanding the Difficulty of Training Deep Feedforward Neural Networks*; He et al. 2015, *Delving Deep into Rectifiers*, section 2.2; and for what lies beyond a factor of 1, Schoenholz et al. 2017, *Deep Information Propagation*.
