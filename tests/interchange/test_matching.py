"""Names of two sides: as a whole first, then without folder and suffix, which is said; else refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.base.errors import InputError
from layerwise.interchange.matching import align, check_running

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)


def matched(names, known):
    """The order as a list, and the notes."""
    match = align(names, known, "run x")
    return match.order.tolist(), match.notes


@given(names=st.lists(words, min_size=3, max_size=8, unique=True), data=st.data())
def test_names_that_are_the_same_match_whatever_they_look_like_and_nothing_is_said(names, data):
    known = data.draw(st.permutations(names))
    order, notes = matched(names, known)
    assert [names[index] for index in order] == known
    assert notes == ()


def test_unicode_forms_of_one_name_are_the_same_name():
    known = ["\u00e9t\u00e9.png", "\u00fcber.png", "\uac00.png", "plain.png"]
    apart = [unicodedata.normalize("NFD", name) for name in known]
    assert apart != known
    for names, others in ((apart, known), (known, apart)):
        assert matched(names[::-1], others) == ([3, 2, 1, 0], ())


def test_folders_of_either_system_are_the_same_name():
    assert matched(["b\\1.png", "a\\1.png"], ["a/1.png", "b/1.png"]) == ([1, 0], ())


@pytest.mark.parametrize(
    ("names", "known", "order", "said"),
    [
        (["b.png", "a.png"], ["a.jpg", "b.jpg"], [1, 0], "without suffix: 'a.png' for 'a.jpg'"),
        (["3", "1", "2"], ["1.png", "2.png", "3.png"], [1, 2, 0], "without suffix: '1' for '1.png'"),
        (["img/b.png", "img/a.png"], ["a.png", "b.png"], [1, 0], "without folder: 'img/a.png' for 'a.png'"),
        (["a.png", "b.png"], ["img/b.png", "img/a.png"], [1, 0], "without folder: 'b.png' for 'img/b.png'"),
        (["x/b.png", "y/a.png"], ["a.png", "b.png"], [1, 0], "without folder: 'y/a.png' for 'a.png'"),
        (
            ["img/b.png", "img/a.png"],
            ["a.jpg", "b.jpg"],
            [1, 0],
            "without folder and suffix: 'img/a.png' for 'a.jpg'",
        ),
        (
            ["img/f/1", "img/h/1"],
            ["h/1.jpg", "f/1.jpg"],
            [1, 0],
            "without folder and suffix: 'img/h/1' for 'h/1.jpg'",
        ),
        (["f/1.png", "h/1.png"], ["h/1.jpg", "f/1.jpg"], [1, 0], "without suffix: 'h/1.png' for 'h/1.jpg'"),
        (["b ", " a"], ["a", "b"], [1, 0], "without the blanks around them: ' a' for 'a'"),
        (["7", "10"], ["010", "007"], [1, 0], "as numbers, without folder and suffix: '10' for '010'"),
        (["007", "010"], ["img/10.png", "img/7.png"], [1, 0], "as numbers, without folder and suffix"),
        (["7.0", "-1.0"], ["-1", "7"], [1, 0], "as numbers"),
    ],
)
def test_names_match_without_what_often_differs_and_that_is_said(names, known, order, said):
    found, (note,) = matched(names, known)
    assert found == order
    assert note.startswith(f"{len(names)} names match only {said}")
    assert "make sure" not in note


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["houses/0.jpg", "houses/1.jpg"], ["faces/0.png", "faces/1.png"]),
        (["houses/0.png", "houses/1.png"], ["faces/0.png", "faces/1.png"]),
        (["a/x/0.png", "a/y/1.png"], ["x/0.png", "z/1.png"]),
    ],
)
def test_names_in_another_folder_may_be_other_stimuli(names, known):
    order, (*_, note) = matched(names, known)
    assert order == [0, 1]
    assert "without folder" in note
    assert note.endswith("; make sure that they are the same stimuli")
    apart = [f"'{name}' for '{other}'" for name, other in zip(names, known, strict=True)]
    assert any(pair in note for pair in apart)


def test_names_match_as_a_whole_before_others_match_in_part():
    names = ["h/1.png", "2.jpg", "f/1.png"]
    order, (note,) = matched(names, ["f/1.png", "h/1.png", "2.png"])
    assert order == [2, 0, 1]
    assert note == "1 name matches only without suffix: '2.jpg' for '2.png'"


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (["a", "z"], ["a", "b"]),
        (["a/x.png", "b/x.png"], ["x.jpg", "y.jpg"]),
        (["a.png", "a.jpg"], ["a.gif", "b"]),
        (["1.5", "1.7"], ["1.6", "1.8"]),
        (["x/1.png", "y/1.png"], ["x/1.png", "z/1.png"]),
        (["7", "07"], ["007", "7"]),
        (["a.png"], ["b.png"]),
    ],
)
def test_names_that_do_not_match_one_to_one_are_listed(names, known):
    with pytest.raises(InputError, match=r"not those of run x: it does not have '.*'; missing are '"):
        align(names, known, "run x")


def test_only_what_does_not_match_is_listed_and_case_counts():
    with pytest.raises(InputError, match=r"it does not have 'B\.png'; missing are 'b\.png' \(capital and small"):
        align(["B.png", "a.jpg", "c.png"], ["a.png", "b.png", "c.png"], "run x")


def test_a_running_number_is_passed_over_unless_it_may_be_the_names_of_others():
    running = ("0", "1", "2")
    check_running(None, ["2", "1", "0"], "run x")
    check_running(running, ["a", "b", "c"], "run x")
    check_running(running, ["0.png", "1.png", "2.png"], "run x")
    for known in (["2", "1", "0"], ["img/02.png", "img/00.png", "img/01.png"]):
        with pytest.raises(InputError, match="run x has stimuli called so in another order: say --stimulus-column"):
            check_running(running, known, "run x")
