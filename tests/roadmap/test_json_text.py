"""JSON that a program reads as it was, and that cannot command a terminal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from roadmap.json_text import json_text


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_program_reads_the_same_and_a_terminal_gets_no_commands(data):
    text = json_text(data)
    assert json.loads(text) == data
    assert all(sign.isprintable() or sign.isspace() for sign in text.replace("\n", ""))
    assert not set("\x1b\x9b\u202e\u2066\r\x85\u2028") & set(text)


def test_plain_text_stays_as_json_has_it():
    data = [{"title": "ReLU → GELU", "n": 3, "none": None}]
    assert json_text(data) == json.dumps(data, indent=2, ensure_ascii=False)
    assert json_text({"a": "\x1b[31m\u202e😀\U000e0001"}).isascii() is False
    assert json.loads(json_text("\udc80")) == "\udc80"
