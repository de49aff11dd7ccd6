# %% [markdown]
# # Capstone: labels that lie
#
# **You will be able to** put residual path, normalisation, dropout, smoothed labels and early stopping together into one network, with a backward you derived; train it on data of which every fifth label is wrong, within a budget; take it apart again and say which part did what; and say when not to train a network at all.
#
# **Time** about an hour and three quarters, a quarter of an hour more with the bonus; the quiz as long as you like · **Needs** all of the class, most of all *residual connections*, *batch and layer norm*, *dropout*, *early stopping*, *softmax and cross-entropy* (label smoothing) and *architecture design*; *attention* for the bonus · **Symbols** N examples, D the width of the network, H hidden units of a branch, L blocks; h the normalised rows, z the hidden pre-activations. Positions are T, as in *attention*; there is no temperature here and no gate.
#
# **Recap question.** *Architecture design* ended with three sets of data: one to fit, one to choose, one to report. Here the labels of the first two are partly wrong, and you do not know which. Is a validation set with wrong labels still good for choosing? Is a test set with wrong labels still good for reporting?

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.attention import multi_head_attention, positional_encoding
from class4lib.basics import affine, affine_backward, relu
from class4lib.batch_and_layer_norm import layer_norm, layer_norm_backward
from class4lib.check import check, hint
from class4lib.counting import budget
from class4lib.dropout import dropout
from class4lib.early_stopping import EarlyStopping
from class4lib.experiments import expect, experiment
from class4lib.network import Block, Dropping, Stack, affine_block, objective
from class4lib.quiz import answer, ask
from class4lib.softmax_cross_entropy import label_smoothing, softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import accuracy, fit

# %% [markdown]
# The functions of earlier notebooks come from the library here: `layer_norm`, `dropout`, `EarlyStopping` and the others of the cell above are what you wrote there. Paste your own in their place if you like. What is judged in this notebook is this notebook's.
#
# ## 1. Which part did it?
#
# A plain network with seven hidden layers and 29,770 parameters reads digits. Every fifth label it learns from is wrong. On clean test digits it is right in **79 of 100** cases, on the average over forty such data sets.
#
# A second network has 30,154 parameters: three residual blocks, each with a layer norm, trained with dropout, smoothed labels and early stopping. It has the same data and as many epochs. It is right in **94 of 100**.
#
# So residual connections are worth 15 points? Take the second network apart. One half of it is **architecture**: the skip paths and the norms. The other half is **regularisation**: dropout, smoothing, stopping.
#
# **Predict before you read on.** How many of 100 are right with the architecture alone? With the regularisation alone? And one more contestant: ask the ten most similar training digits and let them vote. No network, no training.

# %%
my_prediction = (None, None, None)  # shares: architecture alone, regularisation alone, ten nearest neighbours

# %% [markdown]
# ## 2. The block
#
# First the thing itself. A **pre-norm block** is a residual block whose branch begins with a layer norm and drops hidden units:
#
# | on the branch | shape |
# |---|---|
# | layer norm, with its scale and shift | (N, D) |
# | first affine layer, then ReLU | (N, H) |
# | dropout: the mask of this step multiplies | (N, H) |
# | second affine layer | (N, D) |
#
# Then the branch is added to the block's input. *Which* input, the raw or the normalised one, is half of what makes the block work; the docstring tells, and so does its name. (The order is that of He et al. 2016 and, with a layer norm, of today's Transformers, Xiong et al. 2020.)
#
# The mask comes in as an argument. So the block draws nothing, and forward and backward cannot disagree about what was dropped.

# %% exercise="pre_norm_block"

# %% check="pre_norm_block"

# %% [markdown]
# Does the norm matter when there are skips already? Here is a stack of such blocks right after initialisation (He), before any training. **Predict** the mean square of what leaves 50 blocks, when what went in had 1: without norms, and with them. Then with every branch divided by √L.

# %%
@experiment("pre_norm_block")
def growth():
    depth, sizes = 50, {}
    for name, norm, scale in (("no norm", False, 1), ("no norm, 1/√L", False, 50**-0.5), ("pre-norm", True, 1), ("pre-norm, 1/√L", True, 50**-0.5)):
        rng, path = np.random.default_rng(0), [1.0]
        a = rng.normal(size=(100, 64))
        for _ in range(depth):
            W1, W2 = rng.normal(scale=(2 / 64) ** 0.5, size=(2, 64, 64))
            zero, one = np.zeros(64), np.ones(64)
            a = pre_norm_block(a, one, zero, W1, zero, W2 * scale, zero, np.ones((100, 64))) if norm else a + relu(a @ W1) @ W2 * scale
            path.append(float((a * a).mean()))
        sizes[name] = np.array(path)
    fig, ax = plots.figure(width=6.4)
    plots.lines(ax, np.arange(depth + 1), sizes, log="y", xlabel="blocks", ylabel="mean square of the state")
    plots.show(fig, "Mean square of the state against the number of blocks, logarithmic. Without a norm: a straight line upwards, beyond 1e24 after 50 blocks. Pre-norm: rises to about 100 and bends, since it grows by an equal amount with each block. With branches divided by the root of the depth both stay below 10.")
    expect("no norm, unscaled, log10 after 50 blocks", np.log10(sizes["no norm"][-1]), 22, 27)
    for name, low, high in (("no norm, 1/√L", 4, 11), ("pre-norm", 75, 125), ("pre-norm, 1/√L", 2.4, 3.6)):
        expect(f"{name}, after 50 blocks", sizes[name][-1], low, high)

# %% [markdown]
# Residuals alone do not stop growth. Without a norm a branch is as large as what it reads, so each block *multiplies* the square, here by about 3. Behind a norm the branch has the same size whatever comes in, so each block *adds* about 2. A line instead of an exponential.
#
# ## 3. The way back
#
# You have every piece: affine layers, ReLU, dropout's mask, layer norm, the sum of two paths. Write the forward in four lines and go back through them, on paper:
#
# 1. $y = x + u W_2 + b_2$. Where does dy go? Three places, and one of them is x itself.
# 2. $u = m \odot \mathrm{ReLU}(z)$ with the mask m. What reaches z, and where is it 0 for two different reasons?
# 3. $z = h W_1 + b_1$. What did $W_1$ read: x, or something else?
# 4. $h = \gamma \hat x + \beta$. The gradient in h goes through `layer_norm_backward`, which you wrote: it gives dγ and dβ, and the branch's share of dx.
#
# **Before you run the check:** if the branch were silent (W₂ = 0), what would dx be? Which of the seven gradients would be 0, and which one would not be, so that the block can wake up?

# %% exercise="pre_norm_block_backward"

# %% check="pre_norm_block_backward"

# %%
@experiment("pre_norm_block", "pre_norm_block_backward")
def slope_by_hand():
    rng = np.random.default_rng(0)
    block = [rng.uniform(0.5, 2, size=4), rng.normal(size=4), rng.normal(size=(4, 6)), rng.normal(size=6), rng.normal(size=(6, 4)), rng.normal(size=4)]
    x, dy, step = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), 1e-6
    mask = dropout(np.ones((3, 6)), 0.3, training=True, rng=rng)[1]
    up, down = x.copy(), x.copy()
    up[1, 2] += step
    down[1, 2] -= step
    slope = (dy * (pre_norm_block(up, *block, mask) - pre_norm_block(down, *block, mask))).sum() / (2 * step)
    print(f"dx[1, 2]: measured {slope:.6f}, your formula {pre_norm_block_backward(dy, x, *block, mask)[0][1, 2]:.6f}")
    block[4] = np.zeros((6, 4))
    asleep = pre_norm_block_backward(dy, x, *block, mask)
    names = ("dx", "dgamma", "dbeta", "dW1", "db1", "dW2", "db2")
    print("a silent branch, gradients that are not 0:", ", ".join(n for n, g in zip(names, asleep, strict=True) if np.abs(g).max() > 0))

# %% [markdown]
# With W₂ = 0 the block is the identity, forward and back, yet it is not dead: dW₂ and db₂ are there, and after one step the others follow. Some recipes begin exactly so.
#
# ## 4. The same block, with attention (a bonus)
#
# A Transformer block (Vaswani et al. 2017) is two such branches in a row. The first lets the positions of a sequence look at each other: multi-head attention. The second is your branch without dropout, applied to each position on its own.
#
# The paper normalised *after* each sum, and needed a warm-up to train. Here each norm stands at the beginning of its branch.

# %% exercise="transformer_block"

# %% check="transformer_block"

# %% [markdown]
# Nothing in it knows what comes first. **Predict:** shuffle the positions of a sequence, run the block, and undo the shuffling. How far is the result from the block's answer to the original? And if a positional encoding is added to each sequence as it stands?

# %%
@experiment("transformer_block")
def blind_to_order():
    rng = np.random.default_rng(0)
    norm = np.ones(8), np.zeros(8)
    arrays = [rng.normal(scale=8**-0.5, size=(8, 8)) for _ in range(4)]
    net = rng.normal(size=(8, 16)), np.zeros(16), rng.normal(size=(16, 8)) / 16, np.zeros(8)
    x, order = rng.normal(size=(1, 6, 8)), np.array([3, 0, 5, 1, 4, 2])

    def block(a):
        return transformer_block(a, norm, *arrays, 2, norm, *net)

    positions = positional_encoding(6, 8)
    plain = np.abs(block(x[:, order]) - block(x)[:, order]).max()
    placed = np.abs(block(x[:, order] + positions) - block(x + positions)[:, order]).max()
    print(f"without positions the difference is below 1e-12: {bool(plain < 1e-12)}; with positions it is {placed:.1f}")

# %% [markdown]
# Without positions a sentence is a bag of words. (With a causal mask it is not quite: each word sees how many come before it.)
#
# ## 5. Labels that lie
#
# Now the data. Digits, but no table will recognise them: the pixels are shuffled, the classes renamed, every pixel has a gain of its own, and there is some noise. 600 to learn from, 150 to choose with, 450 to be tested on. In the first two sets every fifth label is replaced by a wrong one. The test is clean.

# %%
parts = data.mislabelled_digits(600, 150, 450, rng=np.random.default_rng(0))
wrong = parts.y != parts.y_right
fig, axes = plots.figure(6, width=1.3, height=1.6)
titles = [f"label {y}" + (f", really {t}" if y != t else "") for y, t in zip(parts.y[:6], parts.y_right[:6], strict=True)]
plots.images(axes, parts.x[:6].reshape(6, 8, 8), titles)
plots.show(fig, "Six training examples as 8 by 8 pictures: speckles in which no digit can be seen, each with its label.")
print(f"{wrong.mean():.0%} of {len(wrong)} training labels are wrong")

# %% [markdown]
# ### The task
#
# `train(x, y, x_val, y_val, rng=rng)` gets such data and returns a model of your design; `predict(model, x)` says the labels. You are free in everything: what the network is, what regularises it, when it stops.
#
# **The scale.** The judge has other pixels, classes and digits than you. Test accuracy up to **0.85** earns nothing: that is what a plain network of equal size reaches on the average (with one hidden layer; with seven it is 0.79). From **0.91** on it earns everything, and straight between; you hand in against two data sets, and the mean of the two shares counts. The library's network reaches 0.94; on 40 data sets that nothing had been chosen on, the least was 0.920. So that nobody pays for an unlucky draw, full is never more than two hundredths below what it reaches on the very data you are judged by.
#
# **The budget.** The data may be multiplied **200 times**. `x` and `x_val` are arrays that count: a forward of 600 rows is one pass, the gradient of the first weights another, a look at all of `x_val` a quarter. So an epoch costs about 2.25. Shuffling, slicing, normalising and dropping are free. Pass 200, and `class4lib.counting.BudgetSpent` is raised inside your product; you may catch it and return the best model so far. (The count is for fair play. It lives in your own process, and who wants to cheat it can. Processor time is limited from outside.)
#
# **What may be used.** All of the library's functions of earlier parts, openly. The blocks are your own; should one of them be missing or wrong when you hand in, `train` is judged with the library's, and says so: the block's own points are lost, `train`'s are not. `train` and `predict` are judged together, each with your other one.
#
# Begin small: one affine layer, one block, one affine layer. Look at the accuracy on `x_val`, and remember what the best possible value there is. (A fifth of its labels is wrong.)

# %% exercise="train"

# %% [markdown]
# Predicting is the forward pass of training with everything random switched off and nothing taken from the rows at hand: a digit's label must not depend on its neighbours in the file. (*Batch norm* had a story about that.)

# %% exercise="predict"

# %% check="train"

# %% check="predict"

# %% [markdown]
# ## 6. Against a plain network
#
# Yours, with the passes it took; and two plain ones of as many parameters, trained for 60 epochs on the same labels.

# %%
def plain_net(n_hidden, width, seed=0):
    """A dense ReLU net trained on the noisy labels as they are; a function of rows that gives scores."""
    rng, mean, scale = np.random.default_rng(seed), parts.x.mean(axis=0), parts.x.std()
    blocks = [affine_block(n_in, width, "he", rng=rng, activation="relu") for n_in in [64] + [width] * (n_hidden - 1)]
    net = Stack([*blocks, affine_block(width, 10, rng=rng)])
    fit(net.params, objective(net), (parts.x - mean) / scale, np.eye(10)[parts.y], lr=0.01, momentum=0.9, n_epochs=60, batch_size=32, rng=rng)
    return net.n_parameters, lambda x: net((x - mean) / scale)


# %%
@experiment("train", "predict")
def against_plain_networks():
    with budget(parts.x, parts.x_val, 200) as (x, x_val, spent):
        model = train(x, parts.y, x_val, parts.y_val, rng=np.random.default_rng(1))
    answers = {"yours": lambda x: np.asarray(predict(model, x))}
    for n_hidden, width in ((7, 64), (1, 401)):
        n_parameters, scores = plain_net(n_hidden, width)
        answers[f"plain, {n_hidden} hidden"] = lambda x, scores=scores: scores(x).argmax(axis=1)
        print(f"plain, {n_hidden} hidden: {n_parameters} parameters")
    right = {name: float((f(parts.x_test) == parts.y_test).mean()) for name, f in answers.items()}
    believed = {name: float((f(parts.x[wrong]) == parts.y[wrong]).mean()) for name, f in answers.items()}
    fig, (left, other) = plots.figure(2)
    plots.bars(left, right, title="right on the test", form=".2f")
    plots.bars(other, believed, title="wrong training labels repeated", form=".2f")
    plots.show(fig, "Two bar charts, three networks. Right on the test: yours 0.94, the plain ones 0.81 and 0.84. Wrong training labels repeated: the plain networks nearly all of them, yours about one in ten.")
    expect("your passes, of 200", spent.passes, 20, 200, ".0f")
    expect("yours, on the test", right["yours"], 0.91, 0.98)
    expect("plain with seven hidden layers", right["plain, 7 hidden"], 0.67, 0.87)
    expect("plain with one hidden layer", right["plain, 1 hidden"], 0.79, 0.92)
    expect("wrong labels that yours repeats", believed["yours"], 0.0, 0.2)
    expect("wrong labels that the plain ones repeat, the least", min(list(believed.values())[1:]), 0.8, 1.0)

# %% [markdown]
# The right-hand side is the whole story. The plain networks say of nearly every mislabelled digit what its wrong label says: they have learnt the lies by heart, and room for that was made at the digits' expense. Yours contradicts its own training labels, and is right to.
#
# ## 7. Taken apart
#
# Two halves, on or off: four networks. `stack` builds three blocks from your functions, or from the same branch without skip and norm. Each network is watched after every epoch on three sets.

# %%
def bare(x, gamma, beta, W1, b1, W2, b2, mask):
    """The block's branch alone: no skip, no norm."""
    return relu(x @ W1 + b1) * mask @ W2 + b2


def bare_backward(dy, x, gamma, beta, W1, b1, W2, b2, mask):
    hidden = relu(x @ W1 + b1)
    dz = (dy @ W2.T) * mask * (hidden > 0)
    return dz @ W1.T, 0 * gamma, 0 * beta, x.T @ dz, dz.sum(axis=0), (hidden * mask).T @ dy, dy.sum(axis=0)


def stack(pair, p, rng):
    """Affine, three blocks of width 64 made of a pair of functions, affine; and the blocks, which draw masks while they train."""
    branch_scale = 3**-0.5 if pair[0] is not bare else 1.0
    dropping, blocks = [Dropping(*pair, 64, p, rng=rng) for _ in range(3)], []
    for d in dropping:
        W1, W2 = rng.normal(scale=1 / 8, size=(2, 64, 64))
        blocks.append(Block(d.forward, d.backward, [np.ones(64), np.zeros(64), 2**0.5 * W1, np.zeros(64), branch_scale * W2, np.zeros(64)]))
    return Stack([affine_block(64, 64, rng=rng), *blocks, affine_block(64, 10, rng=rng)]), dropping


# %%
def watched(pair, *, p, smoothing, stop, seed=1, n_epochs=60):
    """Train on the noisy labels; accuracy after each epoch on training labels as given, validation and test, and of the network that is kept."""
    rng, (mean, scale) = np.random.default_rng(seed), (parts.x.mean(axis=0), parts.x.std())
    x, x_val, x_test = ((a - mean) / scale for a in (parts.x, parts.x_val, parts.x_test))
    net, dropping = stack(pair, p, rng)
    step, stopping, curves = objective(net), EarlyStopping(20), []
    smooth = label_smoothing(parts.y_val, 10, smoothing)

    def loss_and_grads(x, targets):
        return step(dropout(x, p, training=True, rng=rng)[0], targets)

    def after_epoch(epoch):
        for d in dropping:
            d.training = False
        scores = [net(a) for a in (x, x_val, x_test)]
        for d in dropping:
            d.training = True
        curves.append([accuracy(s, y) for s, y in zip(scores, (parts.y, parts.y_val, parts.y_test), strict=True)])
        return stopping.step(softmax_cross_entropy(scores[1], smooth), epoch) and stop

    fit(net.params, loss_and_grads, x, label_smoothing(parts.y, 10, smoothing), lr=0.02, momentum=0.9, n_epochs=n_epochs, batch_size=64, rng=rng, after_epoch=after_epoch)
    curves = np.array(curves)
    return curves, float(curves[stopping.best_state if stop else -1, 2])


# %%
@experiment("pre_norm_block", "pre_norm_block_backward")
def two_halves():
    pairs = {"skip and norm": (pre_norm_block, pre_norm_block_backward), "neither": (bare, bare_backward)}
    settings = {"regularised": {"p": 0.3, "smoothing": 0.3, "stop": True}, "not": {"p": 0.0, "smoothing": 0.0, "stop": False}}
    runs = {(a, b): watched(pairs[a], **settings[b]) for a in pairs for b in settings}
    table = np.array([[runs[a, b][1] for b in settings] for a in pairs])
    fig, ax = plots.figure(width=4.4, height=2.8)
    plots.heatmap(ax, table, numbers=True, title="test accuracy")
    ax.set_xticks(range(2), settings)
    ax.set_yticks(range(2), pairs)
    plots.show(fig, "Two by two table of test accuracies. The regularised column is about 0.94 with skip and norm and about as high with neither; the column that is not regularised is between 0.7 and 0.8.")
    expect("both halves", table[0, 0], 0.91, 0.98)
    expect("architecture alone", table[0, 1], 0.72, 0.89)
    expect("regularisation alone", table[1, 0], 0.90, 0.98)
    expect("neither", table[1, 1], 0.66, 0.88)
    print("your prediction:", my_prediction)
    return runs

# %% [markdown]
# Here is the honest surprise: read the rows, then the columns. One run is one draw, so here are the means over eight data sets: both 0.951, regularisation alone 0.949, architecture alone 0.820, neither 0.799. At three blocks the gap to the plain network is **regularisation**. Skip and norm are worth two points where nothing regularises, and nothing where something does: in three blocks nothing vanishes, so there is little to repair. They matter where depth does (*residual connections*: thirty layers that do not train at all without them). Whoever reports "our residual network beats the plain one" has to say which of the two it was.
#
# Now watch the two of them that have skip and norm. **Predict** the shape of four curves: accuracy on the training labels as given, and on the test, with regularisers and without. Which of the four can reach 1.00, and which must not go beyond about 0.8?

# %%
@experiment("pre_norm_block", "pre_norm_block_backward")
def curves_under_noise():
    fig, axes = plots.figure(2, width=4.8)
    for ax, setting, title in zip(axes, ("not", "regularised"), ("not regularised", "regularised"), strict=True):
        curves = two_halves["skip and norm", setting][0]
        names = ("training labels", "validation labels", "test")
        ax.set_ylim(0.4, 1.03)
        plots.lines(ax, np.arange(1, len(curves) + 1), dict(zip(names, curves.T, strict=True)), xlabel="epoch", ylabel="accuracy", title=title)
    plots.show(fig, "Accuracy against epochs, two panels. Not regularised: on the training labels it rises to 1.0; the test rises to about 0.9 within a few epochs and then falls to about 0.8. Regularised: training and validation labels both stay near 0.8, and the test rises to 0.94 within ten epochs and stays.")
    plain, regular = (two_halves["skip and norm", s][0] for s in ("not", "regularised"))
    expect("not regularised: training labels in the end", plain[-1, 0], 0.97, 1.0)
    expect("regularised: training labels in the end", regular[-1, 0], 0.74, 0.90)
    expect("not regularised: best test accuracy on the way", plain[:, 2].max(), 0.82, 0.95)
    expect("regularised: test in the end", regular[-1, 2], 0.91, 0.97)

# %% [markdown]
# A network that is 100 % right about labels of which a fifth is wrong has learnt 120 lies. The regularised one stops near 0.8, which is as much as there is to know. Its validation accuracy is that low as well, and still good for choosing: wrong labels cost every candidate about the same. (For *reporting* they would not do. Nobody could tell 0.94 from 0.8 without the clean test.)
#
# On the left the test curve had been at 0.9 after five epochs: stopping there would have gained much of the gap. So which of the three regularisers is it? **Predict**, then take them away one at a time.

# %%
@experiment("pre_norm_block", "pre_norm_block_backward")
def which_regulariser():
    pair = pre_norm_block, pre_norm_block_backward
    every = {"p": 0.3, "smoothing": 0.3, "stop": True}
    changed = {"no dropout": {"p": 0.0}, "no smoothing": {"smoothing": 0.0}, "no stopping": {"stop": False}}
    shares = {"all three": two_halves["skip and norm", "regularised"][1]} | {name: watched(pair, **{**every, **change})[1] for name, change in changed.items()}
    shares["none"] = two_halves["skip and norm", "not"][1]
    fig, ax = plots.figure(width=5.2, height=2.6)
    plots.bars(ax, shares, xlabel="test accuracy", form=".3f")
    plots.show(fig, "Bars of test accuracy. All three regularisers, no smoothing and no stopping lie close together at 0.93 to 0.94; no dropout is a little lower, 0.90; none is far below.")
    for name, low, high in (("no dropout", 0.86, 0.96), ("no smoothing", 0.85, 0.97), ("no stopping", 0.91, 0.98)):
        expect(name, shares[name], low, high)

# %% [markdown]
# Take one away and the others cover for most of it; take all away and 13 points are gone. These are single runs, whose differences are about as large as another seed would make. The means over eight data sets: all three 0.951, no dropout 0.916, no smoothing 0.922, no stopping 0.953. So dropout and smoothing are worth three points each beside the other; and with both of them there is nothing left to stop: the loss on `x_val` falls nearly to the end.
#
# And the contestants that are no networks: the ten neighbours, and a linear map fitted in one line (ridge regression on the labels). **Predict** the second one, too.

# %%
def neighbours(x, k=10):
    """The label that most of the k most similar training digits carry."""
    scale = parts.x.std(axis=0) + 0.1 * parts.x.std()
    distances = ((x[:, None] / scale - parts.x / scale) ** 2).sum(axis=2)
    votes = np.eye(10)[parts.y[np.argsort(distances, axis=1)[:, :k]]].sum(axis=1)
    return votes.argmax(axis=1)


@experiment()
def no_networks():
    mean, scale = parts.x.mean(axis=0), parts.x.std()
    x, x_test = (parts.x - mean) / scale, (parts.x_test - mean) / scale
    W = np.linalg.solve(x.T @ x + 30 * np.eye(64), x.T @ (np.eye(10)[parts.y] - 0.1))
    expect("ridge regression, on the test", accuracy(x_test @ W, parts.y_test), 0.86, 0.96)
    expect("ten nearest neighbours, on the test", float((neighbours(parts.x_test) == parts.y_test).mean()), 0.91, 0.98)

# %% [markdown]
# The neighbours tie with the network. (On 40 data sets: neighbours 0.942, the library's network 0.941.) Ten votes, of which two are wrong on the average, outvote the lies. And the linear map, 0.912 on the same forty, beats every plain network by far: 640 weights with a penalty cannot learn 120 lies by heart. The scale of section 5 cannot tell either of them from a network; both would get (nearly) every point. Keep that for the question at the end.

# %% [markdown]
# ## 8. The same in PyTorch
#
# Your blocks against PyTorch's: forward and gradients of the pre-norm block by autograd, and the Transformer block against `nn.TransformerEncoderLayer` with `norm_first=True`.

# %%
import torch


@experiment("pre_norm_block", "pre_norm_block_backward")
def block_against_pytorch():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((5, 4), 4, 4, (4, 6), 6, (6, 4), 4)]
    mask, dy = dropout(np.ones((5, 6)), 0.3, training=True, rng=rng)[1], rng.normal(size=(5, 4))
    x, gamma, beta, W1, b1, W2, b2 = tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    hidden = torch.relu(torch.nn.functional.layer_norm(x, (4,), gamma, beta) @ W1 + b1) * torch.tensor(mask)
    y = x + hidden @ W2 + b2
    y.backward(torch.tensor(dy))
    mine = [pre_norm_block(*arrays, mask), *pre_norm_block_backward(dy, *arrays, mask)]
    for name, a, b in zip(("y", "dx", "dgamma", "dbeta", "dW1", "db1", "dW2", "db2"), mine, [y, *(t.grad for t in tensors)], strict=True):
        print(f"{name:7} yours {np.ravel(a)[0]:+.6f}  PyTorch {b.detach().numpy().ravel()[0]:+.6f}  all equal to 1e-12: {bool(np.abs(a - b.detach().numpy()).max() < 1e-12)}")


# %%
@experiment("transformer_block")
def transformer_against_pytorch():
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True, dtype=torch.float64)
    x, keep = np.random.default_rng(0).normal(size=(2, 5, 8)), np.tril(np.ones((5, 5), dtype=bool))
    with torch.no_grad():
        layer.self_attn.in_proj_bias.zero_()  # ours has no biases there
        layer.self_attn.out_proj.bias.zero_()
        theirs = layer(torch.tensor(x), src_mask=torch.tensor(~keep)).numpy()  # their True blocks
    p = {name: a.detach().numpy() for name, a in layer.named_parameters()}
    W_q, W_k, W_v = (W.T for W in np.split(p["self_attn.in_proj_weight"], 3))
    norms = [(p[f"norm{i}.weight"], p[f"norm{i}.bias"]) for i in (1, 2)]
    net = p["linear1.weight"].T, p["linear1.bias"], p["linear2.weight"].T, p["linear2.bias"]
    mine = transformer_block(x, norms[0], W_q, W_k, W_v, p["self_attn.out_proj.weight"].T, 2, norms[1], *net, keep)
    print(f"Transformer block, largest difference below 1e-12: {bool(np.abs(mine - theirs).max() < 1e-12)}")

# %% [markdown]
# Now your block in tensor operations. The mask is given, so nothing may be drawn; autograd does section 3 by itself.

# %% exercise="pre_norm_block_in_torch"

# %% check="pre_norm_block_in_torch"

# %% [markdown]
# ## 9. In your own words
#
# Ten nearest neighbours, without any training, do as well on these digits as the network you worked on for an hour. A colleague concludes: *"Then networks are not worth it."* Another one: *"Neighbours cannot be meant seriously."* Write to both. Say (a) why the vote of ten resists wrong labels, and what in your network does the same work; (b) for which data or use you would expect the network to win, with a reason, and for which the neighbours; (c) what you would report about this comparison, to be fair, and what you would measure next. Use at least two figures of this notebook. (Eight sentences.)

# %% [markdown] written="worth_it"
# (a) Among ten neighbours of the right kind about two carry a wrong label, and each of the nine wrong classes gets a vote at most now and then: the majority is almost always the right class, so averaging over ten labels removes the lies. In the network dropout, smoothing and stopping keep it from fitting single labels: it repeats about one in ten of the wrong training labels, where a plain net repeats nearly all and falls to 0.79. (b) Neighbours need a distance that means something: 64 pixels of centred digits are such a case, while in large images, in text or with many useless features raw distances say little, and a network learns its own features. They must keep all training data and compare with each of them at every prediction, the network keeps 30,154 numbers whatever N is; with millions of examples, or on a small device, I would take the network. With a few hundred examples, a good distance, and labels that change every day I would take the neighbours: nothing to train, and each answer can be shown with its ten witnesses. (c) To be fair: 0.942 against 0.941 on 40 data sets is a tie, k = 10 and the network's recipe were both chosen on other data sets of the same digits, and one kind of data was tried. And at three blocks it was regularisation (0.80 to 0.94), not the architecture, that made the network's share. Next I would shift the digits by a pixel, add useless features and take more data, and see which of the two falls first. So: neighbours are the baseline that any network has to be compared with, and here the network has not beaten it.
#
# Rubric:
# - **full** the vote as averaging over labels, and its counterpart in the network; a case for each of the two with a reason (distance or features, cost of prediction, amount of data); says that here it is a tie on one kind of data, or what would have to be measured; two figures used rightly
# - **half** takes one side with a sound reason but has no case for the other, or does not explain why wrong labels do little harm, or uses no figures
# - **none** "networks are more powerful" or "the simpler is always better", without a reason from this notebook

# %% [markdown]
# ## 10. A quiz over the whole class
#
# Practice only: no points, nothing is stored. Each choice, right or wrong, has its own explanation; the wrong ones are often the more instructive. `answer("depth", "b")` shows one.

# %%
ask("architectures")

# %%
answer("depth", "a")  # another letter, another name: as often as you like

# %%
ask("regularisation")

# %%
answer("dropout", "a")

# %%
ask("losses")

# %%
answer("huber", "a")

# %%
ask("normalisation", "attention and design")

# %%
answer("attention", "a")

# %% [markdown]
# ## Recap
#
# The whole class, one line a part:
#
# 1. **Architectures.** Depth multiplies what a network can represent, and the product over layers decides whether it can be trained. x + F(x) keeps a path open; it does not by itself keep sizes in check. The norm on the branch turns an exponential into a line.
# 2. **Regularisation.** Dropout, stopping and augmentation are penalties in disguise, and an augmentation is a claim about labels. Under wrong labels they were the difference between 0.8 and 0.94.
# 3. **Losses.** A loss is a claim about noise: Gaussian, Laplace, Bernoulli. Take the gradient at the logits, and the units of two tasks into account.
# 4. **Normalisation.** One formula; what matters is which numbers share a mean. The Lipschitz bound of a chain is a product, and a skip adds 1 to its factor.
# 5. **Attention and design.** A softmax that chooses what to read; a search that chooses on validation and reports on test. And the first competitor of every network is the one that needs no training.
#
# **The recap question.** For choosing, yes: wrong labels lower everybody's accuracy by about the same share, so the order mostly stays (with more noise in it: 150 labels are few). For reporting, no: on labels of which a fifth is wrong the best possible network shows about 0.8, and the one that repeats mistakes could even show more.
#
# **To read**, one for each part: He, Zhang, Ren and Sun 2016, *Identity Mappings in Deep Residual Networks*; Srivastava et al. 2014, *Dropout*; Zhang, Bengio, Hardt, Recht and Vinyals 2017, *Understanding Deep Learning Requires Rethinking Generalization* (networks that learn random labels by heart); Müller, Kornblith and Hinton 2019, *When Does Label Smoothing Help?*; Xiong et al. 2020, *On Layer Normalization in the Transformer Architecture*; Vaswani et al. 2017, *Attention Is All You Need*; and for the humility, Cover and Hart 1967, *Nearest Neighbor Pattern Classification*.
