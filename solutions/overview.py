# %% [markdown]
# # Neural Networks, Class 4: the course at a glance
#
# Eighteen notebooks about three questions. **How does one build a network that is deep and can still be trained?** **What keeps it from learning its training data by heart?** **And what, exactly, should it minimise?** You write the mathematics yourself, in NumPy, a few lines at a time; every gradient is checked the moment you run it, and every claim, the textbook's included, is measured. Some of them will not come out.
#
# This page has no exercises. It shows what there is and what needs what, asks whether you are ready, fixes the notation, explains how your answers are checked, and keeps your score. Come back to it.

# %%
from class4lib import plots
from class4lib.check import CheckFailed, check
from class4lib.overview import arrows, boxes, progress_table

# %% [markdown]
# ## The map
#
# An arrow means *builds on*. Minutes are for writing the exercises and the written answer; reading, predicting and looking at what comes out takes about half as long again, and the bonus exercises are extra. A box fills as your checks turn green.

# %% tags=["nbval-ignore-output"]
fig, ax = plots.figure(width=12.5, height=5.0)
plots.boxes(ax, boxes(), arrows())
plots.show(
    fig,
    "the eighteen topics in five columns, one a part, with arrows to what builds on them: vanishing gradients leads to residual nets, dropout and "
    "losses, residual nets and augmentation to norms and design, softmax to attention, and all of it to the capstone.",
)

# %% [markdown]
# A part is a week's work: four to six hours. Inside a part go from top to bottom. If you are in a hurry for attention, the shortest way is vanishing gradients, the two cross-entropies, attention: four notebooks.
#
# **One question from each.** If you can answer one *with a reason*, you may skim that notebook. Most people who know the textbook answer to these have the wrong one to at least three.
#
# | part | notebook | a question it answers |
# |---|---|---|
# | 1 | depth_vs_width | Ten layers of two units draw 1024 straight pieces. When both are *trained*, does the deep net beat the wide one? |
# | | vanishing_gradients | Fifty layers multiply fifty factors. Must the product vanish? |
# | | residual_connections | Does "+1" guarantee that a gradient gets through? |
# | | dense_and_highway | A gate starts at bias 0 or at −4. One of the two nets never learns: which? |
# | 2 | dropout | Which penalty on the weights is dropout in disguise? |
# | | dropout_variants | Why does dropping single pixels hide so little? |
# | | early_stopping | On clean data early stopping gains nothing. When does it gain much? |
# | | data_augmentation | Which harmless-looking augmentation teaches a net that a 6 is a 9? |
# | 3 | binary_cross_entropy | Why does a sure and wrong unit learn 2000 times faster with one loss than with another? |
# | | softmax_cross_entropy | Softmax applied twice still trains. What does it cost? |
# | | regression_losses | Must Huber's answer lie between the mean and the median? |
# | | multi_label | Why can a softmax never say "both"? |
# | | multi_task | Two losses in different units: who decides what the shared layer learns? |
# | 4 | spectral_normalization | A matrix whose eigenvalues are all 0: can it still double a vector? |
# | | batch_and_layer_norm | What can batch norm output when the batch has two examples? |
# | 5 | attention | Without a factor 1/√d attention looks at one place only. Why, and why does it then stop learning? |
# | | architecture_design | Twenty nets were tried and the best is reported. What is wrong with the number? |
# | | capstone | Every fifth label is wrong. What of all this helps, and what only seemed to? |

# %% [markdown]
# ## Are you ready?
#
# You need derivatives and the chain rule, matrix products, mean and variance, and enough NumPy to read `x.sum(axis=0)`. Four questions; write your answers down, then run the cell below them.
#
# 1. `x` has shape (5, 3), `W` (3, 4), `b` (4,). What is the shape of `x @ W + b`, and which rows does `b` go to?
# 2. `a` has shape (5, 1), `c` has shape (4,). What is the shape of `a - c`?
# 3. y = x W, and L depends on y only; dy stands for ∂L/∂y, of shape (5, 4). Which of dy Wᵀ, Wᵀ dy, xᵀ dy has the shape of W, and so a chance of being ∂L/∂W?
# 4. X and Y are independent, both of variance 1. What is the variance of 3X − Y?

# %%
import numpy as np

my_guess = None  # for instance {"1": (5, 4), "2": ..., "3": ..., "4": ...}

rng = np.random.default_rng(0)
x, W, b, dy = rng.normal(size=(5, 3)), rng.normal(size=(3, 4)), np.zeros(4), rng.normal(size=(5, 4))
big_x, big_y = rng.normal(size=(2, 1_000_000))
print("1.", (x @ W + b).shape, "- b is added to every row")
print("2.", (np.zeros((5, 1)) - np.zeros(4)).shape, "- one axis each, stretched")
print("3. x.T @ dy has shape", (x.T @ dy).shape)
print(f"4. {np.var(3 * big_x - big_y):.1f}: 9 + 1, the minus does not matter")

# %% [markdown]
# All four? Begin with *depth and width*. If the third took long, that is the one to practise: "write every shape beside its line" solves most exercises of this course before any mathematics does. Vectors in the derivations are rows, because examples are rows: the slides write both Wx and xW, we write `x @ W + b` everywhere.
#
# ## Notation
#
# The alphabet is too short for this class. Each notebook says at its top what its letters mean; here is where they collide.
#
# | letter | stands for, and where |
# |---|---|
# | σ | an activation (parts 1, 2) · the sigmoid (binary cross-entropy, several labels) · a standard deviation (augmentation, multi-task) · a singular value (spectral normalisation) |
# | p | the probability to **drop** (dropout; Srivastava's paper keeps with p) · a probability of a class (losses) |
# | δ | ∂L/∂z of a layer (vanishing gradients) · Huber's threshold (regression) |
# | λ | the weight of a task (multi-task) · the strength of a penalty (design) · an eigenvalue (early stopping) |
# | α | attention weights · an architecture (design) · the strength of a weight decay (early stopping) |
# | T | a highway's gate · the number of tasks · the number of queries · a temperature |
# | γ, β | scale and shift of a norm; γ once an exponent (several labels) |
# | N, D, M, K | batch, inputs, outputs, classes, always; C, H, W channels, height, width of images; T, S queries and keys |
#
# Three conventions that textbooks do not share: MSE carries the ½ of the slides; a loss is the **mean over examples** of the sum over everything else; a mask is boolean, and `True` keeps.

# %% [markdown]
# ## How your answers are checked
#
# Below each exercise stands a line such as `check("mae")`. It calls your function on a few small cases, and says what passed, what came back, what was expected, and **which mistake it was** where it knows it. Here is the mean absolute error as somebody wrote it, by the formula on the slides. It is right for one number per example, and it forgot the second of the three conventions above.


# %%
def mae_of_somebody(predictions, targets, reduction="mean"):
    errors = np.abs(np.subtract(predictions, targets))
    return {"none": errors, "sum": errors.sum(), "mean": errors.mean()}[reduction]


try:
    check("mae", mae_of_somebody)
except CheckFailed as refused:
    print("raised:", refused)

# %% [markdown]
# - A check does not care *how* you compute: loops, einsum, other algebra, other random numbers from the generator it hands you; all right answers pass. It does care that inputs come out unchanged, that results are float64, and about the edge cases, which carry points of their own.
# - `hint("mae")` gives a first, a second and a third hint. The third is nearly the answer.
# - An exercise not written yet is *not attempted*, which is not the same as wrong; experiments say what they wait for, and the rest of the notebook runs on.
# - Grading calls your function on **other** numbers and sizes than the ones you see, in a process of its own that holds NumPy, this course's earlier topics, and no answers. Your own helper functions, in cells of your own, come along. If an exercise calls another one that you got wrong, it is judged with a right version of that: one mistake costs once.
# - Bonus exercises count on top of the 100 points of a part. Written answers are read by a person, with the rubric *full, half, none*.

# %% [markdown]
# ## Why the derivation, if a computer can differentiate?
#
# One could ask for gradients by trying: nudge a weight by h, see how the loss moves, divide by h. No derivation, a loop, done. It is worth seeing once how good that can get.
#
# **Predict.** For f = log cosh at a = 1.3, compare (f(a+h) − f(a))/h and (f(a+h) − f(a−h))/2h with the true slope, tanh a. Smaller h is better, surely. Down to which h, and how many digits are the most that each can get? (A float64 carries sixteen.)

# %%
my_prediction = None  # for instance {"forward": (h, digits), "central": (h, digits)}

h, a = np.logspace(-15, -1, 57), 1.3
f, slope = lambda a: np.log(np.cosh(a)), np.tanh(1.3)
errors = {
    "forward": np.abs((f(a + h) - f(a)) / h - slope),
    "central": np.abs((f(a + h) - f(a - h)) / (2 * h) - slope),
}
fig, ax = plots.figure(width=6.5, height=3.6)
errors = {name: np.maximum(e, 1e-13) for name, e in errors.items()}
plots.lines(ax, h, errors, xlabel="h", ylabel="error of the slope", log="xy")
plots.level(ax, 1e-8, "what a check allows", x=0.02)
plots.show(
    fig,
    "error against h, both logarithmic, two curves with the shape of a V: the forward difference is best near h = 1e-8 with an error near 1e-8, "
    "the central one near h = 1e-5 with an error near 1e-11; to the left of that both grow worse as h shrinks, because digits cancel.",
)

# %% [markdown]
# Two errors fight. A large h cuts the curve too coarsely: the error falls with h (forward) or h² (central). A small h subtracts two numbers that agree in almost every digit, and what is left is rounding: about 10⁻¹⁶/h. The forward difference bottoms out at eight digits, which a check does not reliably accept; the central one at ten or eleven, if h is right, for one weight. A layer with a million weights would need a million of these loops per step, where your derivation needs two matrix products and has fifteen digits. That is what backpropagation is *for*; the nudge remains as the test of a derivation, and you will use it that way.

# %% [markdown]
# ## Your progress
#
# From the checks that were run on this machine, in the notebooks themselves (trying out a function by hand, as above, is not counted). Nothing leaves the machine.

# %% tags=["nbval-ignore-output"]
print(progress_table())

# %% [markdown]
# ## To read along
#
# The class's papers by year, each short enough for one evening: Hoerl and Kennard 1970, *Ridge regression* · Bishop 1995, *Training with noise is equivalent to Tikhonov regularization* · Prechelt 1998, *Early stopping, but when?* · Glorot and Bengio 2010, *Understanding the difficulty of training deep feedforward neural networks* · Srivastava et al. 2014, *Dropout* · Ioffe and Szegedy 2015, *Batch normalization* · He et al. 2016, *Identity mappings in deep residual networks* · Veit et al. 2016, *Residual networks behave like ensembles of relatively shallow networks* · Vaswani et al. 2017, *Attention is all you need* · Miyato et al. 2018, *Spectral normalization for generative adversarial networks* · Kendall et al. 2018, *Multi-task learning using uncertainty* · Liu et al. 2019, *DARTS*.
