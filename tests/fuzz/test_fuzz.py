"""A short run over every target: its corpus, and changes of it that hypothesis may shrink."""

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import CORPUS, corpus, seeds
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_accepted_or_refused(name: str) -> None:
    for seed in corpus(name):
        TARGETS[name](seed)


def test_the_corpus_lies_as_it_is_written() -> None:
    written = Counter(target for target, _ in seeds())
    assert {folder.name: len(list(folder.iterdir())) for folder in CORPUS.iterdir()} == written
    assert {target for target, seed in seeds() if seed not in corpus(target)} == set()


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_made_of_the_corpus_is_accepted_or_refused(name: str) -> None:
    known = corpus(name)

    @settings(max_examples=40, suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.one_of(st.binary(max_size=200), st.integers(0, 2**32).map(lambda seed: mutated(known, random.Random(seed))))
    )
    def holds(value: bytes) -> None:
        TARGETS[name](value)

    holds()
