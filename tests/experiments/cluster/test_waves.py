"""Which runs the next wave has."""

from experiments.cluster.slurm import Task
from experiments.cluster.submission import Submission, SubmittedRun
from experiments.cluster.waves import follower, next_wave, runs_in_queue, same_study
from experiments.request import Request
from experiments.settings import Settings

FIRST, SECOND = [("05", 0), ("06", 0)], [("05", 1)]


def wave(tmp_path, *stages, tried=(), busy=(), repeats=False, said=None):
    settings = Settings(roadmap="tiny", runs=tmp_path)

    def requests(pairs):
        return [Request(settings=settings, row=row, seed=seed) for row, seed in pairs]

    task = Task(job=1, index=0, name="x", state="RUNNING", nodes="", reason="")
    return next_wave(
        [lambda stage=stage: stage for stage in stages],
        requests=requests,
        tried=tried,
        in_queue={request.identity.run: task for request in requests(busy)},
        repeats=repeats,
        say=(said if said is not None else []).append,
    )


def pairs(wave):
    return [(request.row, request.seed) for request in wave.runs]


def test_a_stage_comes_before_the_next(tmp_path):
    assert pairs(wave(tmp_path, FIRST, SECOND)) == FIRST
    assert not wave(tmp_path, FIRST, SECOND).last
    assert wave(tmp_path, FIRST).last
    assert not wave(tmp_path, FIRST, repeats=True).last


def test_a_failed_run_is_not_tried_in_a_later_wave(tmp_path):
    assert pairs(wave(tmp_path, FIRST, SECOND, tried=FIRST)) == SECOND
    assert pairs(wave(tmp_path, FIRST, SECOND, tried=FIRST[:1])) == FIRST[1:]


def test_a_stage_waits_for_its_tasks_in_the_queue(tmp_path):
    waits = wave(tmp_path, FIRST, SECOND, tried=FIRST, busy=FIRST[:1])
    assert pairs(waits) == [] and len(waits.waits_for) == 1 and not waits.last


def test_nothing_is_left(tmp_path):
    assert wave(tmp_path, FIRST, tried=FIRST) == wave(tmp_path)


def test_a_record_that_cannot_be_read_is_named_and_not_submitted(tmp_path):
    (request,) = wave(tmp_path, SECOND).runs
    request.folder.mkdir()
    (request.folder / "record.json").write_text("torn")
    said = []
    assert pairs(wave(tmp_path, SECOND, said=said)) == []
    assert "record.json" in said[0] and "--restart" in said[0]


def test_the_queue_is_matched_by_name_and_index():
    run = SubmittedRun(row="05", seed=0, name="05", run="abc")
    known = Submission(name="mine", first="mine", wave=1, command="", runs=(run,))
    tasks = [
        Task(job=1, index=index, name=name, state="PENDING", nodes="", reason="")
        for name, index in (("mine", 0), ("mine", 7), ("other", 0), ("mine.next", None))
    ]
    assert runs_in_queue([known], tasks) == {"abc": tasks[0]}


def test_one_job_follows_a_study_however_it_was_submitted():
    def made(name, first, run):
        runs = (SubmittedRun(row="05", seed=0, name="05", run=run),)
        return Submission(name=name, first=first, wave=1, command=name, runs=runs)

    known = [made("a", "a", "abc"), made("b", "a", "later"), made("c", "c", "other")]
    assert same_study(known, {"abc"}) == known[:2]
    assert same_study(known, {"none"}) == []
    job = Task(job=9, index=None, name="b.next", state="PENDING", nodes="", reason="")
    assert follower(known[:2], [job], own=None) == job
    assert follower(known[:2], [job], own="b") is None  # it is this job itself
    assert follower(known[2:], [job], own=None) is None
