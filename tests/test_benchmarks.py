"""The measurements: what they write and show is complete and plausible. How long something takes is never tested."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import blind_window, memory, readme, startup, stats
from benchmarks.table import Table, times
from tests.support import DEADLINE, REPOSITORY, require_namespaces, wait_until

PYTHON = "/usr/bin/python3"
PEERS = ("tini", "dumb-init", "catatonit")

values = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=60)


@given(values, st.floats(0, 1))
def test_a_quantile_lies_between_the_extremes(numbers: "list[float]", share: float) -> None:
    assert min(numbers) <= stats.quantile(numbers, share) * (1 + 1e-9)
    assert stats.quantile(numbers, share) <= max(numbers) * (1 + 1e-9)


@given(values)
def test_half_of_the_values_are_below_the_quantile_of_a_half(numbers: "list[float]") -> None:
    assert stats.quantile(numbers, 0.5) == pytest.approx(statistics.median(numbers))


@given(values)
def test_quantiles_rise(numbers: "list[float]") -> None:
    found = stats.summary(numbers)
    ordered = [found[key] for key in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert all(low <= high * (1 + 1e-9) for low, high in zip(ordered, ordered[1:]))
    assert found["count"] == len(numbers)


@given(values)
def test_the_interval_holds_the_median(numbers: "list[float]") -> None:
    low, high = stats.median_interval(numbers)
    assert low <= statistics.median(numbers) <= high
    assert {low, high} <= set(numbers)


@pytest.mark.parametrize(
    ("count", "left_out"), [(1, 0), (5, 0), (6, 0), (9, 1), (10, 1), (12, 2), (20, 5), (25, 7), (50, 17), (100, 39)]
)
def test_the_interval_is_that_of_the_tables_of_the_sign_test(count: int, left_out: int) -> None:
    """95 %, two-sided: as in any table of the sign test's critical values."""
    assert stats.median_interval(range(count)) == (left_out, count - 1 - left_out)


@given(values, st.floats(0.1, 10), st.integers(0, 2**32))
def test_a_machine_that_drifts_changes_no_ratio(numbers: "list[float]", factor: float, seed: int) -> None:
    import random

    drift = [random.Random(seed + number).uniform(1, 100) for number in range(len(numbers))]
    base = [value * each for value, each in zip(numbers, drift)]
    found = stats.ratio([value * factor for value in base], base)
    assert found is not None
    assert (found["median"], found["low"], found["high"]) == pytest.approx((factor, factor, factor))
    assert found["rounds"] == len(numbers)


def test_there_is_no_ratio_to_nothing() -> None:
    assert stats.ratio([1.0, 2.0], [0.0, 0.0]) is None
    assert times(None) == "-"


def test_the_blind_window_is_the_area_under_the_share_lost() -> None:
    counts = {
        0.0: {"arrived": 0, "early": 0, "lost": 4, "died": 0},
        2.0: {"arrived": 0, "early": 0, "lost": 2, "died": 2},
        4.0: {"arrived": 1, "early": 1, "lost": 1, "died": 1},
        8.0: {"arrived": 4, "early": 0, "lost": 0, "died": 0},
    }
    assert blind_window.blind(counts) == pytest.approx(2 + 1.5 + 1)


def test_a_start_is_divided_at_what_begins_each_step() -> None:
    trace = """\
7 1.000 clone(child_stack=NULL) = 8
8 2.000 execve("/x/pyinit", ["/x/pyinit", "--"], 0x7 /* 9 vars */) = 0
8 2.001 brk(NULL) = 0x1
8 2.010 openat(AT_FDCWD, "/x/pyinit", O_RDONLY|O_CLOEXEC) = 3
8 2.011 read(3, "", 1) = 0
8 2.020 vfork( <unfinished ...>
9 2.021 execve("/bin/true", ["/bin/true"], 0x7) = 0
8 2.022 <... vfork resumed>) = 9
8 2.023 rt_sigtimedwait(~[], NULL, NULL, 8) = 17
8 2.030 wait4(-1, [{WIFEXITED(s)}], WNOHANG, NULL) = 9
8 2.031 exit_group(0) = ?
8 2.032 +++ exited with 0 +++
"""
    steps = startup.by_step(trace.splitlines(), Path("/x/pyinit"))
    assert [(step["calls"], round(step["ms"])) for step in steps] == [(2, 10), (2, 10), (2, 10), (2, 2)]


def test_a_table_is_aligned_markdown() -> None:
    lines = Table("Title", ["", "ms"], [["a", "1"], ["long name", "1,000"]], "Note.").text().splitlines()
    assert lines == [
        "**Title**",
        "",
        "|           |    ms |",
        "| :-------- | ----: |",
        "| a         |     1 |",
        "| long name | 1,000 |",
        "",
        "Note.",
    ]


def test_the_summary_goes_between_the_markers_of_a_document(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
    for text in ("first", "second"):
        readme.write(document, text)
        assert document.read_text() == f"before\n{readme.BEGIN}\n{text}\n{readme.END}\nafter\n"


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text(f"{readme.END}\n{readme.BEGIN}\n")
    with pytest.raises(click.ClickException, match="has no lines"):
        readme.write(document, "new")
    assert document.read_text() == f"{readme.END}\n{readme.BEGIN}\n"


# From here on the command itself runs.


@pytest.fixture
def directory() -> "Iterator[Path]":
    """For what a run makes; every user may enter it. Nothing may be left in it, and no process that was made there."""
    require_namespaces()
    if shutil.which("gcc") is None:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail("gcc is not installed")
        pytest.skip("gcc is not installed")
    path = Path(tempfile.mkdtemp(prefix="pyinit-tests-"))
    path.chmod(0o755)
    try:
        yield path
        wait_until(lambda: not processes_of(path), "no process is left")
        assert list(path.iterdir()) == []
    finally:
        for pid in processes_of(path):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(path)


def processes_of(directory: Path) -> "list[int]":
    """The processes that have the directory on their command line: the native programs run from there."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if bytes(directory) in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def command(*words: "str | Path") -> "list[str]":
    return [sys.executable, "-m", "benchmarks", *map(str, words)]


def environment(directory: Path, **variables: str) -> "dict[str, str]":
    return {**os.environ, "TMPDIR": str(directory), **variables}


def run(directory: Path, output: Path, *words: "str | Path", **variables: str) -> "tuple[str, dict[str, Any]]":
    """Run measurements, quickly, with one round: what they print, and what they write."""
    arguments = command("--quick", "--runs", "1", "--python", PYTHON, "--output", output, *words)
    done = subprocess.run(
        arguments,
        cwd=REPOSITORY,
        env=environment(directory, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE * 1.5,
    )
    if "measured with a cgroup" in done.stderr and os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") != "1":
        pytest.skip("no cgroup that counts processes")
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((output / "results.json").read_text())


def plotted(output: Path, name: str) -> bool:
    """Whether there is a plot with something in it, in both forms."""
    svg = (output / f"{name}.svg").read_text()
    png = (output / f"{name}.png").read_bytes()
    return "</svg>" in svg and png.startswith(b"\x89PNG") and len(png) > 5000


def rows_of(printed: str, title: str) -> "dict[str, list[str]]":
    """The rows of the table with that title, by their first cell; every row is as wide as the head."""
    lines = printed.split(f"**{title}")[1].split("\n\n")[1].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert {len(row) for row in cells} == {len(cells[0])}
    return {row[0]: row[1:] for row in cells[2:]}


def test_startup_measures_every_form_of_pyinit_beside_the_peers(directory: Path, tmp_path: Path) -> None:
    printed, data = run(directory, tmp_path, "startup")
    result = data["results"]["startup"]
    cases = result["cases"]
    assert {"none", startup.BARE, "python3 FILE", *startup.FAMILIES} <= set(cases)
    for name, entry in cases.items():
        for which, measured in (("first", name != startup.BARE), ("exit", name != "supervisord")):
            assert len(entry[f"{which}_ms"]) == measured
            assert all(0 < value < DEADLINE * 1000 for value in entry[f"{which}_ms"])
    assert cases[startup.BARE]["exit_ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0, "rounds": 1}
    assert [step["what"] for step in result["steps"]] == [what for what, _ in startup.STEPS]
    assert all(step["calls"] > 0 for step in result["steps"])
    assert result["imports"]["pyinit"] == []
    assert "pyinit.identity.matching.plan" in [module for module, _ in result["imports"]["pyinit --match 65534"]]
    assert set(rows_of(printed, "Start-up")) == set(cases)
    assert plotted(tmp_path, "startup")


def test_every_interpreter_has_its_own_base(directory: Path, tmp_path: Path) -> None:
    """Two paths of one version count once; of several versions each is compared with itself."""
    _, data = run(directory, tmp_path, "--python", PYTHON, "--python", sys.executable, "startup")
    cases = data["results"]["startup"]["cases"]
    for version in list(data["interpreters"])[1:]:
        for name in (f"pyinit ({version})", f"python3 FILE ({version})", f"{startup.BARE} ({version})"):
            assert cases[name]["base"] == f"{startup.BARE} ({version})"
    assert all(entry["base"] == startup.BARE for name, entry in cases.items() if "(" not in name)


def test_the_blind_window_tells_what_becomes_of_each_signal(directory: Path, tmp_path: Path) -> None:
    printed, data = run(directory, tmp_path, "blind-window")
    result = data["results"]["blind-window"]
    assert {"none", "pyinit", "python3 FILE"} <= set(result)
    for name, entry in result.items():
        assert entry["offsets_ms"] == list(blind_window.QUICK_OFFSETS)
        assert [sum(counts.values()) for counts in entry["counts"]] == [1] * len(blind_window.QUICK_OFFSETS)
        # The kernel gives PID 1 no signal that it has no handler for: it may be lost, but not fatal.
        assert not any(counts["died"] for counts in entry["counts"]), name
        assert 0 <= entry["blind_ms"] <= 30
    if "sh -c" in result:  # a shell passes nothing on
        assert result["sh -c"]["blind_ms"] == 30
    assert set(rows_of(printed, "The blind window")) == set(result)
    assert plotted(tmp_path, "blind_window")


def test_latency_counts_every_signal(directory: Path, tmp_path: Path) -> None:
    printed, data = run(directory, tmp_path, "latency")
    result = data["results"]["latency"]
    for which, count in (("hot", 100), ("loaded", 20), ("cold", 2)):
        assert {"none", "pyinit"} <= set(result[which])
        assert "sh -c" not in result[which]
        for entry in result[which].values():
            assert len(entry["us"]) == entry["summary_us"]["count"] == count
            assert 0 < entry["summary_us"]["min"] <= entry["summary_us"]["p50"] <= entry["summary_us"]["p99"]
        assert result[which]["none"]["more_than_none_us"] == 0
    assert set(rows_of(printed, "Signal latency, one each 0.7 s")) == set(result["cold"])
    assert plotted(tmp_path, "latency")


def test_reaping_waits_for_the_last_orphan(directory: Path, tmp_path: Path) -> None:
    printed, data = run(directory, tmp_path, "reaping")
    result = data["results"]["reaping"]
    assert list(result) == [
        "500 at once, flat",
        "500 at once, nested",
        "2,000 in a stream, flat",
        "2,000 in a stream, nested",
    ]
    for name, entry in result.items():
        orphans = entry["storm"]["orphans"]
        for found in entry["inits"].values():
            (seconds,), (zombies,) = found["seconds"], found["most_zombies"]
            assert seconds > 0
            assert found["orphans_per_second"] == [pytest.approx(orphans / seconds)]
            assert 0 <= zombies <= orphans
            assert found["cpu_us_per_orphan"][0] > 0
        assert set(rows_of(printed, f"Reaping {name}")) == set(entry["inits"]) >= {"pyinit"}
    assert plotted(tmp_path, "reaping")


def test_memory_is_that_of_pid_1_and_does_not_grow(directory: Path, tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    printed, data = run(directory, tmp_path, "--plots", plots, "memory")
    entries = data["results"]["memory"]["kilobytes"]
    for entry in entries.values():
        for found in entry.values():
            assert 0 < found["Private_Dirty"] <= found["Rss"]
            assert 0 < found["Pss"] <= found["Rss"]
    assert set(entries["pyinit"]) == {"start", "before", "storm", "day"}
    assert set(entries[memory.BARE]) == {"start"}
    # An interpreter is that large, and no other init is. (The rest of the bounds is for tests/test_footprint.py.)
    assert entries["pyinit"]["start"]["Rss"] > 4000
    assert all(entries[name]["start"]["Rss"] < 4000 for name in PEERS if name in entries)
    assert set(rows_of(printed, "Memory once the program runs")) == set(entries)
    assert plotted(tmp_path, "memory")
    assert [path.name for path in plots.iterdir()] == ["memory.svg"]


def test_idle_sees_tini_wake_up_and_pyinit_sleep(directory: Path, tmp_path: Path) -> None:
    printed, data = run(directory, tmp_path, "idle")
    inits = data["results"]["idle"]["inits"]
    assert inits["pyinit"] == {"wakeups": 0, "cpu_us": 0}
    assert "tini" not in inits or inits["tini"]["wakeups"] > 0
    assert set(rows_of(printed, "Idle")) == set(inits)
    assert plotted(tmp_path, "idle")


def test_reown_compares_tools_that_do_the_same(directory: Path, tmp_path: Path) -> None:
    """Each run checks by itself that everything has changed its owner."""
    printed, data = run(directory, tmp_path, "--files", "150", "reown")
    result = data["results"]["reown"]
    assert {"150 files, warm", "150 files, warm, one core"} <= set(result)
    for name, tools in result.items():
        expected = {"chown -R --from", "find -exec chown", "os.walk", "pyinit, one worker", "pyinit, two workers"}
        assert set(tools) == expected - ({"pyinit, two workers"} if "one core" in name else set())
        assert all(len(entry["seconds"]) == 1 and entry["seconds"][0] > 0 for entry in tools.values())
        assert set(rows_of(printed, f"Re-owning {name}*")) == set(tools)
    assert plotted(tmp_path, "reown")


def test_size_is_that_of_the_file(directory: Path, tmp_path: Path) -> None:
    printed, data = run(directory, tmp_path, "size")
    result = data["results"]["size"]
    assert result["pyinit"]["files"] == 1
    assert result["pyinit"]["bytes"] <= 475 * 1024
    for name in PEERS:
        if path := shutil.which(name):
            assert result[name]["bytes"] == Path(path).stat().st_size
    assert all(entry["layer_bytes"] > 0 for entry in result.values())
    assert set(rows_of(printed, "Size")) == set(result)
    assert plotted(tmp_path, "size")


def test_a_run_says_what_it_was_measured_on_and_what_was_missing(directory: Path, tmp_path: Path) -> None:
    """Nothing of the peers is found in a PATH with a compiler alone."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gcc").symlink_to(shutil.which("gcc") or "")
    document = tmp_path / "README.md"
    document.write_text(f"{readme.BEGIN}\n{readme.END}\n")
    printed, data = run(directory, tmp_path, "--readme", document, "size", PATH=str(tools))
    assert {"tini", "dumb-init", "catatonit", "gosu", "supervisord"} <= set(data["missing"])
    assert set(data["peers"]) <= {"my_init"}
    assert data["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert data["machine"]["kernel"] == os.uname().release
    assert data["machine"]["cpu"]
    assert list(data["interpreters"].values()) == [os.path.realpath(PYTHON)]
    assert "Not there: tini" in printed
    summary = document.read_text().split("\n", 1)[1]
    assert summary.startswith("**pyinit beside its peers**")
    assert "size of the file, kB" in summary
    assert summary.partition(readme.END)[0].strip() in printed


def test_the_readme_gets_eight_rows_and_the_page_all(directory: Path, tmp_path: Path) -> None:
    _, data = run(directory, tmp_path, "latency", "blind-window", "size")

    def labels(text: str) -> "list[str]":
        return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:]

    brief, every = labels(readme.summary(data, brief=True)), labels(readme.summary(data))
    assert len(brief) == 4 and set(brief) < set(every)
    assert len(readme.BRIEF) <= 8


def test_results_are_shown_again_without_measuring(directory: Path, tmp_path: Path) -> None:
    printed, _ = run(directory, tmp_path, "size")
    results = tmp_path / "results.json"
    words = ("--results", results, "--plots", tmp_path / "plots")
    done = subprocess.run(command(*words), cwd=REPOSITORY, env={"PATH": ""}, capture_output=True)
    assert done.stdout.decode() == printed
    assert [*(tmp_path / "plots").iterdir()] == []  # that of the size is not in the documentation


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--peer", "upstart"], "--peer: 'upstart' is not here; there are "),
        (["--python", "/bin/true"], "--python: '/bin/true' is no Python of version 3.9 or newer"),
        (["--readme", "/etc/hostname"], "--readme: '/etc/hostname' has no lines "),
    ],
)
def test_what_cannot_be_measured_is_named(directory: Path, words: "list[str]", message: str) -> None:
    done = subprocess.run(command(*words, "size"), cwd=REPOSITORY, env=environment(directory), capture_output=True)
    assert done.returncode == 1
    assert message in done.stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
@pytest.mark.parametrize(("item", "program"), [("latency", "sender"), ("reaping", "watcher"), ("idle", "program")])
def test_nothing_is_left_when_a_run_is_interrupted(
    directory: Path, number: signal.Signals, item: str, program: str
) -> None:
    """Of the whole process group, as a terminal does it, for Ctrl-C."""
    arguments = command("--quick", "--runs", "1000", "--python", PYTHON, item)
    with subprocess.Popen(
        arguments, cwd=REPOSITORY, env=environment(directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, start_new_session=True,
    ) as measuring:  # fmt: skip
        try:
            wait_until(lambda: runs(directory, program) or measuring.poll() is not None, f"{program} runs")
            if number == signal.SIGINT:
                os.killpg(measuring.pid, number)
            else:
                measuring.send_signal(number)
            measuring.communicate(timeout=DEADLINE)
        finally:
            measuring.kill()
    assert not list(Path("/sys/fs/cgroup").glob(f"**/pyinit-benchmarks-{measuring.pid}"))
    assert measuring.returncode == (1 if number == signal.SIGINT else 128 + number)


def runs(directory: Path, program: str) -> bool:
    """Whether one of the native programs runs."""
    for pid in processes_of(directory):
        try:
            if Path(f"/proc/{pid}/exe").resolve().name == program:
                return True
        except OSError:
            pass
    return False
