# %% [markdown]
# # Attention
#
# **You will be able to** let every query choose for itself which keys to read, forward and backward, with masks that really hide; say why energies are divided by a root, and what attention cannot see; and train a model whose map of who looked where you can look at.
#
# **Time** about two hours · **Needs** *softmax and cross-entropy* (the Jacobian), *vanishing gradients* (backward passes) · **Symbols** T queries, S keys, e energies, α attention weights (the slides use α for architectures too), d the length of one query, D the width of a sequence's vectors. s and h are the slides' names for queries and keys of the additive kind; s was a deviation in the last part. W is used as x @ W.
#
# **Recap question.** Softmax's Jacobian was diag(p) − ppᵀ. One probability is 1 to ten digits, the others are nearly 0. What is the Jacobian then, and what arrives at the logits, whatever the loss says? Keep your answer; section 4 drives a model into that corner.

# %% setup=true
import math

import numpy as np

from class4lib import plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.softmax_cross_entropy import softmax_cross_entropy, softmax_cross_entropy_grad
from class4lib.training import fit

# %% [markdown]
# ## 1. Backwards, please
#
# A model gets eight random digits, say 4 7 7 0 2 9 1 7, and has to write them backwards: 7 1 9 2 0 7 7 4. Nothing could be easier to explain. For each of the eight places it writes to, the model computes how much it wants to look at each of the eight digits, and reads a weighted mean. It *can* look anywhere.
#
# It is trained to the end, and gets **30 of 100** digits right. Guessing gets 10. A wider model gets 30; ten times the data, 30. Then somebody adds one line, and it gets 100 of 100.
#
# **Predict before you read on.** The line adds a fixed array to what the model sees. It holds nothing about any digit. What does it tell the model?

# %%
my_prediction = None  # in a few words: what did the model not know?

# %% [markdown]
# ## 2. One unit of attention
#
# Each of T **queries** has an **energy** $e_{ij}$ for each of S **keys**: how well does key j answer question i? A softmax turns a query's energies into weights (Bahdanau, Cho and Bengio 2015):
#
# $$\alpha_{ij} = \frac{e^{e_{ij}}}{\sum_{k=1}^{S} e^{e_{ik}}}$$
#
# You have written this function before. What is new is a **mask**. Some pairs must not look at each other: padding at the end of a short sentence, the future of a sequence that is being written. The convention in this course, and half of the mistakes that people make:
#
# - a mask is made of booleans, and **True keeps** the pair;
# - the sums run over the keys that are *kept*: those that are hidden do not exist;
# - a mask may be smaller than (…, T, S), if it broadcasts to it: (S,) hides a key from everybody.
#
# **Before you write it:** a query may find that *all* keys are hidden. What would a plain softmax over no keys give? What should the query get?

# %% exercise="attention_weights"

# %% check="attention_weights"

# %% [markdown]
# Three claims about your function. Say *true* or *false* to each, then run. (1) All rows sum to 1. (2) A hidden key has a weight of exactly 0, not nearly 0. (3) Raising a hidden key's energy by 500 changes nothing, not even the last bit.

# %%
@experiment("attention_weights")
def three_claims():
    rng = np.random.default_rng(0)
    e, mask = rng.normal(scale=3, size=(4, 6)), rng.random((4, 6)) < 0.6
    mask[2] = False  # a query that may look at nobody
    weights = attention_weights(e, mask)
    print("(1) row sums:", weights.sum(axis=1).round(12) + 0.0)
    print("(2) exactly 0 where hidden:", bool((weights[~mask] == 0).all()))
    print("(3) unmoved by hidden energies:", bool((attention_weights(e + 500 * ~mask, mask) == weights).all()))

# %% [markdown]
# (1) has one exception, and we chose it: the query without any key gets 0, which adds nothing and passes no gradient. It is a decision and not a theorem. PyTorch decides twice, differently; you will see in section 8.

# %% [markdown]
# ## 3. A small network asks
#
# Where do energies come from? On the slides $e_{ij} = a(\mathbf s_i, \mathbf h_j)$, and the first answer was a net with one hidden layer, called **additive** attention:
#
# $$e_{ij} = v \cdot \tanh(s_i W + h_j U)$$
#
# One net serves all T·S pairs. Projecting each query and each key *once*, before they meet, makes it cheap; how broadcasting brings each with each is your part.
#
# **A question first.** Could one save the tanh, and use $v \cdot (s_i W + h_j U)$? Write a query's row of energies as (something of i) + (something of j), and send it through a softmax over j. What is left of i?

# %% exercise="additive_energies"

# %% check="additive_energies"

# %%
@experiment("attention_weights", "additive_energies")
def why_the_tanh():
    rng = np.random.default_rng(0)
    s, h, W, U, v = rng.normal(size=(1, 3, 4)), rng.normal(size=(1, 5, 4)), rng.normal(size=(4, 6)), rng.normal(size=(4, 6)), rng.normal(size=6)
    linear = np.array([[[(query @ W + key @ U) @ v for key in h[0]] for query in s[0]]])
    for name, e in (("with tanh", additive_energies(s, h, W, U, v)), ("without", linear)):
        print(name)
        print(attention_weights(e)[0].round(3))

# %% [markdown]
# Without the tanh all three queries look at the same keys: what depends on i alone is a shift of the row, and softmax does not see shifts. Query and key must meet *inside* something that is not linear.
#
# What a query then reads is the mean of the keys, weighted: $c_i = \sum_j \alpha_{ij} h_j$, its **context**.

# %% exercise="context_vectors"

# %% check="context_vectors"

# %% [markdown]
# ## 4. A product asks
#
# Vaswani et al. (2017) drop the net. Each query is a vector, each key is a vector of the same length d, and the energy is their dot product. What is read need not be the keys; it is a third set of vectors, the **values**:
#
# $$\operatorname{Attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right) V$$
#
# Where does that root come from? Let all entries of Q and K be independent, with mean 0 and variance 1. An energy is a sum of d products. **Predict** the standard deviation of an energy for d = 16 and d = 1024, then look.

# %%
for d in (16, 1024):
    rng = np.random.default_rng(0)
    energies = rng.normal(size=(500, d)) @ rng.normal(size=(32, d)).T
    print(f"d = {d:4}: standard deviation of an energy {energies.std():.1f}")

# %% [markdown]
# Variances add: each product has variance 1, their sum has d. At d = 1024 two energies easily differ by 50, and $e^{50}$ is more than $10^{21}$.

# %% exercise="scaled_dot_product_attention"

# %% check="scaled_dot_product_attention"

# %% [markdown]
# 500 random queries, 32 random keys: nobody has a reason to prefer anybody. **Predict** the largest of a query's 32 weights at d = 1024, with the root and without it. (If all were equal it would be 0.03.)

# %%
@experiment("attention_weights")
def frozen_or_not():
    rng, widths = np.random.default_rng(0), 4 ** np.arange(1, 7)
    largest, entropy = {"without the root": [], "with the root": []}, {}
    for d in widths:
        energies = rng.normal(size=(500, d)) @ rng.normal(size=(32, d)).T
        for name, e in (("without the root", energies), ("with the root", energies / d**0.5)):
            w = attention_weights(e)
            largest[name].append(w.max(axis=1).mean())
            entropy[name, int(d)] = -(w * np.log(np.where(w > 0, w, 1))).sum(axis=1).mean() / np.log(32)
    fig, ax = plots.figure(width=6)
    plots.lines(ax, widths, {n: np.array(v) for n, v in largest.items()}, log="x", xlabel="length d of a query", ylabel="largest of 32 weights, mean")
    plots.show(fig, "Mean largest weight against the length of a query, 4 to 4096 on a logarithmic scale. Without the root it climbs from about 0.35 to 0.98; with the root it stays near 0.16 throughout.")
    for name, bands in (("without the root", ((0.93, 0.99), (0.015, 0.05))), ("with the root", ((0.15, 0.18), (0.85, 0.89)))):
        expect(f"largest weight at d = 1024, {name}", largest[name][4], *bands[0])
        expect(f"entropy, as a share of log 32, {name}", entropy[name, 1024], *bands[1])

# %% [markdown]
# Without the root an *untrained* model is already sure of itself, for no reason. That would not matter if it could change its mind. Can it? For that you need the way back.

# %% [markdown]
# ## 5. The way back
#
# First through the softmax. You know $\frac{\partial p_k}{\partial e_j} = p_k([k = j] - p_j)$ from *softmax and cross-entropy*. For one row
#
# $$\frac{\partial L}{\partial e_j} = \sum_k \frac{\partial L}{\partial p_k} \frac{\partial p_k}{\partial e_j} = \;?$$
#
# Put the Jacobian in, and split the sum at the minus sign. In one part only k = j survives. In the other, something does not depend on k and comes out in front. What remains is **one number per row**: no S × S matrix is ever needed, which for S = 10,000 keys is the difference between 80 kilobytes and 800 megabytes, for each query.
#
# **Before the check:** what must a row of the result sum to? And what reaches a key of weight 0?

# %% exercise="softmax_backward"

# %% check="softmax_backward"

# %% [markdown]
# Now the recap question, measured. The same random gradient arrives at the weights of 500 queries, once with the root and once without.

# %%
@experiment("attention_weights", "softmax_backward")
def what_arrives():
    rng = np.random.default_rng(0)
    energies, arrives = rng.normal(size=(500, 1024)) @ rng.normal(size=(32, 1024)).T, {}
    dprobs = rng.normal(size=energies.shape)
    for name, e in (("without", energies), ("with", energies / 32)):
        arrives[name] = np.abs(softmax_backward(dprobs, attention_weights(e))).mean()
    expect("mean size of the gradient in an energy, with the root", arrives["with"], 0.022, 0.026)
    expect("without it", arrives["without"], 0.0012, 0.0032, ".2g")
    expect("times as much", arrives["with"] / arrives["without"], 7, 20, ".2g")

# %% [markdown]
# A row that is sure of itself passes about a tenth. The factor $p_k([k=j]-p_j)$ is nearly 0 for every pair. This is the vanishing gradient again, within one layer, and one root prevents it.
#
# ### Through the whole of it
#
# $E = QK^\top/\sqrt d$, then $A = \operatorname{softmax}(E)$, then $y = AV$. Walk back through the three. The rule for a product $y = AV$ you know from every affine layer; it is used twice here, and once its left factor is a *computed* matrix. Where does a masked pair need care? (Think of its weight before you write an `if`.)

# %% exercise="scaled_dot_product_attention_backward"

# %% check="scaled_dot_product_attention_backward"

# %%
@experiment("scaled_dot_product_attention", "scaled_dot_product_attention_backward")
def slope_by_hand():
    rng = np.random.default_rng(0)
    Q, K, V, dy = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 2)), rng.normal(size=(3, 2))
    mask, h = rng.random((3, 5)) < 0.7, 1e-6
    up, down = K.copy(), K.copy()
    up[1, 2] += h
    down[1, 2] -= h
    slope = (dy * (scaled_dot_product_attention(Q, up, V, mask) - scaled_dot_product_attention(Q, down, V, mask))).sum() / (2 * h)
    print(f"measured {slope:.6f}, your dK {scaled_dot_product_attention_backward(dy, Q, K, V, mask)[1][1, 2]:.6f}")

# %% [markdown]
# ## 6. What attention cannot see
#
# Four experiments on your function, with random Q, K and V. For each, **predict** the largest change of the output: *nothing*, or *something*?
#
# 1. the keys change places, and their values with them
# 2. the queries change places (and we put the outputs back in order)
# 3. a masked key and its value become a million
# 4. the keys change places, the values stay

# %%
@experiment("scaled_dot_product_attention", "scaled_dot_product_attention_backward")
def set_of_keys():
    rng = np.random.default_rng(0)
    Q, K, V, order, turn = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 2)), np.array([3, 0, 4, 1, 2]), np.array([2, 0, 1])
    mask = np.array([True, True, False, True, True])
    wild_K, wild_V = K.copy(), V.copy()
    wild_K[2], wild_V[2] = 1e6, 1e6
    y = scaled_dot_product_attention(Q, K, V)
    changes = {
        "1. keys and values reordered": scaled_dot_product_attention(Q, K[order], V[order]) - y,
        "2. queries reordered, outputs put back": scaled_dot_product_attention(Q[turn], K, V) - y[turn],
        "3. a masked key set to a million": scaled_dot_product_attention(Q, wild_K, wild_V, mask) - scaled_dot_product_attention(Q, K, V, mask),
        "4. keys reordered, values not": scaled_dot_product_attention(Q, K[order], V) - y,
    }
    for name, change in changes.items():
        print(f"{name:40} {'nothing' if np.abs(change).max() < 1e-12 else 'something'}")
    nobody = np.array([[True] * 5, [False] * 5, [True] * 5])
    dQ, dK, dV = scaled_dot_product_attention_backward(np.ones((3, 2)), Q, K, V, nobody)
    print("a fully masked query: output", scaled_dot_product_attention(Q, K, V, nobody)[1] + 0.0, "gradient", dQ[1] + 0.0)

# %% [markdown]
# The first line is the heart of it. Attention treats its keys as a **set**: who says something matters, *where* it is said does not exist. And so the puzzle. Suppose a model knows which eight digits there are, and how often each, but not one place. What can it do best? Say, everywhere, the digit that occurs most often.
#
# **Predict** how often it is then right.

# %%
my_guess = None  # a share between 0 and 1

# %% [markdown]
# The exact answer is a count: the number of the $10^8$ sequences in which no digit occurs more than m times is $8!$ times the coefficient of $x^8$ in $\left(\sum_{k \le m} x^k/k!\right)^{10}$.

# %%
def sequences_with_at_most(m):
    power = np.array([1.0])
    for _ in range(10):
        power = np.convolve(power, [1 / math.factorial(k) for k in range(m + 1)])
    return math.factorial(8) * np.append(power, np.zeros(9))[8]


expected_most = sum(m * (sequences_with_at_most(m) - sequences_with_at_most(m - 1)) for m in range(1, 9)) / 10**8
print(f"the commonest of eight digits occurs {expected_most:.3f} times: right in {expected_most / 8:.3f} of the places")
print("your guess:", my_guess)

# %% [markdown]
# 30 of 100. The model was perfect, for someone who cannot see order. What it was not told is *where*.
#
# ### Waves for places
#
# So we tell it: to each vector a code of its position is **added**. Vaswani et al. use waves. Column pair i holds sine and cosine of position/10000^(2i/d): the first pair turns once in six positions, the last one hardly at all. Think of the hands of a clock that has d/2 of them.

# %% exercise="positional_encoding"

# %% check="positional_encoding"

# %% [markdown]
# **Predict:** the dot product of the codes of positions 3 and 10, and that of positions 40 and 47. Which is larger? (cos a cos b + sin a sin b = cos(a − b).)

# %%
@experiment("positional_encoding")
def codes_of_places():
    code = positional_encoding(60, 16)
    fig, (left, right) = plots.figure(2, width=5)
    plots.heatmap(left, code, signed=True, xlabel="column", ylabel="position", title="code")
    plots.heatmap(right, code @ code.T, xlabel="position", ylabel="position", title="dot products of codes")
    plots.show(fig, "Left: codes of 60 positions in 16 columns: stripes that alternate quickly in the first columns and hardly change in the last ones. Right: dot products of all pairs of codes, in stripes parallel to a bright diagonal: they depend on the distance only.")
    print(f"positions 3 and 10: {code[3] @ code[10]:.6f}, positions 40 and 47: {code[40] @ code[47]:.6f}")

# %% [markdown]
# Equal: the product depends on the *distance* alone, so one set of weights that finds "seven to the left" finds it everywhere.
#
# ### The experiment
#
# Each output place asks with its position's code; keys are digit + position; what is read are the digits alone. The model is your attention, an embedding E of the ten digits, and a classifier O. `positions=False` sets the codes to 0.

# %%
LENGTH, d = 8, 16


def new_model(positions, rng):
    """The codes P (8, d), fixed, and the arrays that are learned: E, W_q, W_k, v, O."""
    arrays = [rng.normal(size=(m, d)) / d**0.5 for m in (10, d, d)] + [rng.normal(size=d), rng.normal(size=(d, 10)) / d**0.5]
    return positional_encoding(LENGTH, d) * positions, arrays


def forward(kind, tokens, P, arrays):
    E, W_q, W_k, v, _ = arrays
    values = E[tokens]
    s, h = np.broadcast_to(P, values.shape), values + P  # who asks, who is asked
    if kind == "dot":
        Q, K = s @ W_q, h @ W_k
        return s, h, values, attention_weights(Q @ K.swapaxes(1, 2) / d**0.5), scaled_dot_product_attention(Q, K, values)
    weights = attention_weights(additive_energies(s, h, W_q, W_k, v))
    return s, h, values, weights, context_vectors(weights, values)

# %% [markdown]
# The way back. Dot product: your backward does it all. Additive: your `softmax_backward` as far as the energies; what is left is the small net's, as in *vanishing gradients*. (With v a unit vector, your `additive_energies` *is* one hidden unit of it.)

# %%
def attention_gradients(kind, dcontexts, s, h, values, weights, arrays):
    """dW_q, dW_k, dv, and what reaches h and the values."""
    _, W_q, W_k, v, _ = arrays
    if kind == "dot":
        dQ, dK, dvalues = scaled_dot_product_attention_backward(dcontexts, s @ W_q, h @ W_k, values)
        return np.einsum("ntd,nte->de", s, dQ), np.einsum("nsd,nse->de", h, dK), np.zeros_like(v), dK @ W_k.T, dvalues
    de = softmax_backward(dcontexts @ values.swapaxes(1, 2), weights)
    hidden = np.stack([additive_energies(s, h, W_q, W_k, unit) for unit in np.eye(d)], axis=-1)  # (N, T, S, d)
    dz = de[..., None] * v * (1 - hidden**2)
    dW_q, dW_k = np.einsum("ntd,nte->de", s, dz.sum(axis=2)), np.einsum("nsd,nse->de", h, dz.sum(axis=1))
    return dW_q, dW_k, np.einsum("nts,ntsd->d", de, hidden), dz.sum(axis=1) @ W_k.T, weights.swapaxes(1, 2) @ dcontexts


# %%
def trained(kind, positions=True, seed=0):
    """Trained on 1024 sequences; its accuracy and its map on 200 new ones."""
    rng = np.random.default_rng(seed)
    P, arrays = new_model(positions, rng)

    def loss_and_grads(x, y):
        s, h, values, weights, contexts = forward(kind, x, P, arrays)
        logits = (contexts @ arrays[-1]).reshape(-1, 10)
        dlogits = softmax_cross_entropy_grad(logits, y.ravel()).reshape(*x.shape, 10)
        *dweights, dh, dvalues = attention_gradients(kind, dlogits @ arrays[-1].T, s, h, values, weights, arrays)
        dE = np.zeros((10, d))
        np.add.at(dE, x, dvalues + dh)
        return softmax_cross_entropy(logits, y.ravel()), [dE, *dweights, np.einsum("ntd,ntk->dk", contexts, dlogits)]

    x = rng.integers(10, size=(1024, LENGTH))
    fit(arrays, loss_and_grads, x, x[:, ::-1], lr=0.2 if kind == "dot" else 0.1, momentum=0.9, n_epochs=40 if kind == "dot" else 25, batch_size=32, rng=rng)
    new = rng.integers(10, size=(200, LENGTH))
    *_, weights, contexts = forward(kind, new, P, arrays)
    return float(((contexts @ arrays[-1]).argmax(axis=2) == new[:, ::-1]).mean()), weights.mean(axis=0)

# %% [markdown]
# The maps will have outputs in the rows and inputs in the columns. **Draw** the one of a model that can reverse, before you look. And a harder one: which of the two kinds will have the sharper map?

# %%
@experiment("attention_weights", "additive_energies", "context_vectors", "scaled_dot_product_attention", "softmax_backward", "scaled_dot_product_attention_backward", "positional_encoding")
def backwards():
    runs = {"no positions, dot": trained("dot", positions=False), "positions, dot": trained("dot"), "positions, additive": trained("additive")}
    fig, axes = plots.figure(3, width=4)
    for ax, (name, (_, weights)) in zip(axes, runs.items(), strict=True):
        plots.heatmap(ax, weights, xlabel="input (key)", ylabel="output (query)", title=name)
        ax.images[0].set_clim(0, 1)
    plots.show(fig, "Three maps of mean attention weights, outputs in rows, inputs in columns. Without positions: one even colour, an eighth everywhere. With positions, dot product and additive alike: a bright line from the upper right to the lower left corner, near 1, and dark elsewhere.")
    for name, (right, weights) in runs.items():
        known = "no" not in name
        expect(f"{name}: right digits", right, *((0.99, 1.0) if known else (0.26, 0.33)))
        expect(f"{name}: mean weight on the mirror place", np.fliplr(weights).diagonal().mean(), *((0.9, 1.0) if known else (0.1249, 0.1251)), ".4g" if not known else ".3f")
    print("your prediction:", my_prediction)

# %% [markdown]
# Nobody told the model what "backwards" is; it is in the map. Without positions all eight places ask the same question, so all get the same answer: an eighth of everything, the bag of digits from above.
#
# Two things to be careful with. **One:** the weights stop near 0.95, though every digit is right. The classifier reads the right digit out of a blend with 5 % of others; the loss is nearly 0, so little presses for more: after three times as many epochs they stand at 0.95 still. A map shows what the model *needed*, not what it could. **Two:** the additive map is the sharper one here, by a little. That says little about the kinds: with d = 32, larger steps and larger batches the dot product's weights come above 0.99. One comparison at one setting is a comparison of settings.

# %% [markdown]
# ## 7. Not into the future, and in several heads
#
# A model that *writes* must not read what it has not written yet. In training the whole sequence lies before it, so the future has to be hidden.

# %% exercise="causal_mask"

# %% check="causal_mask"

# %% [markdown]
# Two popular ways to hide it wrongly: add the mask as 0 and 1 to the energies; or zero the forbidden weights after the softmax. **Predict** for each: how much weight still lies on the future, and what does the first row sum to?

# %%
@experiment("attention_weights", "causal_mask")
def two_wrong_masks():
    e, keep = np.random.default_rng(0).normal(size=(6, 6)), causal_mask(6)
    maps = {"masked": attention_weights(e, keep), "0 and 1 added": attention_weights(e + keep), "zeroed after the softmax": attention_weights(e) * keep}
    fig, axes = plots.figure(3, width=4.2, height=3.6)
    for ax, (name, w) in zip(axes, maps.items(), strict=True):
        plots.heatmap(ax, w, numbers=True, xlabel="looked at", ylabel="looks", title=name)
        print(f"{name:25} weight on the future {(w * ~keep).sum() / 6:.2f}, the first row sums to {w[0].sum():.2f}")
    plots.show(fig, "Three 6 × 6 maps with numbers. Masked: zeros above the diagonal, the first row is 1 and zeros. With 0 and 1 added: smaller numbers above the diagonal, but none is 0. Zeroed after the softmax: zeros above the diagonal, but the first rows hold only a fraction of 1.")

# %% [markdown]
# The second mistake is the nastier one: nothing leaks as a *value*, but each row's sum tells how much the future would have drawn, and the first positions hardly speak at all.
#
# ### Heads
#
# One softmax gives one mean. A word that has to look at its verb *and* at its subject gets a blend of the two. So the D columns of the projections are cut into n_heads groups, and each group attends by itself (Vaswani et al. 2017):
#
# - Q, K and V are x @ W_q, x @ W_k and x @ W_v, all (N, T, D): a sequence asks itself, hence **self**-attention;
# - head m works with columns m·D/n_heads and following of all three;
# - the heads' outputs are joined in order, and W_o mixes them.
#
# **Two questions before you write it.** Eight heads in place of one: how many more parameters? And what is d now, the length of *one query*?

# %% exercise="multi_head_attention"

# %% check="multi_head_attention"

# %% [markdown]
# No parameter more: 4 D² either way; heads are a way to cut, not to grow. Does self-attention in heads see order? A sequence is shuffled; we compare with the shuffled output. **Predict**: with positions added, and without.

# %%
@experiment("multi_head_attention", "positional_encoding", "causal_mask")
def set_or_sequence():
    rng = np.random.default_rng(0)
    x, W, order = rng.normal(size=(1, 6, 16)), rng.normal(size=(4, 16, 16)) / 4, rng.permutation(6)
    for name, code, mask in (("nothing added", 0.0, None), ("positions added", positional_encoding(6, 16), None), ("causal mask, no positions", 0.0, causal_mask(6))):
        y, shuffled = (multi_head_attention(v + code, *W, 4, mask) for v in (x, x[:, order]))
        change = np.abs(shuffled - y[:, order]).max()
        print(f"{name:26} {'the output is shuffled, and nothing else' if change < 1e-12 else f'another output: differs by {change:.2f}'}")

# %% [markdown]
# The last line is no slip. Keep it for section 9.
#
# This is the foundation of the Transformer. What is missing to a whole block you have already: a skip around the attention (*residual connections*), a norm before it (*layer norm*), and a small ReLU net after it. The capstone puts them together.

# %% [markdown]
# ## 8. The same in PyTorch
#
# PyTorch has two: the function `scaled_dot_product_attention`, whose mask keeps where it is True, as ours; and the module `nn.MultiheadAttention`, whose mask **hides** where it is True. Its weights are stored (out, in), so ours go in transposed.

# %%
import torch


@experiment("scaled_dot_product_attention", "scaled_dot_product_attention_backward", "multi_head_attention", "causal_mask")
def against_pytorch():
    rng = np.random.default_rng(0)
    Q, K, V, dy, mask = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 6)), rng.normal(size=(2, 3, 6)), np.tri(3, 5, 2, dtype=bool)
    leaves = [torch.tensor(a, requires_grad=True) for a in (Q, K, V)]
    y = torch.nn.functional.scaled_dot_product_attention(*leaves, attn_mask=torch.tensor(mask))
    y.backward(torch.tensor(dy))
    mine = (scaled_dot_product_attention(Q, K, V, mask), *scaled_dot_product_attention_backward(dy, Q, K, V, mask))
    x, W = rng.normal(size=(2, 4, 6)), rng.normal(size=(4, 6, 6))
    layer = torch.nn.MultiheadAttention(6, 2, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.tensor(np.concatenate([w.T for w in W[:3]])))
        layer.out_proj.weight.copy_(torch.tensor(W[3].T))
        theirs = layer(*[torch.tensor(x)] * 3, attn_mask=~torch.tensor(causal_mask(4)))[0]
    pairs = dict(zip(("y", "dQ", "dK", "dV"), zip(mine, (y.detach(), *(a.grad for a in leaves)), strict=True), strict=True))
    for name, (a, b) in {**pairs, "two heads, causal": (multi_head_attention(x, *W, 2, causal_mask(4)), theirs)}.items():
        print(f"{name:18} yours begins {np.ravel(a)[0]:+.6f}, PyTorch's {b.ravel()[0]:+.6f}, largest difference below 1e-12: {bool(np.abs(a - b.numpy()).max() < 1e-12)}")

# %% [markdown]
# Now the query that may look at nobody. Ours gets 0. **Predict** what each of PyTorch's ways gives: the plain softmax over −∞, the function, and the module with `need_weights=True` (its default) and `need_weights=False`.

# %%
def nobody_to_look_at():
    q, mask = torch.ones(1, 2, 4, dtype=torch.float64, requires_grad=True), torch.tensor([[True, True], [False, False]])
    kv = torch.arange(8, dtype=torch.float64).reshape(1, 2, 4)
    layer = torch.nn.MultiheadAttention(4, 2, bias=False, batch_first=True, dtype=torch.float64)
    y = torch.nn.functional.scaled_dot_product_attention(q, kv, kv, attn_mask=mask)
    y.sum().backward()
    print("softmax over -inf:             ", torch.softmax(torch.full((2,), -torch.inf), 0).tolist())
    print("scaled_dot_product_attention:  ", y[0, 1].tolist(), "gradient of the query", q.grad[0, 1].tolist())
    for need in (True, False):
        with torch.no_grad():
            print(f"module, need_weights={need!s:5}:    ", (layer(q, kv, kv, attn_mask=~mask, need_weights=need)[0][0, 1] + 0.0).tolist())


nobody_to_look_at()

# %% [markdown]
# The function decides as we did, in value and gradient. The *same module with the same weights* gives nan or 0, depending on whether you ask to see the map. (Two code paths; PyTorch 2.13.) One nan, once in a batch of padded sentences, and every weight of the model is nan after the next step.
#
# Your turn: heads with tensors, so that PyTorch finds the gradients in all four projections. The hard part is one row. Replacing a nan afterwards saves the value, but does it save the *gradient*? Here are two ways of hiding that look the same:

# %%
def two_ways_to_hide():
    mask = torch.tensor([[True, False], [False, False]])
    for name in ("masked_fill", "adding -inf"):
        e = torch.zeros(2, 2, requires_grad=True)
        hidden = e.masked_fill(~mask, -torch.inf) if name == "masked_fill" else e + torch.zeros(2, 2).masked_fill(~mask, -torch.inf)
        p = torch.softmax(hidden, dim=1).nan_to_num(0.0)
        (p * torch.tensor([1.0, 2.0])).sum().backward()
        print(f"{name:12} then nan_to_num: weights {p.tolist()}, gradient {e.grad.tolist()}")


two_ways_to_hide()

# %% [markdown]
# Equal weights; but softmax's backward multiplies by its own nan. `masked_fill` passes no gradient where it fills, and so swallows it; an addition hands it on. It is safest if no row of nothing but −∞ is ever made.

# %% exercise="multi_head_attention_in_torch"

# %% check="multi_head_attention_in_torch"

# %% [markdown]
# ## 9. In your own words
#
# A classifier of short texts is: word vectors → self-attention (no positions, no mask) → the mean over all places → a linear layer. It has to tell *dog bites man* from *man bites dog*.
#
# Write the shuffling of a sequence as a permutation matrix P, so that x becomes Px. Follow it through Q, K, V, the energies, the softmax, the output and the mean, and say what the classifier can do. Then two remedies: adding position codes to x, and, without any codes, a *causal mask* (the last line of `set_or_sequence`). At which step does each of them break your argument?

# %% [markdown] written="what_attention_cannot_see"
# Q, K and V become PQ, PK and PV, for each row is projected by itself. The energies become P Q Kᵀ Pᵀ/√d = P E Pᵀ: rows and columns are reordered alike. The softmax works on each row and does not care in which order its entries stand, so A becomes P A Pᵀ. The output is (P A Pᵀ)(P V) = P (A V), since PᵀP = I: the same rows in another order. Their mean is the same, hence the classifier gives both sentences the same answer, whatever its weights.
#
# Position codes: the input is Px + C with the same C, which is not P(x + C). The first step fails, since the vector of a word now depends on where it stands. Causal mask: Q, K, V and the energies are reordered as before, but the mask is not, for P M Pᵀ ≠ M. The step from E to A fails: what a word may see depends on its place (the first sees only itself), so the outputs differ and order is visible without any code.
#
# Rubric:
# - **full** P E Pᵀ and P A Pᵀ with the reason (softmax by row), PᵀP = I, invariance of the mean, and for both remedies the step that fails
# - **half** the permuted output and the equal mean are argued, but without the step through the softmax, or only one remedy is placed
# - **none** only "attention ignores order", without following P

# %% [markdown]
# ## Recap
#
# 1. A query shares out one unit of attention among the keys it may see; what is hidden must be missing in the denominator, and a query without keys gets 0.
# 2. Energies of length-d vectors have variance d: the root keeps softmax where it can still learn.
# 3. Backward through softmax: one number a row, no Jacobian; a weight of 0 passes nothing.
# 4. Attention sees a set. Position codes, or a causal mask, make it a sequence.
# 5. Heads cut the features, never the positions; each is scaled for its own length.
#
# **The recap question.** With one probability at 1, every entry $p_k([k=j]-p_j)$ of the Jacobian is nearly 0: nothing arrives at the logits, whatever the loss says. Cross-entropy escapes, because its 1/p cancels the factor; attention's softmax stands in the middle of a net, with no logarithm after it. It needs the root.
#
# **To read:** Bahdanau, Cho & Bengio 2015, *Neural Machine Translation by Jointly Learning to Align and Translate*; Vaswani et al. 2017, *Attention Is All You Need*; for the last line of section 7 Haviv et al. 2022, *Transformer Language Models without Positional Encodings Still Learn Positional Information*.
