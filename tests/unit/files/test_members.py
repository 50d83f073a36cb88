import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.files.members import members_in

TEXTS = st.text() | st.sampled_from(['"', "\\", "}", "{", "[]", ":", ",", '\\"'])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10)


@given(document=st.dictionaries(TEXTS, DOCUMENTS, min_size=1), indent=st.sampled_from([None, 1]))
def test_an_object_falls_apart_into_the_texts_of_its_members(document: dict[str, Any], indent: int | None) -> None:
    members = members_in(json.dumps(document, indent=indent).encode())
    assert {json.loads(key): json.loads(value) for key, value in members.items()} == document
