"""The practice quiz: its questions are well formed, mixed the same way each time, and shown with and without a notebook."""

from collections import Counter

import pytest

from class4lib.quiz import QUESTIONS, _Asked, answer, ask

by_name = pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)


@by_name
def test_exactly_one_choice_is_right_and_each_has_an_explanation_of_its_own(question):
    assert [c.right for c in question.choices] == [True, False, False, False]
    assert len({c.text for c in question.choices}) == 4
    assert len({c.explanation for c in question.choices}) == 4
    assert all(len(c.explanation) > 20 for c in question.choices)


@by_name
def test_the_letters_hold_every_choice_in_an_order_that_never_changes(question):
    assert set(question.lettered().values()) == set(question.choices)
    assert list(question.lettered()) == list("abcd")
    assert question.lettered() == question.lettered()


def test_the_right_choice_stands_at_every_letter_and_at_none_too_often():
    counts = Counter(letter for q in QUESTIONS for letter, c in q.lettered().items() if c.right)
    assert set(counts) == set("abcd")
    assert max(counts.values()) <= len(QUESTIONS) / 2


def test_there_are_about_fifteen_questions_over_all_parts_with_names_of_their_own():
    assert len({q.name for q in QUESTIONS}) == len(QUESTIONS) == 16
    parts = {"architectures", "regularisation", "losses", "normalisation", "attention and design"}
    assert {q.part for q in QUESTIONS} == parts
    assert not parts & {q.name for q in QUESTIONS}


def test_the_confusions_that_the_class_is_about_are_explained():
    said = " ".join(c.explanation for q in QUESTIONS for c in q.choices)
    texts = " ".join(c.text for q in QUESTIONS for c in q.choices)
    assert "Residuals alone do not stop growth" in said
    assert "Choosing on test data" in said
    assert "need not sum to 1" in texts


def test_answer_prints_the_picked_choice_s_own_explanation(capsys):
    for question in QUESTIONS:
        for letter, choice in question.lettered().items():
            answer(question.name, letter)
            word = "right" if choice.right else "no"
            assert capsys.readouterr().out == f"{question.name}, {letter}: {word}. {choice.explanation}\n"


def test_ask_prints_without_a_notebook_and_does_not_tell_which_is_right(capsys):
    ask("losses")
    printed = capsys.readouterr().out
    for question in QUESTIONS:
        assert (question.text in printed) == (question.part == "losses")
        assert not any(c.explanation in printed for c in question.choices)


def test_a_single_question_is_asked_by_its_name_and_html_is_escaped():
    bundle = _Asked(tuple(q for q in QUESTIONS if q.name == "huber"))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/html"].count("<li>") == 4
    assert "Huber&#x27;s" in bundle["text/html"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ask("cooking"), "ask: there is no part or question 'cooking'; parts are architectures, regularisation, losses, normalisation, attention and design."),
        (lambda: answer("depth", "e"), "answer: depth has the choices a, b, c, d, got 'e'."),
    ],
)  # fmt: skip
def test_unknown_names_are_told(call, message):
    with pytest.raises(LookupError) as raised:
        call()
    assert str(raised.value) == message
