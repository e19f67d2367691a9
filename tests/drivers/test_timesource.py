"""The kernel's word on its clock."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.timesource import TimeSourceError, interpret, is_synchronised, read

UNSYNC = 0x40


def test_the_kernel_answers_and_agrees_with_itself() -> None:
    found = read()
    assert found.synchronised == is_synchronised()
    assert found.maximum_error_us >= 0
    assert not found.synchronised or found.maximum_error_us <= 16_000_000


def test_our_layout_of_struct_timex_is_the_compilers(tmp_path: Path) -> None:
    source = (
        "#include <stdio.h>\n#include <sys/timex.h>\n"
        "int main(){struct timex t={0};int s=adjtimex(&t);"
        'printf("%d %d %ld",s,t.status,t.esterror);}'
    )
    program = str(tmp_path / "ask")
    try:
        subprocess.run(["cc", "-x", "c", "-", "-o", program], input=source.encode(), check=True)
    except FileNotFoundError:
        pytest.skip("SKIPPED LOUDLY: no C compiler to compare struct timex with")
    answer = subprocess.run([program], capture_output=True, text=True, check=False).stdout
    state, status, estimated = map(int, answer.split())
    found = read()
    assert found.synchronised == interpret(state, status, estimated, 0).synchronised
    assert found.estimated_error_us == estimated


@pytest.mark.promise("I8")
@given(st.integers(0, 5), st.integers(0, 0xFFFF))
def test_either_word_against_the_clock_is_enough(state: int, status: int) -> None:
    assert interpret(state, status, 1, 2).synchronised == (state != 5 and not status & UNSYNC)


@pytest.mark.parametrize(
    ("state", "estimated", "maximum"), [(-1, 0, 0), (6, 0, 0), (0, -1, 0), (0, 0, -1), (255, 0, 0)]
)
def test_what_the_kernel_cannot_mean_is_refused(state: int, estimated: int, maximum: int) -> None:
    with pytest.raises(TimeSourceError, match="expected 0"):
        interpret(state, 0, estimated, maximum)
