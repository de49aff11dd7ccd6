# %% [markdown]
# # Several labels at once
#
# **You will be able to** say why a softmax cannot answer several questions at once and a row of sigmoids can, derive the loss and its gradient with a price per label, and turn probabilities into decisions: with thresholds chosen for what you want, knowing what they cost.
#
# **Time** about an hour, and half an hour more for the bonus · **Needs** *binary cross-entropy*, *softmax and cross-entropy* · **Symbols** z logits (N, K), p probabilities, y targets, K labels, σ the sigmoid (not a deviation), τ a threshold, w the weight of a label's yes. In section 9 γ is an exponent (not the γ of a normalisation).
#
# **Recap question.** Add the same number, say 5, to *every* logit of a row. In the last notebook you saw that a softmax does not notice. Is that a virtue or a defect, if the four logits stand for four separate questions? Keep your answer.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.basics import affine, sigmoid
from class4lib.check import check, hint
from class4lib.experiments import expect, experiment
from class4lib.softmax_cross_entropy import softmax, softmax_cross_entropy_grad
from class4lib.training import fit

# %% [markdown]
# ## 1. Four questions about a digit
#
# Is it even? Is it prime? Has it a closed loop? Is it above 4? Every digit has an answer to each, and the answers do not exclude one another.

# %%
QUESTIONS = ("even", "prime", "loop", "above 4")
ANSWERS = np.array([[d % 2 == 0, d in (2, 3, 5, 7), d in (0, 6, 8, 9), d > 4] for d in range(10)], dtype=int)  # (10, 4)

pixels, digit = data.digits()
order = np.random.default_rng(3).permutation(len(digit))
pixels, digit = pixels[order], digit[order]
answers = ANSWERS[digit]  # (1797, 4)
TRAIN, VAL, TEST = slice(0, 600), slice(600, 1000), slice(1000, None)

fig, axes = plots.figure(4, width=1.7, height=2.2)
shown = [1, 3, 9, 6]
titles = ["\n".join([f"a {d}", ", ".join(q for q, yes in zip(QUESTIONS, ANSWERS[d]) if yes) or "(no yes at all)"]) for d in shown]
plots.images(axes, [pixels[digit == d][1].reshape(8, 8) for d in shown], titles)
plots.show(fig, "Four digits of 8 by 8 pixels with their yeses: a 1 has none, a 3 is prime, a 9 has a loop and is above 4, a 6 is even, has a loop and is above 4.")

# %% [markdown]
# A classmate keeps the recipe that worked for digits: four logits, a softmax, cross-entropy. A row with several yeses gets equal shares as its target: ½ and ½ for the 9, ⅓ each for the 6, 1 for the 3. The net says *yes* where p > ½.
#
# **Predict before you read on.** Suppose training succeeds perfectly: for every image the softmax gives exactly its target. Of the ten digits 0, …, 9, how many get all four answers right? (Count. It does not take long.)

# %%
my_prediction = None  # a number of digits, 0 to 10

# %% [markdown]
# ## 2. K coins instead of one die
#
# A softmax is a die: one face comes up, and the probabilities of the faces share one unit. Four questions are four coins. Each logit gets a probability of its own, $p_k = \sigma(z_k)$, and nothing makes the $p_k$ sum to 1. If the coins are independent, given the image, the likelihood of an example is a product over labels, and minus its logarithm is a sum:
#
# $$L = -\sum_{k=1}^K \bigl[\, y_k \log p_k + (1 - y_k) \log (1 - p_k) \,\bigr]$$
#
# Each entry is a binary cross-entropy, with all that you know about it: work from the **logits**, for a probability that was rounded to 0 or 1 cannot be repaired. Three conventions:
#
# - **sum and mean**: an example's loss is the *sum* over its labels. `"none"` gives N such sums, `"mean"` divides their total by **N**. (PyTorch's mean divides by N·K.)
# - **targets** are shares in [0, 1]: 0.3 means that three annotators of ten said yes.
# - **`pos_weight`**, one factor $w_k$ per label, multiplies the term of $y_k$ and *not* the term of $1 - y_k$: it is the price of a missed yes, in units of the price of a false one.
#
# **Before you code**: with four labels and all logits 0, what does an example cost? Does it depend on its targets?

# %% exercise="multilabel_bce_with_logits"

# %% check="multilabel_bce_with_logits"

# %%
@experiment("multilabel_bce_with_logits")
def cost_of_knowing_nothing():
    for d in (1, 3, 6):
        print(f"targets of a {d}, logits 0: {multilabel_bce_with_logits(np.zeros((1, 4)), ANSWERS[[d]]):.4f}   (4 log 2 = {4 * np.log(2):.4f})")

# %% [markdown]
# A coin tossed blindly costs log 2, four of them 4 log 2, whatever the truth is. A training loss that starts elsewhere is a bug report.
#
# ## 3. A gradient that minds its own business
#
# Take one entry, write its two terms as functions of $z$, and differentiate each of them in $z$ *before* you add them up: then the weight $w$ sits where it belongs. Without weights you know what must come out. With them, it is not simply $w$ times that: why not?

# %% exercise="multilabel_bce_with_logits_grad"

# %% check="multilabel_bce_with_logits_grad"

# %% [markdown]
# As always, hold the formula against a measured slope, here with a soft target and a weight:

# %%
@experiment("multilabel_bce_with_logits", "multilabel_bce_with_logits_grad")
def slope_by_hand():
    rng, h = np.random.default_rng(0), 1e-6
    z, y, w = rng.normal(size=(3, 4)), rng.uniform(size=(3, 4)), np.array([1.0, 3.0, 0.5, 2.0])
    step = np.zeros((3, 4))
    step[1, 3] = h
    slope = (multilabel_bce_with_logits(z + step, y, w) - multilabel_bce_with_logits(z - step, y, w)) / (2 * h)
    print(f"measured {slope:.6f}, your formula {multilabel_bce_with_logits_grad(z, y, w)[1, 3]:.6f}")

# %% [markdown]
# Now the difference to a softmax, in one picture. Push the logit of one label; which labels feel it in *their* gradient? **Sketch both 4 × 4 matrices first**, with + , − and 0.

# %%
@experiment("multilabel_bce_with_logits_grad")
def who_feels_whom():
    z, y, h = np.array([[2.0, 1.0, 0.0, -1.0]]), np.array([[1.0, 0.0, 1.0, 0.0]]), 1e-5
    heads = {"four sigmoids": lambda z: multilabel_bce_with_logits_grad(z, y), "one softmax": lambda z: softmax_cross_entropy_grad(z, y / 2)}
    fig, axes = plots.figure(2, width=4.6)
    for ax, (name, gradient) in zip(axes, heads.items()):
        felt = np.vstack([(gradient(z + h * e) - gradient(z - h * e)) / (2 * h) for e in np.eye(4)])
        plots.heatmap(ax, felt.T, numbers=True, signed=True, title=name, xlabel="logit that is pushed", ylabel="gradient that answers")
        ax.set(xticks=range(4), yticks=range(4), xticklabels=QUESTIONS, yticklabels=QUESTIONS)
    plots.show(fig, "Two 4 by 4 matrices. With four sigmoids only the diagonal is coloured, all else is 0; with one softmax every entry off the diagonal is negative.")

# %% [markdown]
# A row of sigmoids is K binary problems that share an input, and nothing else. Whatever the labels have in common (a 6 that has a loop is likely even) must come in through the layers *below* the logits. A softmax does the opposite: evidence for one label is, by construction, evidence against the others.
#
# ## 4. From probabilities to decisions
#
# A probability is not an answer. Somebody has to say from where on it counts as a yes. The slides' rule is strict: *yes* if $p_k > \tau$. The threshold may be one number, or one per label.

# %% exercise="decide"

# %% check="decide"

# %% [markdown]
# ## 5. The puzzle, solved
#
# One layer on 64 pixels, 600 digits, trained twice: with your gradient, and with the softmax and its shares. A small function does the training; all it needs is the gradient in the logits.

# %%
def trained(x, y, gradient, n_epochs=20):
    """One affine layer, trained with this gradient in the logits: a function from inputs to logits."""
    W, b = np.zeros((x.shape[1], y.shape[1])), np.zeros(y.shape[1])

    def loss_and_grads(xb, yb):
        dz = gradient(affine(xb, W, b), yb)
        return 0.0, [xb.T @ dz, dz.sum(axis=0)]  # nobody reads the loss here

    fit([W, b], loss_and_grads, x, y, lr=0.05, momentum=0.9, n_epochs=n_epochs, batch_size=32, rng=np.random.default_rng(1))
    return lambda inputs: affine(inputs, W, b)


# %%
@experiment("multilabel_bce_with_logits_grad", "decide")
def two_heads():
    shares = answers / np.maximum(answers.sum(axis=1, keepdims=True), 1)  # a row without a yes stays 0
    z_sigmoid = trained(pixels[TRAIN], answers[TRAIN], multilabel_bce_with_logits_grad)(pixels)
    z_softmax = trained(pixels[TRAIN], shares[TRAIN], softmax_cross_entropy_grad)(pixels)
    probs = {"sigmoids": sigmoid(z_sigmoid), "softmax": softmax(z_softmax)}
    for name, low, high in (("sigmoids", 0.69, 0.77), ("softmax", 0.17, 0.28)):
        right = (decide(probs[name][TEST], 0.5) == answers[TEST]).all(axis=1)
        expect(f"{name}: all four answers right", right.mean(), low, high)
    print(f"rows that need two yeses or more: {(answers[TEST].sum(axis=1) >= 2).mean():.2f}")
    for name, low, high in (("sigmoids", 0.61, 0.74), ("softmax", 0.0, 0.0)):
        expect(f"{name}: rows that get two or more", (np.sum(decide(probs[name][TEST], 0.5), axis=1) >= 2).mean(), low, high)
    print("your prediction:", my_prediction, "of 10 digits")
    return probs

# %% [markdown]
# Two numbers above ½ would sum to more than 1: a softmax *cannot* say yes twice, however long it is trained. Worse, it gets quieter the better it fits: with two yeses a perfect softmax says ½ and ½, with three ⅓ each, and nothing exceeds ½. Only the digits with exactly one yes survive, the 3 and the 4: **two of ten**. (The 1, with no yes at all, is right now and then by luck. You may count it.)
#
# *"Then lower the threshold!"* says the classmate, and she has a point. Shares of 1, ½ and ⅓ all lie above, say, 0.2, and a no has share 0. **Predict**: with the best threshold for her softmax, which digit still goes wrong?

# %%
@experiment("multilabel_bce_with_logits_grad", "decide")
def a_rescue():
    def right(probs, tau, rows):
        return (decide(probs[rows], tau) == answers[rows]).all(axis=1)

    best = max(np.linspace(0, 1, 101), key=lambda tau: right(two_heads["softmax"], tau, VAL).mean())
    shown = {"sigmoids, τ = ½": ("sigmoids", 0.5), "softmax, τ = ½": ("softmax", 0.5), "softmax, its best τ": ("softmax", best)}
    fig, axes = plots.figure(3, width=3.4, height=3.2)
    for ax, (name, (head, tau)) in zip(axes, shown.items()):
        rows = right(two_heads[head], tau, TEST)
        plots.bars(ax, {str(d): rows[digit[TEST] == d].mean() for d in range(10)}, title=name, form=".2f")
        ax.set_xlim(0, 1.15)
    plots.show(fig, "Share of each digit with all four answers right. Sigmoids: between about a half and nine tenths for every digit. Softmax at one half: nearly all of 3 and 4, some of 1, none of the others. Softmax at its best threshold: half or more of most digits, and none of the 1.")
    expect("softmax, all four right, best τ", right(two_heads["softmax"], best, TEST).mean(), 0.58, 0.7)
    expect("the same on the 1 alone", right(two_heads["softmax"], best, TEST)[digit[TEST] == 1].mean(), 0.0, 0.0)

# %% [markdown]
# Most of the damage is repaired, and the 1 is lost for good. Its four answers are *no*. A softmax must put its unit somewhere: the largest of four probabilities is at least ¼, so below τ = ¼ it always says yes to something. To a softmax "four noes" and "four yeses" are the same row, shifted by a constant, and constants it cannot see. The defect is in what can be *said*, not in the threshold.
#
# ## 6. A score for yeses
#
# Four digits of ten have a loop. A net that never says *loop* is right in 60 % of all cases. Accuracy counts its easy noes; we want to know two other things. Of the yeses it *said*, how many were true (**precision** P)? Of the yeses that *were* true, how many did it say (**recall** R)? **F1** is their harmonic mean, $2PR/(P+R)$, which is near the smaller of the two.
#
# Put P and R as counts into that formula and simplify before you code. One fraction is left; one case makes it 0/0. The convention for that case: F1 is 0.

# %% exercise="f1_per_label"

# %% check="f1_per_label"

# %%
@experiment("multilabel_bce_with_logits_grad", "decide", "f1_per_label")
def lazy_and_trained():
    truth = answers[TEST]
    candidates = {"never yes": np.zeros_like(truth), "always yes": np.ones_like(truth), "sigmoids, τ = ½": decide(two_heads["sigmoids"][TEST], 0.5)}
    for name, decisions in candidates.items():
        print(f"{name:16} accuracy of 'loop' {(decisions == truth)[:, 2].mean():.1f}, F1 of 'loop' {f1_per_label(decisions, truth)[2]:.1f}")
    expect("mean F1 of the four labels (macro-F1), sigmoids", np.mean(f1_per_label(candidates["sigmoids, τ = ½"], truth)), 0.87, 0.92)

# %% [markdown]
# Look at the second line. *Always yes* has no idea of digits and a higher F1 than its accuracy: F1 forgives a false yes more easily than a missed one. That has a consequence.
#
# ## 7. The best threshold is not ½
#
# Suppose the probabilities are honest: of all examples with p = 0.4, four in ten are yeses. You have decided some set of examples; its F1 is $F = 2\,\mathrm{TP} / (\text{decided} + \text{true})$. Add one more example, of probability p. In expectation the numerator grows by $2p$, the denominator by 1. A fraction rises when what is added above, over what is added below, exceeds the fraction itself. So the new example is worth adding if and only if p is larger than … ?
#
# **Finish the sentence**: the best threshold is ____ of the best F1. On which side of ½ does it lie?
#
# To see it we need an unsure model. Let it look through a slit: of each image it gets one column of eight pixels.

# %%
SLIT = pixels.reshape(-1, 8, 8)[:, :, 3]  # (1797, 8)
TAUS = np.linspace(0, 1, 101)


@experiment("multilabel_bce_with_logits_grad", "decide", "f1_per_label")
def through_a_slit():
    probs = sigmoid(trained(SLIT[TRAIN], answers[TRAIN], multilabel_bce_with_logits_grad, n_epochs=40)(SLIT))
    f1 = np.array([f1_per_label(decide(probs[VAL], tau), answers[VAL]) for tau in TAUS])  # (101, 4)
    hits = np.array([np.mean(decide(probs[VAL], tau) == answers[VAL], axis=0) for tau in TAUS])
    fig, axes = plots.figure(2, width=4.4)
    for ax, curves, name in zip(axes, (f1, hits), ("F1", "accuracy")):
        plots.lines(ax, TAUS, {q: curves[:, k] for k, q in enumerate(QUESTIONS)}, xlabel="threshold τ", ylabel=name, title=f"{name}; dots: each label's best τ")
        for k in range(4):
            ax.plot(TAUS[curves[:, k].argmax()], curves[:, k].max(), "o", color=plots.COLOURS[k])
    plots.show(fig, "F1 and accuracy of four labels against the threshold. F1 is high and flat on the left, peaks between about 0.25 and 0.5 and falls to 0 on the right; accuracy starts at the share of yeses, peaks for most labels further to the right, and ends at the share of noes.")
    expect("best τ for F1, mean of the labels", TAUS[f1.argmax(axis=0)].mean(), 0.27, 0.44)
    expect("half of the best F1, mean of the labels", f1.max(axis=0).mean() / 2, 0.32, 0.38)
    return {"probs": probs, "tau": TAUS[f1.argmax(axis=0)]}

# %% [markdown]
# The threshold that is best for F1 is *half of the best F1* (Lipton et al. 2014), and so never above ½ for an honest model. Now use it. The thresholds were chosen on the validation rows; on the test rows, **predict** two things: does macro-F1 go up? And the share of rows with all four answers right?

# %%
@experiment("multilabel_bce_with_logits_grad", "decide", "f1_per_label")
def what_it_buys():
    probs, truth = through_a_slit["probs"][TEST], answers[TEST]
    half, tuned = np.asarray(decide(probs, 0.5)), np.asarray(decide(probs, through_a_slit["tau"]))
    for name, measure, bands in (
        ("macro-F1", lambda d: np.mean(f1_per_label(d, truth)), ((0.49, 0.68), (0.64, 0.71))),
        ("all four right", lambda d: (d == truth).all(axis=1).mean(), ((0.2, 0.31), (0.09, 0.23))),
        ("yeses per row (the truth: 1.8)", lambda d: d.sum(axis=1).mean(), ((1.3, 2.1), (2.2, 3.2))),
    ):
        expect(f"{name}, τ = ½", measure(half), *bands[0])
        expect(f"{name}, τ per label", measure(tuned), *bands[1])

# %% [markdown]
# F1 went up, and *fewer* rows are right in all four answers. The thresholds did what they were asked: they bought F1 with more yeses, and a row is spoilt by a single false one. There is no best threshold, only a best threshold *for* something. Say what for, before you tune.
#
# One question remains: does this always pay? **Predict** what the same tuning does for the model that sees all 64 pixels.

# %%
@experiment("multilabel_bce_with_logits_grad", "decide", "f1_per_label")
def with_open_eyes():
    probs = two_heads["sigmoids"]
    f1 = np.array([f1_per_label(decide(probs[VAL], tau), answers[VAL]) for tau in TAUS])
    tuned, half = (np.mean(f1_per_label(decide(probs[TEST], tau), answers[TEST])) for tau in (TAUS[f1.argmax(axis=0)], 0.5))
    expect("macro-F1 gained by tuning, whole image", tuned - half, -0.02, 0.02, "+.3f")

# %% [markdown]
# Next to nothing, in either direction. A model that is sure has few probabilities between the thresholds to argue about, and 400 validation rows choose among them by chance. The textbook's tuned threshold is for models that know little.
#
# ### Exactly, not on a grid
#
# A grid of 101 thresholds is a guess, and scores may be closer than its steps. But there are no infinitely many thresholds to try: two of them that decide the same set are the same. With N scores, how many sets can a threshold decide? Ties included?

# %% exercise="best_thresholds"

# %% check="best_thresholds"

# %%
@experiment("multilabel_bce_with_logits_grad", "decide", "f1_per_label", "best_thresholds")
def grid_or_exact():
    probs = through_a_slit["probs"]
    exact = best_thresholds(probs[VAL], answers[VAL])
    for part, rows, low in (("validation rows, where they were chosen", VAL, 0.0), ("test rows", TEST, -0.02)):
        gain = np.mean(f1_per_label(decide(probs[rows], exact), answers[rows])) - np.mean(f1_per_label(decide(probs[rows], through_a_slit["tau"]), answers[rows]))
        expect(f"macro-F1 gained over the grid, {part}", gain, low, 0.02, "+.3f")

# %% [markdown]
# On the rows where they were chosen the exact thresholds cannot lose. On new rows the difference drowns in the noise of having only 400 rows to choose by. Exactness is worth its few lines because it is *fast* (one sort per label, whatever the scores), not because the third digit of τ means anything.
#
# ## 8. Two knobs
#
# There is another way to get more yeses: raise `pos_weight`, train again, and leave τ at ½. Train the slit model with w = 3 for every label, and compare its decisions at ½ with those of the *unweighted* model at τ = ¼.
#
# **Predict**: of all decisions on test rows, which share agrees?

# %%
@experiment("multilabel_bce_with_logits_grad", "decide")
def weight_or_threshold():
    def dearer(z, y):
        return multilabel_bce_with_logits_grad(z, y, np.full(4, 3.0))

    plain, weighted = through_a_slit["probs"][TEST], sigmoid(trained(SLIT[TRAIN], answers[TRAIN], dearer, n_epochs=40)(SLIT[TEST]))
    same = {tau: np.mean(np.equal(decide(plain, tau), decide(weighted, 0.5))) for tau in TAUS}
    fig, ax = plots.figure(width=5.5)
    plots.lines(ax, TAUS, {"agreement": np.array(list(same.values()))}, xlabel="threshold τ of the unweighted model", ylabel="share of equal decisions")
    ax.axvline(0.25, color="0.6", linewidth=1, linestyle="--")
    plots.show(fig, "Share of equal decisions between the weighted model at one half and the unweighted one, against the unweighted one's threshold: a peak above 0.9 near a quarter, which a dashed line marks, and only about two thirds at one half.")
    expect("agreement at τ = 1/4", same[0.25], 0.88, 0.99)
    expect("agreement at τ = 1/2", same[0.5], 0.58, 0.78)
    expect("mean probability, weighted model", weighted.mean(), 0.58, 0.76)
    expect("mean probability, plain model (the truth: 0.45)", plain.mean(), 0.4, 0.51)

# %% [markdown]
# Three and a quarter, of all numbers. It is no accident; section 10 asks you why. Note the last two lines: one of the two models no longer means what it says.
#
# ## 9. The same in PyTorch
#
# `binary_cross_entropy_with_logits` is your loss, entry by entry, `pos_weight` included. Its `reduction="mean"` is not yours:

# %%
import torch


@experiment("multilabel_bce_with_logits", "multilabel_bce_with_logits_grad")
def against_pytorch():
    rng = np.random.default_rng(0)
    z, y, w = rng.normal(size=(5, 4)), rng.uniform(size=(5, 4)), np.array([1.0, 3.0, 0.5, 2.0])
    tensor = torch.tensor(z, requires_grad=True)
    entries = torch.nn.functional.binary_cross_entropy_with_logits(tensor, torch.tensor(y), pos_weight=torch.tensor(w), reduction="none")
    entries.sum(dim=1).mean().backward()
    print(f"yours                        {multilabel_bce_with_logits(z, y, w):.12f}")
    print(f"PyTorch, .sum(dim=1).mean()  {entries.sum(dim=1).mean().item():.12f}")
    print(f"PyTorch, reduction='mean'    {entries.mean().item():.12f}   times K = 4: {4 * entries.mean().item():.12f}")
    print(f"gradient: largest difference below 1e-15: {np.abs(multilabel_bce_with_logits_grad(z, y, w) - tensor.grad.numpy()).max() < 1e-15}")

# %% [markdown]
# A factor of K in the loss is a factor of K in the gradient, and so in the step size: a learning rate copied from a PyTorch script is K times too large here. Nobody notices until K is 80.
#
# With many labels most entries are easy noes: *no giraffe*, again. A weight per label does not know which entries are easy. **Focal loss** (Lin et al. 2017) does. Let q be the probability that the net gives to what is *true* (p where y = 1, and the rest where y = 0). Each entry costs
#
# $$-(1 - q)^{\gamma} \, \log q$$
#
# With γ = 2 an entry at q = 0.9 costs a hundredth of what it did, one at q = 0.1 four fifths. γ = 0 is the old loss. Sum over the labels, mean over the batch; keep it finite at |z| = 1000, in value and gradient.

# %% exercise="focal_loss_in_torch"

# %% check="focal_loss_in_torch"

# %% [markdown]
# ## 10. In your own words
#
# A label is true for a share q of many examples that all look the same to the model, so that it can only give them one probability p.
#
# (a) Which p minimises the mean loss with weight w on the positive term? Express the *odds* p/(1 − p) by w and the odds of q. (b) Explain section 8: why did w = 3 at ½ decide like w = 1 at ¼, and which threshold belongs to w = 9? (c) A hospital wants to be told the risk as well as the decision. Which of the two knobs do you turn, and why?

# %% [markdown] written="one_odds_two_knobs"
# (a) The mean loss is −w q log p − (1 − q) log(1 − p). Its derivative, −w q/p + (1 − q)/(1 − p), is 0 where p/(1 − p) = w · q/(1 − q): the weight multiplies the odds, and does nothing else. (In logits: it adds log w.) (b) The weighted model says yes at ½ when its odds exceed 1, that is w · q/(1 − q) > 1, q > 1/(1 + w). The unweighted model has p = q, so it decides alike at τ = 1/(1 + w): ¼ for w = 3, 1/10 for w = 9. It holds exactly for a model that can fit every q; for a small one nearly, since the weight also changes which errors it cares about. (c) The threshold. It leaves p = q, a risk that means what it says, and can be moved later without training; the weighted model's p is too high (0.65 on average where 0.45 is true) and would first have to be corrected by dividing its odds by w.
#
# Rubric:
# - **full** the minimiser derived (odds times w), 1/(1 + w) from it with 1/10 for w = 9, and the threshold chosen because the probabilities stay honest
# - **half** the right relation without a derivation, or derived but not connected to τ = 1/(1 + w); or no reason in (c)
# - **none** only "a larger weight gives more yeses"

# %% [markdown]
# ## Recap
#
# 1. Several labels are K coins, not one die: a sigmoid each, binary cross-entropy summed over labels, averaged over examples.
# 2. The gradient of a logit knows its own label only; `pos_weight` sits on the positive term, before the two terms are added.
# 3. A softmax never says yes twice at ½, and cannot say "none" at any threshold below 1/K.
# 4. A threshold is best *for* something: for F1 at half of the best F1, bought with rows that are wrong somewhere.
# 5. A weight w on the yeses and a threshold of 1/(1 + w) decide alike; only the threshold leaves the probabilities honest.
#
# **The recap question.** A defect here: adding 5 to every logit should turn four noes into four yeses. Sigmoids see it (each odds is multiplied by e⁵), a softmax does not, which is why the 1 was lost.
#
# **To read:** Lipton, Elkan & Naryanaswamy 2014, *Optimal Thresholding of Classifiers to Maximize F1 Measure*; Lin, Goyal, Girshick, He & Dollár 2017, *Focal Loss for Dense Object Detection*.
