"""What the readers make of the real packages."""

from __future__ import annotations

import re

import pytest

from llmlab.data import load_corpus
from llmlab.data.sources import _plain_article, _plain_play, _plain_verse


def test_play_markup_becomes_plain_text():
    markdown = (
        "# Hamlet\n\n## ACT I\n\n_Enter KING, with\nhis train_\n\n**KING**  \n__\\[Aside]_  \n"
        "'Tis thus,'\\--no:  \nFarewell—\n\n\n\n_Exit_\n"
    )
    assert _plain_play(markdown) == (
        "Hamlet\n\nACT I\n\n[Enter KING, with his train]\n\nKING:\n[Aside]\n"
        "'Tis thus,'--no:\nFarewell--\n\n[Exit]\n"
    )


def test_an_unclosed_stage_direction_swallows_no_speech():
    assert _plain_play("**PAGE**  \n[Within]_  \nWho's there?\n\n_Enter PAGE_\n") == (
        "PAGE:\n[Within]\nWho's there?\n\n[Enter PAGE]\n"
    )


def test_verses_inside_verses_become_lines():
    assert _plain_verse(r"in sorrow.\\43:1\\Now the land\\43:2\\And  when") == (
        "in sorrow.\nNow the land\nAnd when"
    )
    assert _plain_verse("to you.[] And *** I took") == "to you. And I took"


def test_article_markup_becomes_plain_text():
    markup = (
        "{{Box|a={{b}}}}\n[[File:x.png|thumb|A [[link|nested]] caption]]\n'''Albedo''' ({{IPA|æ}}) "
        "is [[diffuse reflection|reflectivity]]<ref name=x>{{cite}}</ref> of {{convert|5|km|mi}}"
        "&nbsp;or so.\n\n==Life==\n{| class=x\n| cell {{y}}\n|}\n* [http://a.b See this]\n"
        "==References==\n{{reflist}}\n[[Category:Light]]"
    )
    assert _plain_article(markup) == ("Albedo is reflectivity of 5 km or so.\n\nLife\n\nSee this\n")


def test_shakespeare():
    corpus = load_corpus("shakespeare")
    titles = [document.title for document in corpus.documents]
    assert len(titles) == len(set(titles)) == 38
    assert {"Hamlet", "Measure for Measure", "Twelfth Night"} <= set(titles)
    assert 4_900_000 < len(corpus) < 5_100_000
    assert not set("*_#\\$") & set(corpus.text)
    assert "\nHAMLET:\nTo be, or not to be: that is the question:\n" in corpus.text
    assert "[Exit Ghost]" in corpus.text
    speeches = re.findall(r"^[A-Z][A-Z '-]+:$", corpus.text, re.MULTILINE)
    assert len(speeches) > 27_000
    # No stage direction has run away with a scene.
    assert max(map(len, re.findall(r"\[[^\]]*\]", corpus.text))) < 1_100


def test_basic_english():
    corpus = load_corpus("basic-english")
    assert len(corpus.documents) == 66
    genesis, exodus, *_, revelation = corpus.documents
    assert genesis.text.startswith("At the first God made the heaven and the earth.\nAnd the earth")
    assert exodus.text.startswith("Now these are the names of the sons of Israel who came into")
    assert exodus.text.count("\n\n") == 39  # 40 chapters
    assert revelation.text.endswith("be with the saints. So be it.\n")
    assert not set("\\*+") & set(corpus.text)
    lines = [line for document in corpus.documents for line in document.text.split("\n") if line]
    # A cut in the wrong place would split words, so that most lines ended in a letter.
    assert sum(line[-1].isalpha() for line in lines) < 0.01 * len(lines)


def test_wikipedia():
    corpus = load_corpus("wikipedia")
    titles = [document.title for document in corpus.documents]
    assert 90 <= len(titles) <= 100
    assert {"Anarchism", "Albedo", "Abraham Lincoln"} <= set(titles)
    assert 2_500_000 < len(corpus) < 3_000_000
    for leftover in ("{{", "}}", "[[", "]]", "<ref", "|thumb", "&nbsp;", "''", "(disambiguation)"):
        assert leftover not in corpus.text
    assert "CC BY-SA" in corpus.licence
    assert "Wikipedia" in corpus.credit


def test_code():
    corpus = load_corpus("code")
    titles = [document.title for document in corpus.documents]
    assert len(titles) > 600
    assert not [title for title in titles if "/locale/" in title or "/migrations/" in title]
    assert all(title.endswith(".py") for title in titles)
    assert 5_000_000 < len(corpus) < 5_500_000
    assert "def get_queryset(self" in corpus.text


@pytest.mark.parametrize("by", ["position", "document"])
def test_plays_held_back_are_not_trained_on(by):
    train, held_out = load_corpus("shakespeare").split(0.1, by=by)
    assert 0.08 < len(held_out) / (len(train) + len(held_out)) < 0.13
    assert held_out.documents[-1].text[-300:] not in train.text
