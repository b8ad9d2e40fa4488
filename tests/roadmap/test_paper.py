"""Tables of papers that are no CSV."""

import pytest

from roadmap.errors import Problem
from roadmap.paper import read_paper

HEAD = "# paper: A, 2022\nrow,step,top1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [(f"{HEAD}00,resnet,{'1' * 200_000}\n", 3), (f"# paper: A\nrow,step,{'x' * 200_000}\n", 2)],
)
def test_a_field_without_end_is_a_problem_with_its_line(text, line):
    with pytest.raises(Problem, match=f"^{line}: field larger"):
        read_paper(text, "own")
