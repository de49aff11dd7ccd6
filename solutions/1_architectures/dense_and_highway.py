# %% [markdown]
# # Dense and highway connections
#
# **You will be able to** build the two other famous shortcuts, layers that read *everything* before them and layers that learn how much to change, derive their gradients, and find out whether thirty such layers do anything at all.
#
# **Time** about an hour and ten minutes, half an hour more with the bonus · **Needs** the chain rule, *vanishing gradients*, *residual connections* · **Symbols** x or a⁰ a block's input, aˡ the output of layer l; H the transform, T the gate. On the slides σ is any activation: here it is ReLU in dense layers, tanh for H and the sigmoid for T. (T is a temperature or a length in other notebooks.)
#
# **Recap question.** The residual block's gradient has the factor I + J, with J of the branch. Suppose the block kept only *half* of its input, ½a + F(a), and so did the next twenty-nine. What would become of the 1? Keep your answer.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.basics import sigmoid
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import Block, Stack, affine_block, dense_pair, dense_params, highway_params, objective
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. One number
#
# A net for digits: thirty *highway* layers, each with a gate that decides, entry by entry, how much of its input is transformed and how much is carried on unchanged. 254,410 parameters, 600 training digits, eight epochs.
#
# The first try starts all biases at 0, *"as always"*. The second try is the same, except that the **gates'** biases start at −4. Nothing else differs, and training may move every one of them as it likes.
#
# **Predict before you read on.** What is the test accuracy of each? (Guessing gives 0.10.) And a third number: take the *second* net after training, and delete all thirty highway layers. What is left of its accuracy?

# %%
my_prediction = {"bias 0": None, "bias −4": None, "bias −4, thirty layers deleted": None}

# %% [markdown]
# ## 2. Never forget anything
#
# A residual block adds: what it writes is mixed into what was there. A **dense** layer puts its output *beside* it:
#
# $$a^{(l)} = \mathrm{ReLU}\big([a^{(0)}, a^{(1)}, \dots, a^{(l-1)}]\,W^{(l)} + b^{(l)}\big)$$
#
# The bracket joins along the features: N rows stay N rows. Nothing is overwritten, widths need not agree, and so each layer may be thin; the number of units it adds is called the **growth**. What a layer reads becomes wider and wider. How wide?

# %% exercise="dense_block_widths"

# %% check="dense_block_widths"

# %% [markdown]
# ReLU layers with growth 8 on 64 pixels, then an output layer with ten units. **Predict**: twice as many layers, how many times the parameters?

# %%
@experiment("dense_block_widths")
def price_of_reading_everything():
    layers, cost = np.arange(2, 121), []
    for n in layers:
        *reads, out = dense_block_widths(64, 8, int(n))
        cost.append(sum(w * 8 + 8 for w in reads) + out * 10 + 10)
    plain = 64 * 64 + 64
    fig, ax = plots.figure(width=6)
    plots.lines(ax, layers, {"dense, growth 8": np.array(cost), "plain, width 64": layers * plain + 650}, log="xy", xlabel="layers", ylabel="parameters")
    plots.show(fig, "Parameters against layers from 2 to 120, both scales logarithmic. Plain: a straight line. Dense: far below it at first, but steeper and steeper; near 110 layers it crosses the plain net's.")
    print("dense, parameters with 15, 30, 60, 120 layers:", [int(cost[n - 2]) for n in (15, 30, 60, 120)])

# %% [markdown]
# From 15 to 30 layers the cost triples, and the factor goes on towards four: each new layer reads one more of those that went before. Thin layers pay for it. Now one layer. `features` is a list of arrays with N rows each.

# %% exercise="dense_layer"

# %% check="dense_layer"

# %% [markdown]
# ## 3. Going back: cut, and add
#
# Write $W$ as blocks of rows, one for each feature array. Then
#
# $$[a^{(0)}, \dots, a^{(l-1)}]\,W = \sum_i a^{(i)}\, W_i$$
#
# The joined product is a *sum* of products. So what has to come back to $a^{(i)}$? You know how to go back through an ordinary layer; only the last step is new.

# %% exercise="dense_layer_backward"

# %% check="dense_layer_backward"

# %% [markdown]
# That is one reader. A feature has many: everything behind it reads it, and all that they send back must be **added up**. How many ways are there from the input to the last of ten layers? Let one number grow by one in each layer, all weights 1 and all biases 0. **Predict** what the tenth layer gives for x = 1.

# %%
@experiment("dense_layer", "dense_layer_backward")
def ways_through_ten_layers():
    features, ones = [np.ones((1, 1))], [np.ones((l, 1)) for l in range(1, 11)]
    for W in ones:
        features.append(dense_layer(features, W, np.zeros(1)))
    print("outputs:", [int(f[0, 0]) for f in features[1:]])
    grads = [np.zeros((1, 1)) for _ in range(10)] + [np.ones((1, 1))]
    for l in range(10, 0, -1):
        shares, _, _ = dense_layer_backward(grads[l], features[:l], ones[l - 1], np.zeros(1))
        grads[:l] = [g + share for g, share in zip(grads[:l], shares)]
    print("gradient of the tenth output in x:", int(grads[0][0, 0]))

# %% [markdown]
# 512 ways, for each of the nine layers in between can be used or skipped, and one of them is *direct*: from the last layer to the input there is a single step. The gradient does not have to survive ten layers; it has to survive one.
#
# The two bonus exercises make a block of it. The second is where the adding happens, and with fewer than three layers a mistake in it hardly shows.

# %% exercise="dense_block"

# %% check="dense_block"

# %% exercise="dense_block_backward"

# %% check="dense_block_backward"

# %% [markdown]
# ## 4. Who reads whom?
#
# Thirty dense layers on digits, with your functions (`dense_pair` does the adding).

# %%
def dense_net(rng):
    block = Block(*dense_pair(dense_layer, dense_layer_backward), dense_params(64, 8, 30, rng=rng))
    return Stack([block, affine_block(64 + 30 * 8, 10, rng=rng)])


def train(net, lr, seed=0):
    """Eight epochs on 600 digits; returns the net's test accuracy."""
    parts = data.split(*data.digits(), 600, rng=np.random.default_rng(seed))
    fit(net.params, objective(net), parts.x_train, parts.y_train, lr=lr, momentum=0.9, n_epochs=8, batch_size=32, rng=np.random.default_rng(seed + 1))
    return accuracy(net(parts.x_test), parts.y_test)

# %%
@experiment("dense_layer", "dense_layer_backward")
def trained_dense():
    before, after = dense_net(np.random.default_rng(100)), dense_net(np.random.default_rng(100))  # the same start
    expect("test accuracy, dense, 46,490 parameters", train(after, 0.01), 0.9, 0.97)
    return before, after

# %% [markdown]
# DenseNet's paper draws a famous picture: for each layer, how large its weights are on each of the layers it reads. Bright means *"reuses these features"*. **Before you look:** what would that picture show for a net that was never trained?

# %%
def who_reads_whom(net):
    """(31, 31): row a reader (the last row: output layer), column a source (0: the pixels); root mean square weight, NaN where nothing is read."""
    picture = np.full((31, 31), np.nan)
    for row, W in enumerate([*net.blocks[0].params[0::2], net.blocks[1].params[0]]):
        pieces = np.split(W, np.arange(64, len(W), 8))
        picture[row, : len(pieces)] = [np.sqrt((p**2).mean()) for p in pieces]
    return picture

# %%
@experiment("dense_layer", "dense_layer_backward")
def reuse():
    before, after = map(who_reads_whom, trained_dense)
    fig, axes = plots.figure(3, width=3.7)
    for ax, picture, title in zip(axes, (after, before, after / before), ("trained", "never trained", "trained / never trained")):
        image = ax.imshow(picture, vmin=None if "/" in title else 0.04, vmax=None if "/" in title else 0.2)
        fig.colorbar(image, ax=ax, shrink=0.7)
        ax.set(title=title, xlabel="source (0: pixels)", ylabel="reader (30: output)")
    plots.show(fig, "Three triangular maps, a row for each reader. Trained and never trained look the same: bright at the top, darker downwards as more is read. Their ratio is close to 1 everywhere but in the last row, the output layer, where it lies between 1.2 and 1.9.")
    there = np.isfinite(before)
    expect("correlation of the first two maps", np.corrcoef(before[there], after[there])[0, 1], 0.88, 0.98)
    expect("hidden layers, mean ratio", np.nanmean((after / before)[:-1]), 0.98, 1.05)
    expect("output layer, mean ratio", np.mean((after / before)[-1]), 1.3, 1.8)

# %% [markdown]
# The picture was there before the training. What one sees is the initialisation: who reads more gets smaller weights. In eight epochs the sizes of the hidden layers' weights hardly changed; those of the output layer did, and it reads *all* sources.
#
# Does the block learn anything? **Predict**: freeze it at its random start, train the output layer alone, and compare.

# %%
@experiment("dense_layer", "dense_layer_backward")
def frozen():
    before, after = trained_dense
    start, end = before.blocks[0].params[0::2], after.blocks[0].params[0::2]
    moved = np.sqrt(sum(((v - u) ** 2).sum() for u, v in zip(start, end)) / sum((u**2).sum() for u in start))
    expect("hidden weights, distance moved over their size", moved, 0.09, 0.16, ".2f")
    parts, block, output = data.split(*data.digits(), 600, rng=np.random.default_rng(0)), before.blocks[0], Stack(before.blocks[1:])
    features = block.forward(parts.x_train, *block.params)
    fit(output.params, objective(output), features, parts.y_train, lr=0.01, momentum=0.9, n_epochs=8, batch_size=32, rng=np.random.default_rng(1))
    expect("test accuracy, block frozen", accuracy(output(block.forward(parts.x_test, *block.params)), parts.y_test), 0.88, 0.94)

# %% [markdown]
# About 0.92 frozen, about 0.94 trained. The dense block is mostly a bag of random features that nobody overwrites, with the pixels among them; training turned its weights by an eighth of their size, and that gave the last two per cent. It may be good use of depth, but the picture does not show it. A heat map of weights says something only beside the heat map of an untrained net.

# %% [markdown]
# ## 5. A gate
#
# Now the net of section 1. A highway layer makes a transform $H$ of its input, and a **gate** $T$, a number between 0 and 1 for each entry:
#
# $$y = T \odot H + (1 - T) \odot x, \qquad H = \tanh(xW_H + b_H), \quad T = \mathrm{sigmoid}(xW_T + b_T)$$
#
# T = 1 transforms, T = 0 carries. (At T = ½ the two cannot be told apart, which is why no test with a gate bias of 0 and small weights is worth much.)

# %% exercise="highway_layer"

# %% check="highway_layer"

# %% [markdown]
# How does the gate learn? Hold x and H still and move its pre-activation $z$, with $T = \mathrm{sigmoid}(z)$:
#
# $$\frac{\partial L}{\partial z} = \frac{\partial L}{\partial y}\,\cdot\,\frac{\partial y}{\partial T}\,\cdot\,\frac{\partial T}{\partial z}$$
#
# T stands in the formula for y *twice*. **On paper first**, and say before you code it when the gate gets no gradient at all. (There are three occasions, beside dL/dy = 0.)

# %% exercise="highway_gate_gradient"

# %% check="highway_gate_gradient"

# %% [markdown]
# The occasions: an open gate, a shut one, and a transform that agrees with the input, for then the choice does not matter. Now the whole layer. In how many ways does x reach y? Draw them, then go back along each. All weights are square here, so no shape will warn you of a transpose.

# %% exercise="highway_layer_backward"

# %% check="highway_layer_backward"

# %% [markdown]
# ## 6. The puzzle, solved
#
# Follow the carry alone, back through thirty layers: each multiplies by $1 - T$. At the start T is about sigmoid of the gate's bias. **Compute** $(1 - T)^{30}$ for the biases 0 and −4, in your head if you can, and compare.

# %%
def highway_net(gate_bias, rng):
    layers = [Block(highway_layer, highway_layer_backward, highway_params(64, rng=rng, gate_bias=gate_bias)) for _ in range(30)]
    return Stack([affine_block(64, 64, rng=rng), *layers, affine_block(64, 10, rng=rng)])

# %%
@experiment("highway_layer", "highway_layer_backward")
def gradient_before_training():
    norms, carried = {}, {}
    for bias in (0.0, -2.0, -4.0):
        rng = np.random.default_rng(0)
        body = Stack(highway_net(bias, rng).blocks[1:-1])
        y, inputs = body.forward(rng.normal(size=(32, 64)))
        dy = rng.normal(size=y.shape)
        path = [np.linalg.norm(dy)]
        for block, x in zip(body.blocks[::-1], inputs[::-1]):
            dy, _ = block.gradients(dy, x)
            path.append(np.linalg.norm(dy))
        norms[f"gate bias {bias:.0f}"], carried[bias] = np.array(path) / path[0], (1 - sigmoid(bias)) ** np.arange(31)
    fig, ax = plots.figure(width=6)
    for curve in carried.values():
        ax.plot(curve, color="0.6", linewidth=1, linestyle="--")
    plots.lines(ax, np.arange(31), norms, log="y", xlabel="layers gone back", ylabel="gradient, relative to the output's")
    plots.show(fig, "Gradient against layers gone back, logarithmic. Bias −4 falls to about one half, −2 to 3 per cent, 0 to 2e-5. Dashed: the carry alone, close to the curves for −4 and −2; for bias 0 it falls to 1e-9, far below the curve.")
    for (name, path), low, high in zip(norms.items(), (1e-5, 0.02, 0.45), (5e-5, 0.04, 0.56)):
        expect(f"{name}, thirty layers back", path[-1], low, high)

# %% [markdown]
# A half-open gate is not "a bit of both" but the worst of both: ½ of the shortcut, thirty times over. What little arrives comes through the transforms. Now train both nets, and then delete the layers.

# %%
@experiment("highway_layer", "highway_layer_backward")
def one_number():
    nets = {bias: highway_net(bias, np.random.default_rng(100)) for bias in (0.0, -4.0)}
    scores = {f"bias {b:.0f}": train(net, 0.007) for b, net in nets.items()}
    test = data.split(*data.digits(), 600, rng=np.random.default_rng(0))
    net = nets[-4.0]
    short = Stack([net.blocks[0], net.blocks[-1]])
    scores["bias -4, thirty layers deleted"] = accuracy(short(test.x_test), test.y_test)
    for (name, score), low, high in zip(scores.items(), (0.05, 0.72, 0.72), (0.16, 0.94, 0.94)):
        expect(f"test accuracy, {name}", score, low, high)
    _, inputs = net.forward(test.x_test)
    gates = [sigmoid(x @ block.params[2] + block.params[3]).mean() for x, block in zip(inputs[1:], net.blocks[1:-1])]
    expect("mean gate after training, most open layer", max(gates), 0.017, 0.03)
    print("your prediction:", my_prediction)

# %% [markdown]
# Bias 0 never gets off the ground. Bias −4 trains, and here comes the part that the textbook leaves out: **without its thirty layers it is just as good.** The gates opened from 0.018 to about 0.02; nearly all of the work is done by the first and the last matrix, and together they are a *linear* classifier, which on its own, well trained, reaches 0.93 or more. The highway was open because nobody drove on it.
#
# That is not a failure of the layer. A negative bias says *start as the identity, and change something if it pays*; on these digits, in eight epochs, it hardly pays. What we measured is that a deep highway net **can be trained**. That its depth is *useful* would need another experiment: delete layers and see the accuracy fall. Ask for that experiment whenever someone shows you a very deep net.

# %% [markdown]
# ## 7. Four nets side by side
#
# Thirty hidden layers each (a residual block has two). **Predict** the order.

# %%
@experiment("dense_block_widths", "dense_layer", "highway_layer")
def parameters_side_by_side():
    rng = np.random.default_rng(0)
    plain = Stack([affine_block(64, 64, rng=rng) for _ in range(31)] + [affine_block(64, 10, rng=rng)]).n_parameters
    counts = {"plain": plain, "residual": plain, "dense, growth 8": dense_net(rng).n_parameters, "highway": highway_net(-4.0, rng).n_parameters}
    fig, ax = plots.figure(width=6, height=2.4)
    plots.bars(ax, counts, xlabel="parameters", form=",.0f")
    plots.show(fig, "Bars: plain and residual 129,610 each, dense 46,490, highway 254,410.")

# %% [markdown]
# The skip is free, the gate costs as much as the transform, and dense pays for what it reads and saves in what it writes. Of the two nets of this notebook the one with a fifth of the parameters classifies better.

# %% [markdown]
# ## 8. The same in PyTorch
#
# PyTorch has neither of the two layers ready-made; with `torch.cat` and `torch.lerp` each is a line, and autograd does the cutting and adding.

# %%
import torch


@experiment("dense_layer", "dense_layer_backward", "highway_layer", "highway_layer_backward")
def against_pytorch():
    rng = np.random.default_rng(0)
    f0, f1, W, b, dy = (rng.normal(size=s) for s in [(5, 3), (5, 2), (5, 4), 4, (5, 4)])
    t0, t1, tW, tb = leaves = [torch.tensor(a, requires_grad=True) for a in (f0, f1, W, b)]
    torch.relu(torch.cat([t0, t1], dim=1) @ tW + tb).backward(torch.tensor(dy))
    dfeatures, dW, db = dense_layer_backward(dy, [f0, f1], W, b)
    gap = max(np.abs(g - t.grad.numpy()).max() for g, t in zip([*dfeatures, dW, db], leaves))
    print(f"dense layer, largest difference of a gradient below 1e-12: {gap < 1e-12}")
    args = [rng.normal(size=s) for s in [(5, 4), (4, 4), 4, (4, 4), 4]]
    x, W_H, b_H, W_T, b_T = leaves = [torch.tensor(a, requires_grad=True) for a in args]
    torch.lerp(x, torch.tanh(x @ W_H + b_H), torch.sigmoid(x @ W_T + b_T)).backward(torch.tensor(dy))
    gap = max(np.abs(g - t.grad.numpy()).max() for g, t in zip(highway_layer_backward(dy, *args), leaves))
    print(f"highway layer, largest difference of a gradient below 1e-12: {gap < 1e-12}")

# %% [markdown]
# Now a whole dense *net* in tensors, like that of section 4. Mind its end.

# %% exercise="dense_net_in_torch"

# %% check="dense_net_in_torch"

# %% [markdown]
# ## 9. In your own words
#
# He and others (2016) tried gates on the shortcuts of very deep residual nets and found them *worse* than plain skips, although a gated layer can represent everything that a plain one can. Explain with the product of factors along the shortcut. Then say why a highway net starts with a negative gate bias, what that costs, and how a dense block avoids the product altogether. (About six sentences, with two numbers from this notebook.)

# %% [markdown] written="why_a_negative_bias"
# Along the shortcut of a residual net every factor is 1, so the product over any number of layers is 1. With gates it is the product of the 1 − T, which shrinks exponentially unless every gate is nearly shut: at bias 0, (½)³⁰ ≈ 1e-9 for the carry alone and 2e-5 for the whole gradient, and the net stayed at chance. So the gated layer can represent the identity, but only in a limit; what can be represented is not what training starts from or finds. A bias of −4 makes 1 − T ≈ 0.98 and the product about 0.58: gradients arrive. The price is that the transforms are multiplied by T ≈ 0.02 and their gradients too, and a nearly shut gate has a small slope T(1 − T), so layers learn slowly: after eight epochs the gates were still at 0.02 and all thirty layers could be deleted. A dense layer reads every earlier feature directly: the shortest way back has one step, there is no product along it, and the ways add.
#
# Rubric:
# - **full** the product of (1 − T) against a product of ones with a number, the price of the negative bias (T or T(1 − T) small, gates hardly move), and dense connections as direct paths that add
# - **half** the product with its consequence, but one of the other two parts missing, or all three without a number
# - **none** "gates are harder to train" without the product

# %% [markdown]
# ## Recap
#
# 1. Dense: join going forward, cut going back, add over all readers. 2^(L−1) ways to the last of L layers, one of them direct.
# 2. Growth is cheap per layer and quadratic in their number.
# 3. Highway: T ⊙ H + (1 − T) ⊙ x. The gate learns from H − x, and not at all where it is fully open or shut.
# 4. The carry's factor is 1 − T a layer: bias 0 kills thirty layers, bias −4 keeps half of the gradient.
# 5. Trainable is not useful: compare weights with those of an untrained net, and delete layers, before you praise depth.
#
# **The recap question.** The 1 becomes ½ in each block, and (½)³⁰ ≈ 1e-9 along the shortcut: that is the highway with gate bias 0. A shortcut is worth something only if its factor stays at 1.
#
# **To read:** Huang, Liu, van der Maaten & Weinberger 2017, *Densely Connected Convolutional Networks* (figure 5 is the heat map); Srivastava, Greff & Schmidhuber 2015, *Highway Networks*; He, Zhang, Ren & Sun 2016, *Identity Mappings in Deep Residual Networks*, section 3.
