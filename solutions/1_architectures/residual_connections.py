# %% [markdown]
# # Residual connections
#
# **You will be able to** write residual blocks forwards and backwards, derive what a skip does to the gradient of one block and of fifty, and say which part of "skips solve vanishing gradients" is true.
#
# **Time** an hour and a quarter, half an hour more with the bonus · **Needs** the chain rule with matrices, *vanishing gradients* · **Symbols** a the input of a block, a′ its output, F the branch, J its Jacobian with $J_{ij} = \partial F_i / \partial a_j$; L the loss inside a derivative, elsewhere the number of blocks; s a factor on branches. N examples, D features, H hidden units. σ is ReLU here.
#
# **Recap question.** With He's initialisation and constant width, by what factor does a ReLU layer multiply the mean square of the gradient that comes back through it? And a layer with the same weights but *no* ReLU? Keep both numbers: you will need them for a sum.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.network import Block, Stack, affine_block, objective, residual_params
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. Thirty layers know less than two
#
# Take a net of two hidden layers and put 28 more behind them. The long net can do whatever the short one can: let the new layers pass their input on. So on the *training* digits it cannot end up worse. And its gradients will not vanish, for you start it with He's deviation, which cured that in the last notebook.
#
# **Predict before you read on.** Same data, same epochs, same step size. The short net gets nearly nine of ten training digits right. And the long one?

# %%
my_prediction = None  # share of the 600 training digits that the net of 30 layers gets right, 0 to 1

# %%
def plain_net(depth, scheme="he", *, rng):
    """64 pixels -> 64 units, then `depth` ReLU layers, then 10 logits."""
    body = [affine_block(64, 64, scheme, rng=rng, activation="relu") for _ in range(depth)]
    return Stack([affine_block(64, 64, rng=rng), *body, affine_block(64, 10, rng=rng)])


def train(make, lr, seed=0):
    """A net trained on 600 digits for 8 epochs: the net, the data, the loss of each epoch."""
    parts = data.split(*data.digits(), 600, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(100 + seed)
    net = make(rng)
    with np.errstate(all="ignore"):  # a net that explodes is to be seen, not to be stopped
        losses = fit(net.params, objective(net), parts.x_train, parts.y_train, lr=lr, momentum=0.9, n_epochs=8, batch_size=32, rng=rng)
    return net, parts, losses

# %%
@experiment()
def two_layers_or_thirty():
    runs = {f"{depth} layers": train(lambda rng: plain_net(depth, rng=rng), 0.003) for depth in (2, 30)}
    fig, ax = plots.figure(width=5.6)
    plots.lines(ax, np.arange(1, 9), {name: losses for name, (net, parts, losses) in runs.items()}, xlabel="epoch", ylabel="training loss, nats")
    plots.show(fig, "Training loss over eight epochs. Both begin near 2.3; the net of two layers falls to about 0.6, the net of thirty only to about 1.7.")
    for (name, (net, parts, _)), low, high in zip(runs.items(), (0.82, 0.2), (0.94, 0.62), strict=True):
        expect(f"{name}: right on TRAINING digits", accuracy(net(parts.x_train), parts.y_train), low, high)
    print("your prediction for 30 layers:", my_prediction)
    return runs["30 layers"]

# %% [markdown]
# No overfitting: it is worse at what it was trained on. And 0.003 is the step size that suits the long net best of five tried. He, Zhang, Ren & Sun met the same in 2015 with nets of 20 and 56 layers and called it *degradation*. The better solution exists; descent does not find it. Passing your input on, it turns out, is a hard thing to learn for a stack of ReLU layers.
#
# Their idea: if passing on is so hard to learn, give it away for nothing.

# %% [markdown]
# ## 2. A block that adds
#
# A layer computes its output anew. A **residual block** computes only what should be *added* to its input:
#
# $$a' = a + F(a), \qquad F(a) = \text{two layers, ReLU between them}$$
#
# The way around is called *skip*, the way through F is the *branch*. With F = 0 the block passes its input on, exactly. (The slides also write $a' = \sigma(a + F(a))$. It looks like a detail, and section 5 is about it.)
#
# What comes back? Take one example, so that $a$, $a'$ and $\partial L/\partial a'$ are vectors of length D. Your tool is the chain rule, written out:
#
# $$\frac{\partial L}{\partial a_j} = \sum_i \frac{\partial L}{\partial a'_i}\,\frac{\partial a'_i}{\partial a_j}$$
#
# Derive the last factor, then the sum. The slides abbreviate the result as a product with a bracket "(1 + …)". Take care of what their 1 means for vectors, and on which side a matrix must stand.

# %% exercise="residual_gradient"

# %% check="residual_gradient"

# %% [markdown]
# "The +1 ensures gradient flow", say the slides, "even if ∂F/∂a → 0". The second half is true. **Predict** the gradient at the input for three branches: one that does nothing, one that doubles the signal, and $F(a) = -a$.

# %%
@experiment("residual_gradient")
def three_branches():
    dy = np.array([1.0, -2.0, 3.0])
    for name, slope in (("F = 0", 0.0), ("F = a", 1.0), ("F = -a", -1.0)):
        print(f"{name:7} from above {dy}, at the input {residual_gradient(dy, slope * np.eye(3)) + 0.0}")

# %% [markdown]
# A branch may cancel its skip, and then exactly nothing comes back. The skip *ensures* nothing; it moves the starting point. A plain layer with small weights lets through almost nothing; a residual block with small weights lets through almost everything.
#
# ## 3. The block, forwards and backwards
#
# Now for a batch, with arrays: rows are examples, `x` is (N, D), and the branch goes from D to H and back to D. Each of its two layers has a bias.

# %% exercise="residual_block"

# %% check="residual_block"

# %% [markdown]
# Backwards, no Jacobian needs to be built. Draw the block: `x` forks, one line runs through two layers, the two lines meet in a sum. At the meeting point `dy` goes into *both* lines, unchanged. At the fork, what comes back is added. Everything in between you know: a linear layer, ReLU, a linear layer.

# %% exercise="residual_block_backward"

# %% check="residual_block_backward"

# %%
@experiment("residual_block", "residual_block_backward")
def slope_by_hand():
    rng = np.random.default_rng(0)
    x, params, h = rng.normal(size=(3, 4)), residual_params(4, 5, rng=rng), 1e-6
    step = np.zeros_like(x)
    step[1, 2] = h
    slope = (np.sum(residual_block(x + step, *params)) - np.sum(residual_block(x - step, *params))) / (2 * h)
    print(f"sum of the outputs, moved by x[1, 2]: measured {slope:.6f}, your dx {residual_block_backward(np.ones((3, 4)), x, *params)[0][1, 2]:.6f}")

# %% [markdown]
# ## 4. Fifty blocks
#
# Put blocks behind one another and the brackets multiply. Matrices do not commute, so the order is half of the answer. Think of the first input as a column on the right: which block does it meet first?

# %% exercise="residual_stack_jacobian"

# %% check="residual_stack_jacobian"

# %% [markdown]
# Multiply the product out for two blocks: $I + J_1 + J_2 + J_2 J_1$. Four terms, four ways from input to output: around both, through one, through the other, through both. With L blocks there are $2^L$ ways (Veit, Wilber & Belongie 2016), and the gradient is the sum over all of them. One of them touches no branch at all.
#
# So much for what is *small*. What is large? Before training, let branches have He's weights: the first layer with ReLU, the second without. **Predict** with your two numbers from the recap question: by what factor does a block multiply the mean square of a gradient? And fifty blocks the *norm*? Write down a power of ten.

# %%
my_power_of_ten = None  # the norm at the input, with norm 1 at the output, after 50 residual blocks with He's weights

# %%
def norms_going_back(blocks, rng):
    """Norm of dL/da before each block and after the last, where it is 1; inputs are normal."""
    _, inputs = Stack(blocks).forward(rng.normal(size=(32, 64)))
    dy = rng.normal(size=(32, 64))
    dy /= np.linalg.norm(dy)
    norms = [1.0]
    for block, a in zip(blocks[::-1], inputs[::-1], strict=True):
        dy, _ = block.gradients(dy, a)
        norms.append(np.linalg.norm(dy))
    return np.array(norms[::-1])

# %%
@experiment("residual_block", "residual_block_backward")
def fifty_blocks():
    def residual(scale, rng):
        return [Block(residual_block, residual_block_backward, residual_params(64, 64, rng=rng, branch_scale=scale)) for _ in range(50)]

    rng = np.random.default_rng(0)
    norms = {"plain, He": norms_going_back([affine_block(64, 64, "he", rng=rng, activation="relu") for _ in range(50)], rng)}
    norms |= {"residual, He": norms_going_back(residual(1.0, rng), rng), "residual, branches / √50": norms_going_back(residual(50**-0.5, rng), rng)}
    fig, ax = plots.figure(width=5.6)
    plots.lines(ax, np.arange(51), {name: norm[::-1] for name, norm in norms.items()}, log="y", xlabel="blocks passed, going back from the loss", ylabel="norm of ∂L/∂a")
    plots.show(fig, "Norm of the gradient against the number of blocks it has passed on its way back, logarithmic scale. All begin at 1. The plain net stays near 1, the residual net with He's weights climbs in a straight line to about 1e12 after fifty blocks, and the one with scaled branches rises gently to about 2.7.")
    for (name, norm), low, high in zip(norms.items(), (0.1, 1e11, 2.0), (4.0, 5e12, 4.0), strict=True):
        expect(f"{name}: norm at the input", norm[0], low, high)
    print("your power of ten for residual, He:", my_power_of_ten)

# %% [markdown]
# Through the skip the mean square returns as it was, through the branch twice as large (1 for the layer with ReLU, 2 for the one without), and crossed terms cancel on average. So 1 + 2 = 3 a block, and $\sqrt{3}^{\,50} \approx 8.5 \cdot 10^{11}$. The skip did not only solve a problem, it made one: the gradient *explodes*, and so does the signal going forward.
#
# The cure is to make a branch small at the start: a factor $s$ on it turns the 3 into $1 + 2s^2$. With $s = 1/\sqrt{L}$ and 50 blocks, $(1 + 2/50)^{25} \approx 2.7$, and a thousand blocks would give no more than $e$. (Normalisation layers do the same job in practice. They have a notebook of their own.)
#
# ### So, does it train?
#
# Thirty layers once more, in four ways: plain with PyTorch's default weights, plain with He's, 15 residual blocks with He's weights, and the same with each branch divided by √15. **Predict** the order. For two of the four, a guess at random would do as well.

# %%
@experiment("residual_block", "residual_block_backward")
def four_nets():
    def residual(scale):
        return lambda rng: Stack([affine_block(64, 64, rng=rng), *[Block(residual_block, residual_block_backward, residual_params(64, 64, rng=rng, branch_scale=scale)) for _ in range(15)], affine_block(64, 10, rng=rng)])

    runs = {"plain, PyTorch's default": train(lambda rng: plain_net(30, "pytorch", rng=rng), 0.003), "plain, He": two_layers_or_thirty}
    runs |= {"residual, He": train(residual(1.0), 0.007), "residual, branches / √15": train(residual(15**-0.5), 0.007)}
    with np.errstate(all="ignore"):
        right = {name: accuracy(net(parts.x_test), parts.y_test) for name, (net, parts, _) in runs.items()}
    fig, ax = plots.figure(width=6.4, height=2.4)
    plots.bars(ax, right, xlabel="right on test digits", form=".2f")
    plots.show(fig, "Share of test digits that four nets of thirty layers get right. Plain with PyTorch's default: about 0.1, as by chance. Plain with He's weights: about 0.4. Residual with He's weights: 0.1. Residual with scaled branches: above 0.9.")
    for (name, share), low, high in zip(right.items(), (0.05, 0.2, 0.05, 0.9), (0.15, 0.7, 0.15, 0.98), strict=True):
        expect(name, share, low, high)
    print("loss of the last epoch, residual with He's weights:", runs["residual, He"][2][-1])
    return runs

# %% [markdown]
# Four nets, three different reasons:
#
# - PyTorch's default: the gradient vanishes, nothing is learned. Here the slides' story is right.
# - Plain with He: the *size* of the gradient is healthy and the net still learns badly. A right norm says that something arrives, not that it points anywhere useful: thirty matrices and masks have mixed it.
# - Residual with He: the loss is nan within the first epoch, and at smaller steps too. A skip alone is not enough.
# - Residual and scaled: the best of the four by far.
#
# So "skips solve vanishing gradients" is too simple twice over. Plain nets can fail without vanishing, and skips can fail by exploding. Ratio *and* magnitude matter.

# %% [markdown]
# ### Take one out
#
# $2^{15}$ ways from pixels to logits in the residual net, one way in the plain one. Now remove a single block from each *trained* net, without training again. **Predict** what is left of their accuracies. How many of the $2^{15}$ ways does the residual net lose?

# %%
@experiment("residual_block", "residual_block_backward")
def one_block_removed():
    left = {}
    for name in ("plain, He", "residual, branches / √15"):
        net, parts, _ = four_nets[name]
        left[name] = np.array([accuracy(net.without(k)(parts.x_test), parts.y_test) for k in range(1, len(net.blocks) - 1)])
    fig, ax = plots.figure(width=5.6)
    ax.set_ylim(0, 1)
    where = {name: np.linspace(0, 1, len(values)) for name, values in left.items()}
    plots.lines(ax, where, left, xlabel="removed at (0 first, 1 last)", ylabel="right on test digits", styles={name: {"marker": "o", "markersize": 4} for name in left})
    plots.show(fig, "Accuracy after one block was removed, over its place in the net. The residual net stays above 0.88 wherever it is cut; the plain net falls to between 0 and 0.35.")
    expect("plain, one layer removed: median", np.median(left["plain, He"]), 0.0, 0.25)
    expect("residual, one block removed: median", np.median(left["residual, branches / √15"]), 0.9, 0.98)
    expect("residual, one block removed: worst", left["residual, branches / √15"].min(), 0.8, 0.97)

# %% [markdown]
# Half of the ways are gone, all those through the missing block, and the residual net hardly notices. A plain net is a chain; a residual net behaves more like a crowd.

# %% [markdown]
# ## 5. A ReLU in the wrong place
#
# The first residual nets had a ReLU *after* the addition, and so has the first formula on the slides: $a' = \mathrm{ReLU}(a + F(a))$. A year later the same authors moved it away. Write their first form, then we look for what was wrong with it.

# %% exercise="post_activation_block"

# %% check="post_activation_block"

# %% [markdown]
# Now the skip runs through a ReLU too. For a unit whose sum is not positive the bracket $(I + J)$ loses that row, its 1 included. **Predict**: after 50 blocks with scaled branches, for which share of the units has the skip *never* been cut? (If each block cut half of them at random, $2^{-50}$.)

# %%
@experiment("residual_block", "post_activation_block")
def skips_never_cut():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 64))
    alive, shares = np.ones(a.shape, dtype=bool), [1.0]
    for _ in range(50):
        a = post_activation_block(a, *residual_params(64, 64, rng=rng, branch_scale=50**-0.5))
        alive &= a > 0
        shares.append(alive.mean())
    fig, ax = plots.figure(width=5.6)
    ax.set_ylim(0, 1.05)
    plots.lines(ax, np.arange(51), {"ReLU after the addition": np.array(shares), "clean skip": np.ones(51)}, xlabel="block", ylabel="skips never cut")
    plots.show(fig, "Share of skips never cut, over 50 blocks. Clean: 1 throughout. With a ReLU after the addition it drops to one half in the first block, then declines slowly to about one fifth.")
    expect("left after the first block", shares[1], 0.47, 0.53)
    expect("left after 50 blocks", shares[-1], 0.15, 0.28)

# %% [markdown]
# Neither 1 nor $2^{-50}$. The first block cuts all that is negative; afterwards everything on the skip is positive and only a branch that pulls a unit below 0 cuts again. A fifth of the units keep the slides' clean "+1" all the way. So, of the two formulas on the slides, the gradient analysis ("1 + …") belongs to the one *without* σ. For the other one each factor has a mask in front.
#
# How does the mask enter the backward? It needs one line more than the one you have.

# %% exercise="post_activation_block_backward"

# %% check="post_activation_block_backward"

# %% [markdown]
# Does it train, with its cut skips? **Guess** before you run: 15 blocks, branches divided by √15, as above.

# %%
@experiment("post_activation_block", "post_activation_block_backward")
def post_activation_net():
    def make(rng):
        body = [Block(post_activation_block, post_activation_block_backward, residual_params(64, 64, rng=rng, branch_scale=15**-0.5)) for _ in range(15)]
        return Stack([affine_block(64, 64, rng=rng), *body, affine_block(64, 10, rng=rng)])

    net, parts, _ = train(make, 0.007)
    expect("ReLU after the addition, 15 blocks: right on test digits", accuracy(net(parts.x_test), parts.y_test), 0.85, 0.97)

# %% [markdown]
# It does, at this depth. He et al. (2016) saw the difference at a thousand layers. A skip that is cut now and then is still far better than none.
#
# ### When the width changes
#
# A sum needs two equal shapes. Where a block changes the width, the skip needs a small linear map of its own, and gives up the identity.

# %% exercise="projection_block"

# %% check="projection_block"

# %% exercise="projection_block_backward"

# %% check="projection_block_backward"

# %% [markdown]
# ## 6. The same in PyTorch
#
# Number by number: your block and your gradients against PyTorch's linear layers. (`torch.nn.functional.linear` computes $x W^\top + b$: PyTorch keeps its weights transposed.)

# %%
import torch
from torch.nn import functional


@experiment("residual_block", "residual_block_backward")
def against_pytorch():
    rng = np.random.default_rng(0)
    x, dy, params = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), residual_params(4, 6, rng=rng)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *params)]
    tx, W1, b1, W2, b2 = tensors
    y = tx + functional.linear(functional.relu(functional.linear(tx, W1.T, b1)), W2.T, b2)
    y.backward(torch.tensor(dy))
    print(f"y[0, 0]   yours {residual_block(x, *params)[0, 0]:.10f}   PyTorch {y[0, 0].item():.10f}")
    for name, yours, tensor in zip(("dx", "dW1", "db1", "dW2", "db2"), residual_block_backward(dy, x, *params), tensors, strict=True):
        print(f"{name:4} largest difference below 1e-13: {bool(np.abs(yours - tensor.grad.numpy()).max() < 1e-13)}")

# %% [markdown]
# Now the whole stack, scaled, with tensors. The arrays of all blocks are given together: the first axis of `W1` counts blocks. (PyTorch refuses to change an input whose gradient is wanted: `x = x + …` works, `x += …` does not.)

# %% exercise="residual_stack_in_torch"

# %% check="residual_stack_in_torch"

# %% [markdown]
# With automatic differentiation, fifty blocks cost no more thought than one. **Predict** how your stack's gradient grows with the number of blocks, from 1 to 100. (Section 4 has the formula, with $s = 1/\sqrt{L}$.)

# %%
@experiment("residual_stack_in_torch")
def deeper_and_deeper():
    for blocks in (1, 10, 100):
        rng = np.random.default_rng(blocks)
        W1, W2 = (torch.tensor(rng.normal(scale=(2 / 64) ** 0.5, size=(blocks, 64, 64))) for _ in range(2))
        zeros = torch.zeros((blocks, 64), dtype=torch.float64)
        x, dy = torch.tensor(rng.normal(size=(32, 64)), requires_grad=True), torch.tensor(rng.normal(size=(32, 64)))
        (dx,) = torch.autograd.grad(residual_stack_in_torch(x, W1, zeros, W2, zeros), x, dy)
        expect(f"{blocks:3} blocks: gradient norm at the input over that at the output", (dx.norm() / dy.norm()).item(), *{1: (1.4, 2.1), 10: (1.9, 3.2), 100: (2.1, 3.4)}[blocks])

# %% [markdown]
# √3 for one block, and never more than about $e$, however deep.
#
# ## 7. In your own words
#
# A colleague has a plain net of 100 ReLU layers that does not learn. She writes: *"Residual connections solve vanishing gradients: the +1 guarantees that the gradient arrives. So I shall put a skip around every two layers, keep He's initialisation, and be done."* Say what is right about it; then answer "guarantees", and say what will happen to her net and what she should change. Use the product of section 4 and one number. (Six sentences.)

# %% [markdown] written="why_not_just_skip"
# Right: the Jacobian of the stack is the product of the (I + J_k); multiplied out it has the term I, so with small branches nearly all of the gradient arrives, where a plain stack multiplies the J_k alone and small factors give almost nothing. But nothing is guaranteed: a factor I + J_k can be anything, and with J = −I it is exactly 0; "1 + something" is not bounded from below. Nor is vanishing the only trouble: with He's weights a plain net's gradients keep their size, and thirty layers still learned badly. With He's weights in a branch of two layers (ReLU after the first) each block multiplies the gradient's mean square by about 1 + 2 = 3; her 50 blocks multiply its norm by √3^50 ≈ 8.5e11, and the forward signal grows in the same way, so the loss will be nan. She should make the branches small at the start, for example divide them by √50 (then the norm grows by about e only) or set their last layers to zero, or put a normalisation into the branch; and leave nothing after the addition, so that the skip stays an identity.
#
# Rubric:
# - **full** the product of (I + J_k) with its identity term, a counterexample to "guarantees" (J = −I or the like), growth by explosion with a number (3 per block in the mean square, or 1e11 and more in the norm), and a remedy that makes branches small or normalises them
# - **half** says that the gradient may explode or that the branch can cancel the skip, but without the product or without a number, or gives no remedy
# - **none** agrees with the colleague, or names only the number of parameters or overfitting

# %% [markdown]
# ## Recap
#
# 1. A deeper plain net can be worse on its *training* data, with gradients of healthy size: degradation.
# 2. A block adds its branch to its input; going back, two ways add: ∂L/∂a = (I + Jᵀ) ∂L/∂a′. With J = −I nothing comes back.
# 3. A stack's Jacobian is the product of the (I + J_k), the last block leftmost: a sum over 2^L ways, most of which survive if one block is removed.
# 4. Unscaled He branches triple the mean square in every block; divided by √L they multiply the norm by at most about e.
# 5. A ReLU after the addition cuts the skip; a new width needs a projection, and gives up the identity.
#
# **The recap question.** 1 with ReLU, 2 without. A branch has one layer of each kind, so 1 · 2; with the skip, 1 + 1 · 2 = 3.
#
# **To read:** He, Zhang, Ren & Sun 2015, *Deep Residual Learning for Image Recognition*, and 2016, *Identity Mappings in Deep Residual Networks*; Veit, Wilber & Belongie 2016, *Residual Networks Behave Like Ensembles of Relatively Shallow Networks*; Zhang, Dauphin & Ma 2019, *Fixup Initialization*.
