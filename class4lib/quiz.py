"""The practice quiz over the whole class: `ask("losses")` shows the questions of a part, `answer("huber", "b")` explains a choice.

No points, nothing stored, no widgets, no network. In each question one choice is right and every choice has an explanation of its own. The
first choice of each question below is the right one; students see them in another order, the same each time.
"""

import hashlib
import html
from dataclasses import dataclass

__all__ = ["QUESTIONS", "Choice", "Question", "answer", "ask"]

LETTERS = "abcd"


@dataclass(frozen=True)
class Choice:
    """One of a question's choices. explanation: shown when it is picked."""

    text: str
    explanation: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """part: the group that `ask` shows it with; choices: as they are written here, the right one first."""

    name: str
    part: str
    text: str
    choices: tuple[Choice, ...]

    def lettered(self) -> dict[str, Choice]:
        """Letter -> choice, in the order that students see, which the name and the texts decide."""
        mixed = sorted(self.choices, key=lambda c: hashlib.sha256(f"{c.text}/{self.name}".encode()).digest())
        return dict(zip(LETTERS, mixed, strict=False))


def _question(name: str, part: str, text: str, right: tuple[str, str], *wrong: tuple[str, str]) -> Question:
    return Question(name, part, text, (Choice(*right, right=True), *(Choice(*w) for w in wrong)))


_A, _R, _L, _N, _D = "architectures", "regularisation", "losses", "normalisation", "attention and design"

QUESTIONS: tuple[Question, ...] = (
    _question(
        "depth", _A,
        "Two networks on the line have 61 parameters each: ten hidden layers of two units that compose the tent map, and one hidden ReLU layer. What is true of them?",
        ("The deep one draws 1024 straight pieces; a single layer would need about a thousand units for that.", "Each layer folds the line once more, so pieces multiply with depth. In one layer a unit adds one kink at most."),
        ("Trained well, the wide one draws the same function.", "20 hidden units draw 21 pieces at most. That limits what it can represent; training has no say in it."),
        ("The deep one will also be better when both are trained on such data.", "That it can represent something does not mean that descent finds it: trained at equal size, the wide one won in the notebook."),
        ("By universal approximation both represent it exactly.", "The theorem lets the width grow with the accuracy that is asked for. About 61 given parameters it says nothing."),
    ),
    _question(
        "vanishing", _A,
        "50 layers of equal width, Xavier initialisation, once with tanh and once with the sigmoid. What about the first layer's gradient before training?",
        ("With tanh it is about as large as the last layer's, with the sigmoid practically zero.", "Per layer the factor is fan_out times the weights' variance times the mean squared slope. tanh has slope 1 near 0, the sigmoid 1/4 at most."),
        ("It vanishes in both: a product of 50 factors always does.", "Only where the factors are below 1. With tanh and Xavier they are close to 1; the notebook measured a ratio of about 1.1."),
        ("It explodes in both, since the weights are random.", "Random is not large. The variance of the draw was chosen so that sizes stay."),
        ("It vanishes in both because float64 underflows.", "float64 goes down to 1e-308, and the sigmoid's gradient is near 1e-31. It is small, not lost; and in the tanh net nothing is small."),
    ),
    _question(
        "growth", _A,
        "A stack of 50 residual blocks with He initialisation, no norm, nothing scaled. What happens before training?",
        ("States and gradients grow by many orders of magnitude.", "Each branch is as large as its input, so the square doubles or triples per block. Residuals alone do not stop growth: 1/√L on the branches does, or a norm."),
        ("The +1 of the skip keeps gradients at their size.", "The product has factors I + J, not I. The identity keeps it from being zero in most cases; it does not bound it from above."),
        ("The +1 guarantees that no gradient vanishes.", "It makes that unlikely. With J = −I the block passes exactly nothing."),
        ("Gradients vanish, as in a plain stack.", "The skips alone would carry the gradient through unchanged; here the trouble is on the other side."),
    ),
    _question(
        "identity", _A,
        "In which of these blocks does nothing stand on the way from input to output?",
        ("x + F(x)", "What comes in goes out, plus something: the form of He et al. 2016 and of pre-norm."),
        ("relu(x + F(x))", "The ReLU stands on the way: negative entries, and their gradients, are cut in every block. It is the form of 2015."),
        ("layer_norm(x + F(x))", "The norm stands on the way. It is the first Transformer's form, post-norm, which needed a warm-up."),
        ("relu(F(x))", "There is no way around F here at all."),
    ),
    _question(
        "highway", _A,
        "A highway layer y = T ⊙ H + (1 − T) ⊙ x begins with a gate bias of −4. What for?",
        ("T begins near 0.02: each layer starts almost as the identity, and a deep stack can train.", "The sigmoid of −4 is 0.018. Gates open where it pays."),
        ("T begins near 0.98, so that the transform counts at once.", "The sign: the sigmoid of −4 is small. T multiplies the transform, 1 − T what is carried."),
        ("Outputs become negative, as ReLU needs them.", "It is the gate's bias, which moves no output by itself; and ReLU needs no such thing."),
        ("It keeps the weights small.", "It penalises no weight. It decides where training begins."),
    ),
    _question(
        "dropout", _R,
        "Inverted dropout, p = 0.8 (the probability to DROP). What is done when predicting?",
        ("Nothing at all.", "Training has multiplied by 1/(1 − p) already, so the mean is right as it is."),
        ("Activations are multiplied by 0.2.", "That belongs to the original form, which does not rescale in training. Here it would make everything five times too small."),
        ("Activations are multiplied by 5.", "Then the factor 1/(1 − p) is applied twice."),
        ("A fresh mask is drawn for every example.", "Then two calls disagree. The mean of many such calls is a method with a name of its own, Monte Carlo dropout."),
    ),
    _question(
        "maps", _R,
        "What should be dropped in convolutional feature maps?",
        ("Whole maps, for each example its own.", "Neighbouring pixels say nearly the same, so a single missing one can be read off from them. A missing map cannot (Tompson et al. 2015)."),
        ("Single pixels, because there are more masks of that kind.", "More masks, each of which takes hardly anything away."),
        ("The same maps for the whole batch, to save memory.", "Then all examples share their noise, and averaging over the batch does not reduce it."),
        ("Single weights, because that drops more.", "At the same p a unit's variance is the same as with dropout. What differs is that units fail independently."),
    ),
    _question(
        "stopping", _R,
        "Validation losses 1.0, 0.8, 0.8, nan, 0.9; patience 3, min_delta 0, epochs counted from 0. What does early stopping do?",
        ("It stops in epoch 4 and returns the state of epoch 1.", "A tie is no improvement, nan is none, 0.9 is none: three in a row. The best state is what counts."),
        ("It stops in epoch 4 and returns the state of epoch 4.", "The epoch is right. The last state is three epochs past the best one, and the best is kept."),
        ("It goes on: epoch 2 is as good as the best, so counting starts anew.", "As good is not better. Only a strictly lower loss starts the count anew."),
        ("It goes on: an epoch with nan is not counted.", "Every epoch without an improvement counts, whatever the reason; else a diverged run would never end."),
    ),
    _question(
        "augmentation", _R,
        "Which augmentation of handwritten digits makes a false claim about labels?",
        ("Turning by 180°.", "A 6 becomes a 9, and the recall of the 9 fell in the notebook. An augmentation says: after this, the label is still right."),
        ("Shifting by one pixel.", "It stays the digit it was. The price is a little accuracy on centred test images."),
        ("Adding a little Gaussian noise.", "Labels stay right. On a linear model it is a ridge penalty, ½σ²‖w‖², in expectation."),
        ("Normalising with the training set's mean and deviation.", "The same map for all data claims nothing about labels. (With the TEST set's numbers it would be a leak.)"),
    ),
    _question(
        "several_labels", _L,
        "A picture may show several of K objects at once. Which output, and which loss?",
        ("K sigmoids, and the sum of K binary cross-entropies.", "The labels do not exclude each other, so each gets a yes or no of its own."),
        ("Softmax and cross-entropy, with several ones in the target.", "Softmax makes the classes share one cake: never can two of them have more than ½."),
        ("Softmax, and a threshold for each class.", "No threshold undoes the sharing: one object more lowers the others' probabilities."),
        ("K sigmoids and ½(p − y)².", "It can be done, but the gradient carries p(1 − p), so a unit that is sure and wrong hardly learns: 44,122 steps where cross-entropy took 22."),
    ),
    _question(
        "huber", _L,
        "A tenth of the targets is far off. What is true of Huber's loss?",
        ("Each outlier pulls with force δ at most; the minimiser tends to the median as δ → 0 and to the mean as δ → ∞.", "Its gradient is bounded by δ, and those are the two ends of the scale."),
        ("Its minimiser lies between median and mean.", "It sounds right, and the puzzle's seven numbers refute it: mean and median are both 1.5, Huber's minimiser is 0.5."),
        ("It ignores errors larger than δ.", "They pull on, with force δ. A loss that ignores them has gradient 0 out there, and possibly several minima."),
        ("It is smooth-L1 under another name.", "Smooth-L1 is Huber divided by δ: equal only at δ = 1."),
    ),
    _question(
        "weights_of_tasks", _L,
        "A network has two tasks, L = λ₁L₁ + λ₂L₂. What is true of the weights?",
        ("They need not sum to 1; their ratio has to make up for the losses' units.", "Doubling both only doubles the step. With raw targets one task's gradient was 49 times the other's."),
        ("They must sum to 1, or L is no loss.", "A loss may have any positive scale."),
        ("Equal weights are neutral.", "Between losses in different units, equal weights let the larger unit decide."),
        ("Learned weights make it unnecessary to scale the targets.", "The notebook tried that: they did not rescue the raw targets. Standardising did."),
    ),
    _question(
        "spectral", _N,
        "W = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]. What is its spectral norm; and what is the Lipschitz bound of x + W₂ relu(W₁x) where both norms are 1?",
        ("1, and 2", "The singular values are 1, 1 and 0. The skip adds 1 to the branch's bound: 1 + 1 · 1."),
        ("0, and 1", "0 is the largest |eigenvalue|, the spectral RADIUS. The norm asks how much longer a vector can become, and (0, 1, 0) keeps its length."),
        ("1, and 1", "The norm is right. The product of norms bounds a chain without skips; the skip comes on top."),
        ("√2, and 2", "√2 is the Frobenius norm, the root of the sum of ALL squared singular values, which is never less than the largest of them."),
    ),
    _question(
        "batch_of_two", _N,
        "You train with batches of two and predict one by one. Batch norm or layer norm?",
        ("Layer norm does not notice; batch norm, while training, can put out little but ±1.", "Two numbers less their mean, over their deviation, are ±1 whatever they were."),
        ("Batch norm does not notice: it has running statistics.", "Those serve in evaluation. In training the batch of two is normalised by its own."),
        ("Neither of them works with two.", "Layer norm looks at one example at a time; the batch may be of any size."),
        ("When predicting, batch norm uses the single example's own statistics.", "A single example has no deviation over the batch. The running values are used."),
    ),
    _question(
        "attention", _D,
        "Queries and keys have 1024 entries of variance 1. Why divide their products by √1024 before the softmax?",
        ("The products have variance 1024, and softmax would give nearly all weight to one key and pass hardly any gradient.", "A sum of d terms of variance 1 has variance d. The notebook's largest weight was .97 without the division and .17 with it."),
        ("So that the weights sum to 1.", "Softmax sees to that, whatever the scale."),
        ("Because the model is 1024 wide; with 8 heads it would be the same number.", "It is the length of the product that counts: with 8 heads each has 128 entries, and the divisor is √128."),
        ("So that masked keys get weight 0.", "That is the mask's work, before the softmax, at any scale."),
    ),
    _question(
        "choosing", _D,
        "Twenty architectures are trained. Which one do you take, and which error do you report?",
        ("The one with the lowest validation error; its error on test data that are read once.", "Three sets, three purposes: to fit, to choose, to report."),
        ("The one with the lowest test error; that error.", "Choosing on test data: the least of twenty noisy numbers is too low on the average, and nothing is left to find that out with."),
        ("The one with the lowest validation error; that error.", "The choice is right. The number is the least of twenty and flatters: that is what the test set is for."),
        ("The one with the lowest training error.", "That takes the largest network: the polynomial of degree 12, ten times of ten."),
    ),
)  # fmt: skip


def ask(*parts: str) -> None:
    """Show the questions of some parts ("architectures", "regularisation", "losses", "normalisation", "attention and design"), or single ones by name.

    Raises:
        LookupError: no part and no question has that name.
    """
    for part in parts:
        if part not in {name for q in QUESTIONS for name in (q.name, q.part)}:
            raise LookupError(
                f"ask: there is no part or question {part!r}; parts are {', '.join(dict.fromkeys(q.part for q in QUESTIONS))}."
            )
    _show(_Asked(tuple(q for part in parts for q in QUESTIONS if part in (q.name, q.part))))


def answer(name: str, letter: str) -> None:
    """Explain one choice of a question.

    Raises:
        LookupError: no question has that name, or no choice that letter.
    """
    found = {q.name: q for q in QUESTIONS}
    if name not in found:
        raise LookupError(f"answer: no question is called {name!r}; there are {', '.join(found)}.")
    choices = found[name].lettered()
    if letter not in choices:
        raise LookupError(f"answer: {name} has the choices {', '.join(choices)}, got {letter!r}.")
    choice = choices[letter]
    print(f"{name}, {letter}: {'right' if choice.right else 'no'}. {choice.explanation}")


@dataclass(frozen=True)
class _Asked:
    """Questions that a notebook displays, as text and as HTML."""

    questions: tuple[Question, ...]

    def text(self) -> str:
        return "\n\n".join(
            "\n".join([f"{q.name}: {q.text}", *(f"  {letter}  {c.text}" for letter, c in q.lettered().items())])
            for q in self.questions
        )

    def html(self) -> str:
        blocks = []
        for q in self.questions:
            items = "".join(f"<li>{html.escape(c.text)}</li>" for c in q.lettered().values())
            head = f"<p><strong><code>{q.name}</code></strong> {html.escape(q.text)}</p>"
            blocks.append(f'{head}<ol style="list-style-type: lower-alpha">{items}</ol>')
        return "".join(blocks)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}


def _show(asked: _Asked) -> None:
    try:
        from IPython import get_ipython
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        print(asked.text())
    else:
        from IPython.display import display

        display(asked)
