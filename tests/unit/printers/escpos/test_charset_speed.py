"""The short way for text that a page has whole gives what letter by letter gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from printers.escpos import charset

LETTERS = st.text(alphabet=st.sampled_from("aZ09 .,-–\u00a0\u00ad½²łąŻ€„”\t\n×я😀\x1b\x7f\u0301"), max_size=20)


@given(st.one_of(LETTERS, st.text(max_size=20)), st.sampled_from(["cp852", "cp1250", "latin-1", "cp437", "cp866"]))
def test_fit_is_the_same_without_the_short_way(text: str, encoding: str) -> None:
    short = charset.fit(text, encoding)
    whole = charset._fits_whole
    try:
        charset._fits_whole = lambda _text, _encoding: False  # type: ignore[assignment]
        assert charset.fit(text, encoding) == short
    finally:
        charset._fits_whole = whole
    charset.encode(short, encoding)


@given(st.one_of(LETTERS, st.text(alphabet=st.characters(max_codepoint=127), max_size=20)))
def test_clean_is_the_same_without_the_short_way(text: str) -> None:
    assert charset.clean(text) == charset.clean(f"{text}ł").removesuffix("ł").rstrip()
