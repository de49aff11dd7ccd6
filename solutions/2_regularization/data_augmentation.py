# %% [markdown]
# # Data augmentation
#
# **You will be able to** turn and move points and pictures without leaving holes, add noise and normalise without cheating, show that noise on the inputs is a penalty on the weights, and say what an augmentation claims about the labels.
#
# **Time** about an hour and ten minutes, a quarter of an hour more with the bonus · **Needs** matrices, expectation and variance, *dropout*, *early stopping* · **Symbols** θ an angle in radians, counter-clockwise; R the matrix that turns a column; σ the standard *deviation* of noise (a logistic function elsewhere); e ~ N(0, I); w the weights of a linear model; α the strength of ridge.
#
# **Recap question.** Dropout on the inputs of a linear model and stopping its training early both shrink the weights. One of them treats every direction of the data by its curvature alone. Which one, and what does the other one look at? Keep your answer for the end.

# %% setup=true
import numpy as np

from class4lib import data, plots
from class4lib.check import check, hint
from class4lib.dropout import dropout
from class4lib.early_stopping import equivalent_l2, gradient_descent_path
from class4lib.experiments import expect, experiment
from class4lib.network import Stack, affine_block, objective, relu_block
from class4lib.training import accuracy, fit

# %% [markdown]
# ## 1. Two pixels
#
# A net has learned digits from 200 pictures of 8 × 8 pixels and reads new ones with an accuracy above 0.9. Now the new ones are moved by one or two pixels, in random directions. Any child reads them as before.
#
# **Predict before you read on.** What is the net's accuracy on the moved digits? (Guessing gives 0.1.)

# %%
my_prediction = None  # a number: accuracy on digits moved by up to two pixels

fig, axes = plots.figure(4, rows=2, width=1.5, height=1.7)
pictures = data.digits()[0][:4]
for row, name, shown in zip(axes, ("as given", "moved"), (pictures, data.jittered(pictures, 2, rng=np.random.default_rng(7))), strict=True):
    plots.images(row, list(shown.reshape(-1, 8, 8)), [f"{k}, {name}" for k in range(4)])
plots.show(fig, "Eight small grey pictures. Above, the digits 0 to 3 as they are, in the middle. Below, the same digits moved by one or two pixels, some cut off at an edge.")

# %% [markdown]
# ## 2. Points
#
# Begin with two coordinates, x to the right and y up. A turn about the origin is linear, so it is a matrix, and a matrix is known once you know where it sends (1, 0) and (0, 1). **On paper:** draw both after a small turn counter-clockwise, and read off their coordinates. They are the columns.

# %% exercise="rotation_matrix"

# %% check="rotation_matrix"

# %% [markdown]
# The matrix stands to the left of a column. A data set is a pile of **rows**. Transpose both sides of $x' = Rx$ before you write the next function; **predict** what happens to those who don't.

# %% exercise="rotate_points"

# %% check="rotate_points"

# %% [markdown]
# A turn preserves lengths, and a turn back undoes it:

# %%
@experiment("rotate_points")
def there_and_back():
    x = np.random.default_rng(0).normal(size=(5, 2))
    turned = rotate_points(x, 0.5)
    print("lengths preserved:", bool(np.allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(x, axis=1))))
    print("turned back:", bool(np.allclose(rotate_points(turned, -0.5), x)))

# %% [markdown]
# To move all points alike is no product with a matrix: that would leave the origin where it is.

# %% exercise="translate_points"

# %% check="translate_points"

# %% [markdown]
# And one more map that keeps the origin, with one factor for all coordinates or one for each. A bonus.

# %% exercise="scale_points"

# %% check="scale_points"

# %% [markdown]
# ## 3. Pictures
#
# A picture is a grid, and a turned grid does not fall on the grid. The first idea: send every pixel to where it goes, rounded. Take a white picture of 40 × 40 pixels and turn it by 0.5. **Predict** what is wrong with the result.

# %%
@experiment("rotate_points")
def sent_forward():
    i, j = np.indices((40, 40)).reshape(2, -1) - 19.5
    x, y = rotate_points(np.stack([j, -i], axis=1), 0.5).T  # y runs up, rows run down
    row, column = np.rint(19.5 - y).astype(int), np.rint(19.5 + x).astype(int)
    inside = (row >= 0) & (row < 40) & (column >= 0) & (column < 40)
    hits = np.zeros((40, 40))
    np.add.at(hits, (row[inside], column[inside]), 1)
    fig, ax = plots.figure(width=3.6, height=3)
    plots.heatmap(ax, hits, title="pixels that arrive")
    plots.show(fig, "A bright square turned counter-clockwise by about thirty degrees, its corners cut off by the frame. It is dotted all over, in a regular pattern, with dark holes where no pixel arrived and with about as many bright dots where two did.")
    middle = hits[10:30, 10:30]
    print("in the inner 20 × 20: hit never", int((middle == 0).sum()), "· twice", int((middle > 1).sum()), "· of", middle.size)

# %% [markdown]
# Holes, and as many collisions. So ask the other way round: for every pixel of the **result**, where did it come from? That place lies between four pixels; mix them, each weighted by nearness in rows times nearness in columns.
#
# Mind two conventions. y runs up while rows run **down**, and the centre of H rows, numbered from 0, is (H − 1)/2. Points and pictures are to turn in the same sense *as seen*.

# %% exercise="rotate_images"

# %% check="rotate_images"

# %% [markdown]
# Do points and pictures turn in the same sense, as seen? Counter-clockwise was the promise for both. Put a digit off centre and turn it; turn its centre of mass with your *other* function, as a point; compare.

# %%
@experiment("rotate_images", "rotate_points")
def same_sense():
    image = np.zeros((1, 16, 16))
    image[0, 1:9, 6:14] = data.digits()[0][0].reshape(8, 8)
    i, j = np.indices((16, 16)) - 7.5
    turned = rotate_images(image, 0.5)
    before, after = (np.array([[(p * j).sum(), -(p * i).sum()]]) / p.sum() for p in (image[0], turned[0]))
    point = rotate_points(before, 0.5)
    fig, axes = plots.figure(2, width=2.6, height=2.8)
    plots.images(axes, [image[0], turned[0]], ["before", "turned by 0.5"])
    for ax, (x, y) in zip(axes, (before[0], point[0]), strict=True):
        ax.plot(7.5 + x, 7.5 - y, "o", color=plots.COLOURS[1])
        ax.plot(7.5, 7.5, "+", color=plots.COLOURS[0], markersize=10)
    plots.show(fig, "Two grey pictures of a zero with a dot at its centre of mass and a cross at the middle of the picture. Left, the zero stands upright, above and to the right of the cross. Right, it leans to the left and has moved over to the left, about the cross; the dot, turned as a point, is in its middle again.")
    expect("distance of the two centres, in pixels", np.linalg.norm(after - point), 0, 0.1)

# %% [markdown]
# The same sense. Two changes of sign made it so: y runs against the rows, and asking where a pixel came from turns back. Who forgets one sees pictures turn clockwise; who forgets both is right by luck.

# %% [markdown]
# Shifting by whole pixels needs no interpolation, only care at the edges. A bonus:

# %% exercise="translate_images"

# %% check="translate_images"

# %% [markdown]
# ## 4. What shifts gain, and what they cost
#
# Now the puzzle. The same net is trained twice on 200 digits with the same number of steps; the second time every batch is moved anew, by up to two pixels. **Predict** three numbers more: the second net's accuracy on moved digits, and both on digits left where they are.

# %%
def train(x, y, augment=None, *, rng, updates=2000):
    """One hidden layer, every batch augmented anew; the number of updates is the same for every size of x."""
    net = Stack([affine_block(64, 64, "he", rng=rng), relu_block(), affine_block(64, 10, rng=rng)])
    plain = objective(net)
    loss = (lambda a, b: plain(augment(a, rng), b)) if augment else plain
    fit(net.params, loss, x, y, lr=0.05, n_epochs=updates * 20 // len(x), batch_size=20, rng=rng, momentum=0.9)
    return net

# %%
@experiment()
def shifts():
    rng = np.random.default_rng(0)
    parts = data.split(*data.digits(), 200, rng=rng)
    moved = data.jittered(parts.x_test, 2, rng=rng)
    nets = [train(parts.x_train, parts.y_train, augment, rng=rng) for augment in (None, lambda x, r: data.jittered(x, 2, rng=r))]
    (clean, clean_shifts), (off, off_shifts) = ([accuracy(net(x), parts.y_test) for net in nets] for x in (parts.x_test, moved))
    print("your prediction:", my_prediction)
    expect("moved digits, plain training", off, 0.1, 0.3)
    expect("moved digits, trained with shifts", off_shifts, 0.72, 0.92)
    expect("digits in place, plain training", clean, 0.88, 0.96)
    expect("digits in place, shifts minus plain", clean_shifts - clean, -0.16, -0.02, "+.3f")
    return parts, nets

# %% [markdown]
# Hardly better than guessing, and cured, but not for free: the net has to spread its 64 units over 25 positions, and these digits are all centred. "Position does not matter" is true and, on this test set, useless. If you wrote the bonus, you can look at every position by itself:

# %%
@experiment("translate_images")
def by_position():
    parts, nets = shifts
    maps = np.zeros((2, 7, 7))
    for i in range(7):
        for j in range(7):
            x = translate_images(parts.x_test[:400].reshape(-1, 8, 8), i - 3, j - 3).reshape(-1, 64)
            maps[:, i, j] = [accuracy(net(x), parts.y_test[:400]) for net in nets]
    fig, axes = plots.figure(2, width=4.4, height=3.6)
    for ax, m, name in zip(axes, maps, ("plain training", "trained with shifts up to 2"), strict=True):
        plots.heatmap(ax, m, numbers=True, title=name, xlabel="pixels to the right", ylabel="pixels down")
        ax.set_xticks(range(7), range(-3, 4))
        ax.set_yticks(range(7), range(-3, 4))
    plots.show(fig, "Two maps of accuracy over the shift, from −3 to 3 pixels down and to the right. Plain training: above .9 in the middle, falling on all sides to about a tenth at two or three pixels. Trained with shifts: about .8 in the whole inner square of five by five, and much less on the outermost ring.")

# %% [markdown]
# Shifts up to 2 were learned, and at 3 the knowledge ends: the net knows positions, it has no *idea* of position. (A convolution has; its weights are the same everywhere.)
#
# So how many true pictures is an augmentation worth? **Predict** for moves of up to one pixel: how many originals without shifts does it take to match 50 with shifts, on digits in place? And on moved ones?

# %%
@experiment()
def learning_curve():
    rng, sizes = np.random.default_rng(0), (50, 100, 200, 400)
    parts = data.split(*data.digits(), 400, rng=rng)
    tests, curves = (parts.x_test, data.jittered(parts.x_test, 1, rng=rng)), np.zeros((2, 2, 4))
    for k, n in enumerate(sizes):
        for i, augment in enumerate((None, lambda x, r: data.jittered(x, 1, rng=r))):
            net = train(parts.x_train[:n], parts.y_train[:n], augment, rng=rng, updates=800)
            curves[:, i, k] = [accuracy(net(x), parts.y_test) for x in tests]
    fig, axes = plots.figure(2, width=4.2)
    for ax, curve, name in zip(axes, curves, ("tested in place", "tested moved"), strict=True):
        plots.lines(ax, np.array(sizes), {"plain": curve[0], "with shifts": curve[1]}, log="x", xlabel="originals", ylabel="accuracy", title=name)
        ax.set_xticks(sizes, sizes)
        ax.minorticks_off()
        ax.set_ylim(0.25, 1)
    plots.show(fig, "Accuracy against the number of originals, 50 to 400. Left, tested in place: both curves rise, plain from about .8 to .95, with shifts a little below it. Right, tested moved: plain stays between .3 and .4 however many originals there are, with shifts rises from above .7 to .9.")
    return curves

# %%
@experiment()
def exchange_rate():
    in_place, moved = learning_curve
    expect("in place: with shifts minus plain, mean over the sizes", (in_place[1] - in_place[0]).mean(), -0.08, 0.0, "+.3f")
    expect("moved: 50 with shifts minus 400 plain", moved[1, 0] - moved[0, 3], 0.25, 0.5, "+.3f")

# %% [markdown]
# One would like an answer such as "shifts triple the data". There is none. In place, shifts are worth *fewer than no* pictures: the curve with them runs below. On moved digits no number of originals within reach makes up for them: 400 plain ones stay far below 50 with shifts, for centred pictures say nothing about the edge. The exchange rate depends on the test set. An augmentation is a claim about the data to come.

# %% [markdown]
# ## 5. A claim about labels
#
# It is a claim about labels, too. Turn half of the training pictures by 180°, label unchanged. **Predict** which digits suffer.

# %%
@experiment("rotate_images")
def half_turns():
    def turn_half(x, r):
        turned = rotate_images(x.reshape(-1, 8, 8), np.pi).reshape(-1, 64)
        return np.where(r.random((len(x), 1)) < 0.5, turned, x)

    rng, recall = np.random.default_rng(0), np.zeros((4, 2, 10))
    for run in recall:
        parts = data.split(*data.digits(), 200, rng=rng)
        for i, augment in enumerate((None, turn_half)):
            right = train(parts.x_train, parts.y_train, augment, rng=rng, updates=1000)(parts.x_test).argmax(axis=1) == parts.y_test
            run[i] = [right[parts.y_test == k].mean() for k in range(10)]
    return (recall[:, 1] - recall[:, 0]).mean(axis=0)

# %%
@experiment("rotate_images")
def who_suffers():
    change = half_turns
    fig, ax = plots.figure(width=6)
    ax.bar(range(10), change, color=[plots.COLOURS[k in (6, 9)] for k in range(10)])
    ax.axhline(0, color="0.5", linewidth=1)
    ax.set(xticks=range(10), xlabel="digit", ylabel="change of recall, mean of 4 runs")
    plots.show(fig, "Ten bars, the change of recall by digit. The 6 and the 9 stand out, each about a tenth down; the others change by less than 0.04, up or down.")
    expect("recall of the 9, change by turning", change[9], -0.2, -0.04, "+.3f")
    expect("recall of the 6", change[6], -0.2, 0.0, "+.3f")
    expect("mean of the other eight", np.delete(change, (6, 9)).mean(), -0.05, 0.0, "+.3f")

# %% [markdown]
# A 6 on its head, called 6, is a 9 with a wrong label: label noise, written into the data by hand. The 9 lost in each of five repetitions of this experiment, several times what a digit loses that is merely learned in two positions; the 6 lost less reliably. For a 0 or an 8 the claim was nearly true, and for a 4 it was true and useless.

# %% [markdown]
# ## 6. Noise, and a ruler
#
# The plainest augmentation needs no geometry: a little noise on every entry. Beware of the word "size": σ is a deviation, and its square is a variance.

# %% exercise="add_gaussian_noise"

# %% check="add_gaussian_noise"

# %% [markdown]
# How much is a little? Pixels run from 0 to 1.

# %%
@experiment("add_gaussian_noise")
def noisy_digits():
    x, rng = data.digits()[0][5].reshape(8, 8), np.random.default_rng(0)
    fig, axes = plots.figure(4, width=1.8, height=2)
    plots.images(axes, [add_gaussian_noise(x, s, rng=rng) for s in (0.0, 0.1, 0.3, 1.0)], [f"σ = {s}" for s in (0, 0.1, 0.3, 1)])
    plots.show(fig, "A digit 5 four times, with noise of growing deviation: clean, hardly changed at 0.1, still readable at 0.3, lost at 1.")

# %% [markdown]
# For pixels σ = 0.1 is a little. In a table of metres and grams it is a flood for one feature and nothing for the other. So normalise first, each feature with its mean and its deviation. **Whose** mean? Think of a single patient who comes tomorrow: normalised by the statistics of that one row, what would be left?

# %% exercise="Normalizer"

# %% check="Normalizer"

# %%
@experiment("Normalizer")
def one_patient():
    rows = np.random.default_rng(0).normal(50.0, 10.0, size=(100, 3))
    ruler = Normalizer().fit(rows)
    print("by the training data:", np.round(ruler.transform(rows[:1]), 2))
    print("by its own mean:     ", np.round(Normalizer().fit(rows[:1]).transform(rows[:1]), 2))

# %% [markdown]
# Every patient would become the same row of zeros. A whole batch of test patients hides the error better: measured by themselves they have mean 0 whoever they are, and nobody sees that all patients of the new hospital are heavier.

# %% [markdown]
# ## 7. What noise does to a linear model
#
# A linear model predicts $x \cdot w$, and its loss is $\tfrac12 (x \cdot w - y)^2$. Put $x + \sigma e$ in place of $x$, with $e \sim N(0, I)$. **On paper:** call the clean residual $r$, write the noisy one as $r$ plus something, square it, and take the expectation over $e$ term by term. One term vanishes. What remains beside $\tfrac12 r^2$ does not depend on the data at all.

# %% exercise="noise_penalty"

# %% check="noise_penalty"

# %% [markdown]
# Now the whole loss, a mean over N examples. **Predict**: does the penalty get a 1/N?

# %% exercise="noise_ridge_loss"

# %% check="noise_ridge_loss"

# %% [markdown]
# Never believe an expectation you have not sampled:

# %%
@experiment("noise_ridge_loss", "add_gaussian_noise")
def sampled_loss():
    rng = np.random.default_rng(0)
    X, w, y = rng.normal(size=(30, 4)), rng.normal(size=4), rng.normal(size=30)
    sampled = np.mean([0.5 * ((add_gaussian_noise(X, 0.5, rng=rng) @ w - y) ** 2).mean() for _ in range(5000)])
    expect("sampled over closed form", sampled / noise_ridge_loss(w, X, y, 0.5), 0.98, 1.02)

# %% exercise="noise_ridge_loss_grad"

# %% check="noise_ridge_loss_grad"

# %% [markdown]
# So noise is ridge, with strength σ² in the mean loss. But *which* procedure is? Make k noisy copies of a data set. Either stack them and fit **once**, or fit each copy and average the k solutions. **Predict**: for a large k, which of them is ridge?

# %%
@experiment("add_gaussian_noise")
def one_fit_or_many():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 10)) * np.linspace(1.5, 0.3, 10)
    y = X @ rng.normal(size=10) + 0.5 * rng.normal(size=30)
    ridge = np.linalg.solve(X.T @ X + 30 * 0.25 * np.eye(10), X.T @ y)
    gram, moment, total, far = np.zeros((10, 10)), np.zeros(10), np.zeros(10), {}
    for k in range(1, 10_001):
        noisy = add_gaussian_noise(X, 0.5, rng=rng)
        a, b = noisy.T @ noisy, noisy.T @ y
        gram, moment, total = gram + a, moment + b, total + np.linalg.solve(a, b)
        if k in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000):
            far[k] = [np.linalg.norm(w - ridge) / np.linalg.norm(ridge) for w in (np.linalg.solve(gram, moment), total / k)]
    one, many = np.array(list(far.values())).T
    fig, ax = plots.figure(width=6)
    plots.lines(ax, np.array(list(far)), {"one fit": one, "mean of k fits": many}, log="xy", xlabel="copies k", ylabel="relative distance from ridge")
    plots.show(fig, "Relative distance from ridge against the number of copies, both logarithmic. One fit on all copies falls in a straight line, by about ten for a hundred times as many copies, to below 0.01. The mean of separate fits falls with it at first and then stays at six or seven per cent.")
    expect("one fit on 10,000 stacked copies: distance from ridge", one[-1], 0, 0.015)
    expect("mean of 10,000 fits: distance from ridge", many[-1], 0.03, 0.15)

# %% [markdown]
# The one fit. Its loss is a mean over copies, and that mean tends to the expectation you derived. A solution, though, is an inverse of a random matrix times something, and the mean of inverses is not the inverse of the mean. More fits will never close that gap; more *examples* would, since then a single fit hardly varies.

# %% [markdown]
# ## 8. Three ways to shrink
#
# Dropout, early stopping, noise: three notebooks, and each time ridge came out. Here they are on one plot. Along each singular direction of the data, which share of the least squares solution is left? All are set to one strength α:
#
# | | strength of its ridge | and so |
# |---|---|---|
# | noise | σ² | σ = √α |
# | dropout | p/(1 − p) times a feature's mean square | p solved from that |
# | early stopping | 1/(ηt) | 20 steps of size 0.2 fix α |
#
# Noise and dropout are not computed by formula: a thousand copies are corrupted, stacked and fitted once. **Predict** which of the three will leave the curve of ridge, and where.

# %%
def shrinking_data(lr=0.2, step=20):
    """Data with eight directions of falling curvature, mixed so that every feature has the same mean square."""
    H = np.array([[1.0]])
    while len(H) < 8:
        H = np.block([[H, H], [H, -H]])
    H, curvature = H / np.sqrt(8), np.geomspace(2.0, 0.002, 8)
    U = np.linalg.qr(np.random.default_rng(0).normal(size=(200, 8)))[0]
    return H, curvature, np.sqrt(200) * U * np.sqrt(curvature) @ H.T, equivalent_l2(lr, step)

# %%
@experiment("add_gaussian_noise")
def three_ways_to_shrink():
    (H, curvature, X, alpha), rng, shares = shrinking_data(), np.random.default_rng(1), {}
    y, p = X @ H @ np.ones(8), alpha / (alpha + (X**2).mean())
    ways = {"noise": lambda: add_gaussian_noise(X, np.sqrt(alpha), rng=rng), "dropout": lambda: dropout(X, p, training=True, rng=rng)[0]}
    for name, corrupt in ways.items():
        copies = [corrupt() for _ in range(1000)]
        shares[name] = H.T @ np.linalg.solve(sum(c.T @ c for c in copies), sum(c.T @ y for c in copies))
    shares["early stopping"] = gradient_descent_path(curvature, np.ones(8), 0.2, 20)[-1]
    return curvature, shares, curvature / (curvature + alpha)

# %%
@experiment("add_gaussian_noise")
def on_one_plot():
    curvature, shares, ridge = three_ways_to_shrink
    fig, ax = plots.figure(width=6.5, height=3.8)
    fine, alpha = np.geomspace(0.002, 2, 100), equivalent_l2(0.2, 20)
    ax.plot(fine, fine / (fine + alpha), color="0.6")
    marks = {"noise": ("o", 11, "none"), "dropout": ("x", 8, None), "early stopping": ("^", 8, None)}
    for (name, share), colour in zip(shares.items(), plots.COLOURS, strict=False):
        mark, size, face = marks[name]
        ax.plot(curvature, share, mark, color=colour, markersize=size, markerfacecolor=face or colour)
    labels = (("ridge", 0.5, 0.6, "0.4"), ("circles: noise", 0.34, 0.43, plots.COLOURS[0]), ("crosses: dropout", 0.34, 0.36, plots.COLOURS[1]), ("triangles: early stopping", 0.025, 0.68, plots.COLOURS[2]))
    for name, x, y, colour in labels:
        ax.annotate(name, (x, y), color=colour, fontsize=10)
    ax.set(xscale="log", ylim=(0, 1.05), xlabel="curvature of the direction (squared singular value / N)", ylabel="share of least squares left")
    plots.show(fig, "Share left against curvature, logarithmic. Ridge is a grey curve that rises from 0 to 0.9. Circles (noise) and crosses (dropout) lie on it together. Triangles (early stopping) lie on it at the left end, rise above it from a share of about one third on, and reach 1 at the right.")
    for name, low, high in (("noise", 0, 0.02), ("dropout", 0, 0.02), ("early stopping", 0.12, 0.25)):
        expect(f"{name}: largest distance from ridge", np.abs(shares[name] - ridge).max(), low, high)
    expect("early stopping: distance in the flattest direction", abs(shares["early stopping"][-1] - ridge[-1]), 0, 0.001)

# %% [markdown]
# Regularisation as shrinkage: steep directions, which the data determine well, are left alone; flat ones are shrunk to nearly nothing. Noise and dropout lie *on* ridge, up to the chance of a thousand copies. Early stopping agrees to first order only, where curvature is small; in steep directions it shrinks less, and in the steepest not at all. One caution: dropout is *this* ridge because the features were mixed to have equal mean squares. Elsewhere it is ridge in rescaled features: large features pay more.

# %% [markdown]
# ## 9. The same in PyTorch
#
# An optimizer's `weight_decay` adds a multiple of w to the gradient. Which number makes it the noise of deviation σ? Compare digit by digit.

# %%
import torch


@experiment("noise_ridge_loss")
def against_autograd():
    rng = np.random.default_rng(0)
    w, X, y = rng.normal(size=3), rng.normal(size=(5, 3)), rng.normal(size=5)
    a = torch.tensor(w, requires_grad=True)
    optimizer = torch.optim.SGD([a], lr=1.0, weight_decay=0.4**2)
    (0.5 * ((torch.tensor(X) @ a - torch.tensor(y)) ** 2).mean()).backward()
    optimizer.step()
    theirs = w - a.detach().numpy()  # one step of size 1 is the gradient
    yours = [(noise_ridge_loss(w + d, X, y, 0.4) - noise_ridge_loss(w - d, X, y, 0.4)) / 2e-4 for d in 1e-4 * np.eye(3)]
    for j in range(3):
        print(f"weight {j + 1}: slope of your loss {yours[j]:+.6f}   PyTorch's step {theirs[j]:+.6f}")

# %% [markdown]
# `weight_decay` = σ², if the loss has its ½ and its mean. Now the loss itself, with tensors:

# %% exercise="noise_ridge_loss_in_torch"

# %% check="noise_ridge_loss_in_torch"

# %% [markdown]
# ## 10. In your own words
#
# A colleague trains a reader for house numbers and augments with shifts, turns up to 15°, turns by 180° and mirror images, "because more data never hurts". The photographs to come are cut out by hand, not always in the middle. Judge each of the four. What does every augmentation claim, and what did the experiments above show about claims that are false, or true but useless? (Five sentences.)

# %% [markdown] written="a_claim_about_labels"
# An augmentation claims two things: that the label stays the same under the change, and that changed inputs will occur in the data to come. Shifts keep the label, and badly cut photographs will be off centre, so they help: on moved digits the accuracy rose from near guessing to above 0.8. Small turns keep the label as well, and house numbers do hang crooked. A turn by 180° makes a 6 a 9: the claim is false, it writes wrong labels, and the recall of the 9 fell while other digits hardly changed; mirror images likewise turn a 2 or a 5 into signs that never occur. A claim may be true and still cost: on centred digits shifts lowered the accuracy, because capacity is spent on positions that never come.
#
# Rubric:
# - **full** label preserved and data to come are both named; the four are judged, with 180° refused because of 6 and 9; the measured cost of a true but useless claim
# - **half** only one of the two claims, with right judgements; or both without an experiment's result
# - **none** more data never hurts, or judgements without reasons

# %% [markdown]
# ## Recap
#
# 1. A matrix for columns is transposed for rows; y runs up, image rows run down.
# 2. Ask for every pixel of the result where it came from; sending pixels forward leaves holes.
# 3. Only training data are measured; test data are measured with *their* ruler.
# 4. Input noise adds ½σ²‖w‖² to a linear model's expected loss: one fit on many copies is ridge, the mean of many fits is not.
# 5. An augmentation is a claim about labels and about the data to come: shifts rescued moved digits and cost centred ones, half turns cost the 9.
#
# **The recap question.** Early stopping looks at the curvature alone, and dropout at the size of each feature: it is ridge in rescaled features, and plain ridge only where all features have equal mean squares.
#
# **To read:** Bishop 1995, *Training with Noise is Equivalent to Tikhonov Regularization*; Simard, Steinkraus & Platt 2003, *Best Practices for Convolutional Neural Networks*; Shorten & Khoshgoftaar 2019, *A Survey on Image Data Augmentation for Deep Learning*.
