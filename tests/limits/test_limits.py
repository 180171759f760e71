"""Every limit, on both sides: what has exactly as much is taken, what has one more is refused and says why."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
import urllib3

from bundler.bundle.findings import VerificationReport
from bundler.bundle.reader import open_bundle
from bundler.cli.limits import read_limits
from bundler.cli.main import main
from bundler.errors import AirbundleError, LimitExceeded, MalformedDocument, UsageError
from bundler.model.limits import CHANGEABLE, DEFAULT_LIMITS, Limits, beyond
from bundler.transports.engine.containers import tail_of_output
from bundler.transports.engine.load_answer import read_load_answer
from bundler.transports.registry.answers import failure
from bundler.transports.registry.challenges import parse_challenges
from bundler.transports.registry.wire import Answer
from tests.limits.inputs import INPUTS, SAMPLES, Input

#: These cut off what is too long instead of refusing it; each has a test of its own below.
_CUT_OFF = {"error_body_bytes", "challenge_chars", "engine_messages", "smoke_output_bytes"}


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.limit)
def test_as_much_as_the_limit_is_taken(given: Input, tmp_path: Path) -> None:
    given.read(replace(Limits(), **{given.limit: given.amount}), tmp_path)


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.limit)
def test_one_more_is_refused_and_the_limit_is_named(given: Input, tmp_path: Path) -> None:
    with pytest.raises(given.error, match=f"the limit {given.limit} is {given.amount - 1}$") as caught:
        given.read(replace(Limits(), **{given.limit: given.amount - 1}), tmp_path)
    assert isinstance(caught.value, AirbundleError)
    if given.limit in CHANGEABLE:
        assert f"--limit {given.limit}=" in str(caught.value.advice)


def test_every_limit_has_input() -> None:
    assert {given.limit for given in INPUTS} | _CUT_OFF == {field.name for field in fields(Limits)}


def test_an_error_answer_is_read_so_far() -> None:
    body = b'{"errors":[{"code":"no","message":"thing"}]}'
    for bound, expected in ((len(body), "no: thing"), (len(body) - 1, body[:-1].decode())):
        response = urllib3.HTTPResponse(io.BytesIO(body), {}, 403, preload_content=False)
        limits = replace(Limits(), error_body_bytes=bound)
        # One byte less, and it is no JSON any more: what came of it is shown as it is.
        assert str(failure(Answer("GET", "http://x/", response, "x"), limits, "asking")).endswith(": " + expected)


def test_a_challenge_is_read_so_far() -> None:
    header = 'Bearer realm="r",service="s"'
    whole, cut = (replace(Limits(), challenge_chars=len(header) - less) for less in (0, 1))
    assert parse_challenges([header], whole)[0].parameters == {"realm": "r", "service": "s"}
    assert parse_challenges([header], cut)[0].parameters.get("service") != "s"


def test_so_many_messages_of_an_engine_are_kept() -> None:
    answer = b"".join(b'{"stream":"%d"}\n' % number for number in range(4))
    for kept in (3, 4, 5):
        found = read_load_answer([answer], "loading", replace(Limits(), engine_messages=kept))
        assert found == ("0", "1", "2", "3")[:kept]


def test_so_much_of_the_output_of_a_smoke_test_is_kept() -> None:
    frame = b"\1\0\0\0\0\0\0\5hello"
    for kept, expected in ((5, b"hello"), (4, b"ello")):
        assert tail_of_output([frame], replace(Limits(), smoke_output_bytes=kept)) == expected


def test_a_number_that_is_no_limit_is_named_by_its_value() -> None:
    error = beyond(7, "it has 8 bytes")
    assert type(error) is MalformedDocument
    assert "7" in error.message


# -- the option -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("document_bytes=8MiB", 8 << 20), ("bundle_manifest_bytes=1GiB", 1 << 30), ("archive_entries=5", 5),
        ("archive_bytes=1TB", 10**12), ("archive_document_bytes=65536", 65536), ("layer_bytes=2TiB", 2 << 40),
        ("layer_ratio=30000", 30000), ("window_log=31", 31), ("window_log=10", 10),
    ],
)  # fmt: skip
def test_a_limit_is_changed_by_the_option(item: str, value: int) -> None:
    name = item.partition("=")[0]
    # Of a name twice the last one counts, and no other limit changes.
    assert read_limits([f"{name}=20", item]) == replace(DEFAULT_LIMITS, **{name: value})


@pytest.mark.parametrize(
    "item",
    [
        "", "=", "layer_bytes", "layer_bytes=", "layer_bytes=0", "layer_bytes=-1", "layer_bytes=4G",
        "layer_ratio=1KiB", "layer_ratio=\u0663", "layer_ratio=1e9", "window_log=9", "window_log=32",
        "layer_bytes=99999999TiB", "json_depth=9", "nonsense=1", "layer_ratio=" + "9" * 5000,
    ],
)  # fmt: skip
def test_other_values_are_refused(item: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_limits([item])
    assert len(str(caught.value)) < 300


def test_every_changeable_limit_is_offered() -> None:
    assert {read_limits([f"{name}=20"]) == DEFAULT_LIMITS for name in CHANGEABLE} == {False}


BUNDLE = SAMPLES / "bundles" / "v1" / "one-application"


def _refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    assert main([*arguments, "--json"]) == 4
    return dict(json.loads(capsys.readouterr().err)["error"])


@pytest.mark.parametrize(
    "command",
    [["inspect"], ["verify"], ["extract", "out"], ["load"], ["push", "reg.test:1"], ["request", "-o", "out"]],
)
def test_commands_on_bundles_take_it(
    command: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name, *rest = command
    rest = [str(tmp_path / "out") if word == "out" else word for word in rest]
    error = _refusal(capsys, name, str(BUNDLE), *rest, "--limit", "bundle_manifest_bytes=100")
    assert error["code"] == "limit-exceeded"
    assert "--limit bundle_manifest_bytes=" in error["advice"]


@pytest.mark.parametrize("command", ["pack", "plan"])
def test_commands_that_pack_take_it(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wanted = f"shop=docker-archive:{SAMPLES / 'images' / 'shop.tar'}"
    error = _refusal(capsys, command, wanted, "-o", str(tmp_path / "out"), "--limit", "archive_entries=2")
    assert error["code"] == "limit-exceeded"


def test_a_deep_check_obeys_it() -> None:
    from bundler.bundle.verify import verify_bundle

    bundle = open_bundle(BUNDLE, limits=replace(Limits(), layer_bytes=100))
    report: VerificationReport = verify_bundle(bundle, "deep")
    assert {finding.code for finding in report.findings} == {"wrong-diff-id"}
    assert all("the limit layer_bytes is 100" in str(finding.found) for finding in report.findings)


def test_errors_of_limits_are_a_kind_of_damage() -> None:
    assert issubclass(LimitExceeded, MalformedDocument)
