import pytest

from bundler.errors import NoSpace, ProtocolError, Refused
from bundler.transports.engine.load_answer import read_load_answer

ANSWER = b'{"stream":"Loaded image: a:1\\n"}\r\n{"status":"Loading"}\r\n\r\n{"stream":"renaming the old one"}\r\n'


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_messages_are_found_wherever_the_answer_is_cut(size: int) -> None:
    pieces = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    assert read_load_answer(pieces, "x") == ("Loaded image: a:1", "renaming the old one")


def test_a_last_line_without_end_counts() -> None:
    assert read_load_answer([b'{"stream":"a"}'], "x") == ("a",)


@pytest.mark.parametrize(
    "line",
    [
        b'{"errorDetail":{"message":"bad layer"},"error":"bad layer"}',
        b'{"error":"bad layer"}',
        b'{"errorDetail":{"message":"bad layer"}}',
    ],
)
def test_an_error_inside_a_success_is_an_error(line: bytes) -> None:
    with pytest.raises(Refused, match="loading x: the engine refuses: bad layer"):
        read_load_answer([b'{"stream":"Loaded image: a:1"}\n', line], "loading x")


def test_a_full_disk_is_told_apart_in_the_words_of_the_engine() -> None:
    line = b'{"error":"write /var/lib/docker/x: no space left on device"}'
    with pytest.raises(NoSpace, match="/var/lib/docker/x: no space left"):
        read_load_answer([line], "x")


@pytest.mark.parametrize("answer", [b"<html>\n", b"\xff\n", b'{"a":1,"a":2}\n'])
def test_nonsense_is_an_error_of_the_protocol(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_load_answer([answer], "x")


def test_an_endless_line_is_refused() -> None:
    def endless() -> object:
        while True:
            yield b"x" * 65536

    with pytest.raises(ProtocolError, match="the limit engine_line_bytes is"):
        read_load_answer(endless(), "x")  # type: ignore[arg-type]


def test_endless_messages_are_read_but_not_kept() -> None:
    assert len(read_load_answer([b'{"stream":"a"}\n'] * 5000, "x")) == 1000


def test_control_characters_are_not_passed_on() -> None:
    assert read_load_answer([b'{"stream":"a\\u001b[31mb"}'], "x") == ("a [31mb",)
