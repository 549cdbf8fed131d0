"""The zipapp: what is in it, that it is reproducible, and that it starts wherever it is put."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pyinit import __version__, loader
from pyinit.ctl import check, zipapp
from tests.conftest import INTERPRETERS, short
from tests.support import NAMESPACE, REPOSITORY, Pyinit, children, inode_of, things_that_are_no_files, wait_until

BUILD = [sys.executable, "-m", "pyinit.ctl", "build"]


def make(output: Path, *options: str, cwd: Path = REPOSITORY, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*BUILD, "-o", str(output), *options],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": "", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    shutil.copytree(REPOSITORY / "pyinit", copy / "pyinit", ignore=shutil.ignore_patterns("__pycache__"))
    for number, (cwd, seed) in enumerate([(REPOSITORY, "1"), (REPOSITORY, "2"), (copy, "3")]):
        done = make(tmp_path / str(number), "--python", "/usr/bin/python3", cwd=cwd, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
    first, second, third = ((tmp_path / str(number)).read_bytes() for number in range(3))
    assert first == second == third


def test_source_date_epoch_is_the_time_of_the_members(tmp_path: Path) -> None:
    make(tmp_path / "file", "--python", "/usr/bin/python3", SOURCE_DATE_EPOCH="1700000000")
    with zipfile.ZipFile(tmp_path / "file") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


@pytest.mark.parametrize(("text", "year"), [("0", 1980), ("99999999999", 2107)])
def test_a_source_date_that_zip_does_not_know_becomes_the_nearest(tmp_path: Path, text: str, year: int) -> None:
    assert make(tmp_path / "file", "--python", "/usr/bin/python3", SOURCE_DATE_EPOCH=text).returncode == 0
    with zipfile.ZipFile(tmp_path / "file") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {year}


def test_a_source_date_that_is_no_number_is_one_clear_line(tmp_path: Path) -> None:
    done = make(tmp_path / "file", "--python", "/usr/bin/python3", SOURCE_DATE_EPOCH="yesterday")
    assert done.returncode == 1
    assert done.stderr == "Error: SOURCE_DATE_EPOCH: 'yesterday' is no number of seconds since 1970\n"
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_small_and_its_first_line_fits_every_kernel(every_pyinit: Pyinit) -> None:
    assert every_pyinit.file.stat().st_size <= 475 * 1024
    assert every_pyinit.file.stat().st_mode & 0o777 == 0o755
    assert len(every_pyinit.file.read_bytes().split(b"\n", 1)[0]) < 127


def test_its_members_are_the_repositorys_sources_byte_for_byte(every_pyinit: Pyinit) -> None:
    with zipfile.ZipFile(every_pyinit.file) as archive:
        assert archive.testzip() is None
        members = {name: archive.read(name) for name in archive.namelist()}
    expected = {
        str(path.relative_to(REPOSITORY)): path.read_bytes()
        for path in (REPOSITORY / "pyinit").rglob("*.py")
        if path.relative_to(REPOSITORY).parts[1] != "ctl"
    }
    assert members.pop("__main__.py") == expected["pyinit/loader.py"]
    assert members == expected


def test_unzip_shows_what_runs(pyinit: Pyinit) -> None:
    """As a reviewer looks at it, who has Info-ZIP or Python."""
    script = "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode(), end='')"
    for command in (["unzip", "-p"], [sys.executable, "-c", script]):
        if shutil.which(command[0]):
            shown = subprocess.check_output([*command, pyinit.file, "pyinit/supervise/loop.py"])
            assert shown == (REPOSITORY / "pyinit/supervise/loop.py").read_bytes()


def test_every_module_that_is_named_is_there() -> None:
    modules = {path[:-3].replace("/", ".").replace(".__init__", "") for path in zipapp.sources()}
    assert {*loader.AT_ONCE, *loader.KEPT} <= modules


@pytest.mark.parametrize("built_for", INTERPRETERS)
def test_it_runs_under_every_interpreter_with_any_byte_code(build: "Callable[[str], Pyinit]", built_for: str) -> None:
    file = str(build(short(INTERPRETERS[built_for])).file)
    for version, python in INTERPRETERS.items():
        # What the kernel makes of a first line that names this interpreter.
        start = [*NAMESPACE, python, zipapp.OPTIONS + zipapp.LINE_1, file]
        for options, expected in (([], 7), (["-v", "-e", "7"], 0)):
            command = [*start, *options, "--", "sh", "-c", "exit 7"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (expected, ""), version
        done = subprocess.run([*start, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"pyinit {__version__}\n"), version


def test_source_only_works_and_is_smaller(tmp_path: Path, pyinit: Pyinit) -> None:
    assert make(tmp_path / "pyinit", "--python", pyinit.python, "--source-only").returncode == 0
    source_only = Pyinit(tmp_path / "pyinit", pyinit.python)
    assert source_only.run("-v", "--", "sh", "-c", "exit 7")[0] == 7
    assert source_only.file.stat().st_size < pyinit.file.stat().st_size


def look_at(*arguments: "str | Path") -> "subprocess.CompletedProcess[str]":
    command = [*BUILD, *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_check_says_what_an_intact_file_is(every_pyinit: Pyinit) -> None:
    done = look_at("--check", every_pyinit.file, "--python", every_pyinit.python)
    command = [every_pyinit.python, "-ISc", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]
    release = subprocess.check_output(command, text=True).strip()
    series = release.rpartition(".")[0]
    size = every_pyinit.file.stat().st_size
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{every_pyinit.file}: intact, {size} bytes",
        f"version:     {__version__}",
        f"interpreter: {every_pyinit.python}",
        f"byte code:   for Python {series}; others from 3.9 on run the sources",
        f"             is what Python {release} makes of the sources",
    ]
    told = json.loads(look_at("--check", every_pyinit.file, "--python", every_pyinit.python, "--json").stdout)
    assert (told["intact"], told["version"]) == (True, __version__)
    assert told["byte_code"] == {"release": release, "proven": True}
    assert {"pyinit", "pyinit.__main__", "pyinit.supervise.drain"} <= set(told["modules"])


def test_check_says_when_there_is_no_byte_code(tmp_path: Path) -> None:
    file = tmp_path / "pyinit"
    make(file, "--python", "/usr/bin/env python3", "--source-only")
    done = look_at("--check", file)
    assert "interpreter: /usr/bin/env python3" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == "byte code:   none; 3.9 and newer run the sources"
    assert json.loads(look_at("--check", file, "--json").stdout)["byte_code"] is None


def test_check_finds_every_changed_byte(pyinit: Pyinit) -> None:
    """A prime number apart, so that all parts of the file have their turn; and each byte of the two lines."""
    data = pyinit.file.read_bytes()
    check.examine(data)
    for at in (*range(400), *range(400, len(data), 499), *range(len(data) - 40, len(data))):
        for bit in (1, 0x40):
            with pytest.raises(check.Damaged):
                check.examine(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])


def forged(data: bytes, old: bytes, new: bytes) -> bytes:
    """The file with something else in it, and the digest right for that."""
    assert data.count(old) >= 1 and len(old) == len(new)
    changed = data.replace(old, new)
    body = changed[: -len(zipapp.digest(b""))]
    return body + zipapp.digest(body[: -zipapp.COMMENT_SIZE])


def test_check_finds_byte_code_that_is_not_that_of_the_sources(pyinit: Pyinit) -> None:
    """Who forges the file can make the digest right, too. Only building it again from its sources tells."""
    data = pyinit.file.read_bytes()
    assert check.examine(forged(data, b"import", b"import")).proven
    byte_code = data[: data.index(b"PK\3\4")]
    with pytest.raises(check.Damaged, match=r"is not what Python .* makes of its sources"):
        check.examine(forged(data, byte_code[20_000:], byte_code[20_000:].replace(b"killed", b"spared")))


def test_check_finds_sources_that_are_not_those_of_the_byte_code(pyinit: Pyinit) -> None:
    sources = zipapp.sources()
    byte_code = zipapp.compile_with(pyinit.python, sources)
    sources["pyinit/supervise/drain.py"] = sources["pyinit/supervise/drain.py"].replace("SIGKILL", "SIGTERM")
    data = zipapp.assemble(zipapp.make_first_line(pyinit.python), byte_code, sources, zipapp.source_date())
    with pytest.raises(check.Damaged, match=r"is not what Python .* makes of its sources"):
        check.examine(data)


def test_check_without_the_interpreter_says_that_byte_code_was_not_compared(pyinit: Pyinit, tmp_path: Path) -> None:
    """As on a machine that has other releases: here the file names one that nobody has."""
    sources = zipapp.sources()
    made = zipapp.compile_with(pyinit.python, sources)
    series = made.release.rpartition(".")[0]
    byte_code = made._replace(release=f"{series}.99")
    file = tmp_path / "pyinit"
    file.write_bytes(zipapp.assemble(zipapp.make_first_line(pyinit.python), byte_code, sources, zipapp.source_date()))
    done = look_at("--check", file)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.splitlines()[-1].strip() == f"not compared: no Python {series}.99 here (--python PATH names one)"
    assert json.loads(look_at("--check", file, "--json").stdout)["byte_code"] == {
        "release": f"{series}.99",
        "proven": False,
    }


class Forgery:
    """A file that starts as pyinit's do, made by hand in all its parts; its digest is right."""

    def __init__(self, python: str) -> None:
        self.first_line = zipapp.make_first_line(python)
        self.sources = zipapp.sources()
        self.byte_code = zipapp.compile_with(python, self.sources)
        self.more: "list[tuple[zipfile.ZipInfo, bytes]]" = []  # members

    def data(self) -> bytes:
        made = zipapp.assemble(self.first_line, self.byte_code, self.sources, zipapp.EARLIEST_TIME)
        file = io.BytesIO(made)
        with zipfile.ZipFile(file, "a") as archive:
            for member, content in self.more:
                archive.writestr(member, content)
            archive.comment = zipapp.digest(b"")
        body = file.getvalue()[: -len(zipapp.digest(b""))]
        return body + zipapp.digest(body[: -zipapp.COMMENT_SIZE])


def member(name: str, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    info.external_attr = 0o644 << 16
    return info


@pytest.mark.parametrize(
    "name",
    [
        "pyinit/supervise/loop.pyc",
        "pyinit/settings.md",
        "../x.py",
        "/etc/x.py",
        "pyinit/x/",
        "pyinit/boot/__init__.py",
        "os.py",
    ],
)
def test_check_takes_no_member_but_modules_each_once(pyinit: Pyinit, name: str) -> None:
    """zipimport takes a .pyc or a package before the module of that name."""
    forgery = Forgery(pyinit.python)
    forgery.more = [(member(name), b"print('EVIL')\n")]
    with pytest.raises(check.Damaged):
        check.examine(forgery.data())


def test_check_takes_no_byte_code_that_says_no_release_or_another(pyinit: Pyinit) -> None:
    forgery = Forgery(pyinit.python)
    series = forgery.byte_code.release.rpartition(".")[0]
    for release in ("", *(f"{other}.1" for other in ("3.9", "3.10", "3.11") if other != series)):
        forgery.byte_code = forgery.byte_code._replace(release=release)
        with pytest.raises(check.Damaged):
            check.examine(forgery.data())


def test_check_takes_no_source_in_an_encoding_of_its_own(pyinit: Pyinit) -> None:
    """What is a comment in one encoding can be code in another."""
    forgery = Forgery(pyinit.python)
    cookie = "# coding: utf-7\n" + forgery.sources["pyinit/boot.py"]
    with pytest.raises(zipapp.BuildError, match="encoding"):
        zipapp.assemble(forgery.first_line, forgery.byte_code, {**forgery.sources, "pyinit/boot.py": cookie}, 1 << 30)
    forgery.more = [(member("pyinit/more.py"), b"#\n# vim: set fileencoding=utf-7 :\n")]
    with pytest.raises((check.Damaged, zipapp.BuildError), match="encoding"):
        check.examine(forgery.data())


def test_check_says_in_one_line_what_a_hostile_archive_is(pyinit: Pyinit, tmp_path: Path) -> None:
    """One that would take all memory, that is packed otherwise, that goes on behind what is read, that is no Python."""
    forgery = Forgery(pyinit.python)
    file = tmp_path / "file"
    bomb = member("pyinit/bomb.py", zipfile.ZIP_BZIP2)
    for more, behind in (
        ([(bomb, bytes(1 << 24))], b""),
        ([(member("pyinit/large.py", zipfile.ZIP_DEFLATED), bytes(1 << 24))], b""),
        ([(member("pyinit/bad.py"), b"\xff")], b""),
        ([(member("pyinit/no_python.py"), b"(" * 100_000)], b""),
        ([], bytes(check.SIZE_LIMIT) + forgery.data()),
    ):
        forgery.more = more
        file.write_bytes(forgery.data() + behind)
        done = look_at("--check", file)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert done.stderr.startswith(f"Error: {file}: ")


def stuffed(data: bytes, name: str, more: bytes) -> bytes:
    """With more bytes behind a member's content, as part of what it says is packed there."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        chosen = archive.getinfo(name)
        size = (chosen.compress_size + len(more)).to_bytes(4, "little")
        start = chosen.header_offset + len(chosen.FileHeader())
        entry = data.index(b"PK\1\2", archive.start_dir)
        for each in archive.infolist():
            here = bytearray(data[entry : entry + check.CENTRAL_HEADER])
            if each.header_offset > chosen.header_offset:
                here[42:46] = (each.header_offset + len(more)).to_bytes(4, "little")
            if each is chosen:
                here[20:24] = size
            data = data[:entry] + here + data[entry + len(here) :]
            entry += len(here) + len(each.filename)
        end = data.rindex(b"PK\5\6")
        data = data[: end + 16] + (archive.start_dir + len(more)).to_bytes(4, "little") + data[end + 20 :]
    at = chosen.header_offset + 18
    data = data[:at] + size + data[at + 4 :]
    behind = start + chosen.compress_size
    return forged(data[:behind] + more + data[behind:], b"PK", b"PK")


def test_check_finds_what_is_packed_with_a_member_and_is_not_its_content(pyinit: Pyinit) -> None:
    """zipfile reads no further than the content, zipimport takes all of a stored member."""
    data = pyinit.file.read_bytes()
    assert stuffed(data, "pyinit/boot.py", b"") == data
    for name in ("__main__.py", "pyinit/boot.py"):
        with pytest.raises(check.Damaged, match="that is not its content"):
            check.examine(stuffed(data, name, b"EVIL" * 1000))


def test_check_finds_a_directory_that_says_something_else(pyinit: Pyinit) -> None:
    data = pyinit.file.read_bytes()
    entry, end = data.index(b"PK\1\2"), data.rindex(b"PK\5\6")
    for at in (entry + 4, entry + 34, entry + 36, entry + 38, end + 4, end + 6):  # as APPNOTE.TXT numbers them
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(check.Damaged):
            check.examine(forged(changed, b"PK", b"PK"))


def test_check_takes_the_same_content_deflated_otherwise(pyinit: Pyinit, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another zlib does it, such as zlib-ng, where the file was built."""
    compress = zlib.compressobj
    with monkeypatch.context() as patch:
        patch.setattr(zlib, "compressobj", lambda _level, *rest: compress(1, *rest))
        data = Forgery(pyinit.python).data()
    assert data != Forgery(pyinit.python).data()
    assert check.examine(data).proven


def test_check_runs_nothing_that_the_file_names(pyinit: Pyinit, tmp_path: Path) -> None:
    trap = tmp_path / "python3"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    trap.chmod(0o755)
    sources = zipapp.sources()
    byte_code = zipapp.compile_with(pyinit.python, sources)
    file = tmp_path / "pyinit"
    file.write_bytes(b"#!%s -IuSc%s\n" % (bytes(trap), zipapp.LINE_1.encode()))
    first_line = file.read_bytes()
    file.write_bytes(zipapp.assemble(first_line, byte_code, sources, zipapp.source_date()))
    look_at("--check", file)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: data[:-1], "the bytes are not those that were built"),
        (lambda data: data[:-100], "the archive is damaged"),
        (lambda data: data + b"\n", "the bytes are not those that were built"),
        (lambda data: data.replace(b"#!/", b"#!/x/", 1), "the bytes are not those that were built"),
        (lambda data: b"#!/bin/sh\n" + data, "the first line is not pyinit's"),
        (lambda data: data[:0], "the first line is not pyinit's"),
        (lambda data: data.replace(b"import loads", b"import other", 1), "the second line is not pyinit's"),
    ],
    ids=["cut", "short", "longer", "other-interpreter", "another-first-line", "empty", "another-second-line"],
)
def test_check_says_in_one_line_what_is_damaged(
    pyinit: Pyinit, tmp_path: Path, damage: "Callable[[bytes], bytes]", problem: str
) -> None:
    file = tmp_path / "damaged"
    file.write_bytes(damage(pyinit.file.read_bytes()))
    done = look_at("--check", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {file}: ")
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1
    told = json.loads(look_at("--check", file, "--json").stdout)
    assert (told["intact"], problem in told["problem"]) == (False, True)


def test_check_of_nothing_to_read_is_status_2(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, problem in (
        ("none", "cannot read {}: No such file or directory"),
        (".", "cannot read {}: Is a directory"),
    ):
        done = look_at("--check", tmp_path / name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"Error: --check: {problem.format(repr(str(tmp_path / name)))}\n"
    assert look_at("--check", tmp_path / "fifo").stderr.endswith(" is no regular file\n")
    done = look_at("--check", tmp_path, "--source-only")
    assert (done.returncode, done.stderr) == (2, "Error: --check builds nothing, so leave out --source-only\n")


def test_the_env_form_finds_the_interpreter_in_path(tmp_path: Path) -> None:
    assert make(tmp_path / "pyinit", "--python", "/usr/bin/env python3").returncode == 0
    assert Pyinit(tmp_path / "pyinit", "").run("--", "sh", "-c", "exit 7") == (7, "", "")


@pytest.mark.parametrize(
    ("python", "status"),
    [
        *(("python3", 2), ("/usr/bin/python3 -X dev", 2), ("/" + "x" * 100, 2), ("bin/env python3", 2)),
        *(("/bin/false", 1), ("/bin/echo", 1), ("/tmp", 1)),
    ],
)
def test_an_unsuitable_interpreter_is_one_clear_line(tmp_path: Path, python: str, status: int) -> None:
    done = make(tmp_path / "file", "--python", python)
    assert done.returncode == status
    assert done.stderr.startswith(f"Error: --python: {python!r}")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    done = make(tmp_path / "none" / "file", "--python", "/usr/bin/python3")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --output: cannot write ")


def test_output_replaces_files_alone(tmp_path: Path) -> None:
    for thing in things_that_are_no_files(tmp_path):
        before = inode_of(thing)
        done = make(thing, "--source-only")
        assert done.returncode and done.stderr.splitlines()[-1].startswith("Error: "), thing
        assert inode_of(thing) == before
    assert (tmp_path / "target").read_text() == "precious" and not (tmp_path / "nothing").exists()


def test_a_file_that_is_cut_off_starts_nothing(pyinit: Pyinit, tmp_path: Path) -> None:
    """What is needed only later must not be found missing then."""
    data = pyinit.file.read_bytes()
    # Before that, in what the first two lines read, the interpreter says it in its own words.
    for size in range(16384, 80_000, 4096):
        file = tmp_path / "pyinit"
        file.write_bytes(data[:size])
        file.chmod(0o755)
        status, output, errors = Pyinit(file, pyinit.python).run("--", "echo", "ran")
        if output:
            break
        assert (status, errors.startswith("pyinit: cannot load "), errors.count("\n")) == (1, True, 1)
    assert b"drain" in data[:size]
    # What every start needs is there; what these options need is not.
    done = Pyinit(file, pyinit.python).run("--session", "--user", "nobody", "--", "echo", "ran")
    assert done == (1, "", f"pyinit: '{file}': it is cut off\n")


@pytest.mark.parametrize("place", ["with a space", "ünïcode", "quote'\"$x"])
def test_it_starts_from_any_path(pyinit: Pyinit, tmp_path: Path, place: str) -> None:
    file = tmp_path / place / "pyinit"
    file.parent.mkdir()
    shutil.copy(pyinit.file, file)
    assert Pyinit(file, pyinit.python).run("--", "sh", "-c", "exit 7") == (7, "", "")


def test_it_starts_through_a_symbolic_link_and_through_path(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "pyinit-link").symlink_to(pyinit.file)
    assert Pyinit(tmp_path / "pyinit-link", pyinit.python).run("--", "sh", "-c", "exit 7") == (7, "", "")
    command = ["env", f"PATH={tmp_path}:{os.environ['PATH']}", "pyinit-link", "--", "sh", "-c", "exit 7"]
    assert subprocess.run([*NAMESPACE, *command], stdin=subprocess.DEVNULL).returncode == 7


def test_it_starts_from_a_read_only_directory(pyinit: Pyinit, tmp_path: Path) -> None:
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && ! touch "$1/x" 2>&- && exec "$1/pyinit" false'
    shutil.copy(pyinit.file, tmp_path / "pyinit")
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def traps(directory: Path, marker: Path) -> None:
    """Modules that leave a mark when they are imported."""
    for name in ("posix", "_signal", "marshal", "sitecustomize", "usercustomize", "errno", "time", "zlib", "message"):
        (directory / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    for name in ("encodings", "pyinit"):
        (directory / name).mkdir()
        (directory / name / "__init__.py").write_text(f"open({str(marker)!r}, 'w')\n")


def test_a_hostile_environment_changes_nothing(every_pyinit: Pyinit, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "traps").mkdir()
    traps(tmp_path / "traps", marker)
    hostile = {
        "PYTHONPATH": str(tmp_path / "traps"),
        "PYTHONHOME": "/nonexistent",
        "PYTHONSTARTUP": str(tmp_path / "traps" / "posix.py"),
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONIOENCODING": "nonsense",
        "PYTHONWARNINGS": "error",
    }
    assert every_pyinit.run("-v", "--", "sh", "-c", "exit 7", env={**os.environ, **hostile})[::2] == (7, "")
    assert not marker.exists()


def test_a_hostile_working_directory_changes_nothing(every_pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "traps").mkdir()
    traps(tmp_path / "traps", tmp_path / "marker")
    assert every_pyinit.run("-v", "--", "sh", "-c", "exit 7", cwd=tmp_path / "traps")[::2] == (7, "")
    assert not (tmp_path / "marker").exists()


def test_python3_file_works_too(every_pyinit: Pyinit) -> None:
    command = [*NAMESPACE, every_pyinit.python, str(every_pyinit.file), "--", "sh", "-c", 'exit "$1"', "sh", "7"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize(
    "locale", [{}, {"LC_ALL": "C"}, {"LANG": "C.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C"}]
)
def test_arguments_and_environment_reach_the_program_byte_for_byte(
    every_pyinit: Pyinit, locale: "dict[str, str]"
) -> None:
    environment = {b"PATH": os.environb[b"PATH"], b"ODD": b"\xff\n=\xc3\xa9 ", b"EMPTY": b""}
    environment.update({os.fsencode(name): os.fsencode(value) for name, value in locale.items()})
    arguments = [b"a b", b"", b"\xff\xfe", b"new\nline", "é".encode(), b"--", b"-x", b"*"]
    script = b"cat /proc/$$/environ; echo; echo --; cat /proc/$$/cmdline; :"
    command = [b"sh", b"-c", script, b"sh", *arguments]
    file = os.fsencode(every_pyinit.file)
    prefix = [os.fsencode(word) for word in NAMESPACE]
    done = subprocess.run(
        [*prefix, file, b"--", *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found, _, line = done.stdout.partition(b"\n--\n")
    assert sorted(found.rstrip(b"\0").split(b"\0")) == sorted(b"=".join(item) for item in environment.items())
    assert line == b"\0".join(command) + b"\0"


def test_it_goes_on_when_its_file_is_deleted(every_pyinit: Pyinit, tmp_path: Path) -> None:
    """Everything that may be needed once the program runs is in memory: log, journal, forwarding, reaping."""
    file = tmp_path / "pyinit"
    shutil.copy(every_pyinit.file, file)
    script = "trap 'echo got' USR1; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    copy = Pyinit(file, every_pyinit.python)
    with copy.start("-c", "-w", "--events", tmp_path / "journal", "--", "sh", "-c", script) as run:
        run.wait_for("ready")
        file.unlink()
        run.send(signal.SIGUSR1)
        run.wait_for("got")
        (program,) = children(run.pid)[:1]
        subprocess.run(["nsenter", "-t", str(run.pid), "-p", "-m", "sh", "-c", "(sleep 0.1 &)"], check=True)
        wait_until(lambda: '"orphan": true' in (tmp_path / "journal").read_text(), "an orphan is reaped")
        wait_until(lambda: children(run.pid) == [program], "the program is the only child")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 7
    assert "reaped orphan" in errors


def test_the_program_gets_the_descriptors_that_pyinit_got(every_pyinit: Pyinit, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        script = "ls /proc/$$/fd; :"
        status, output, _ = every_pyinit.run(
            "--events", tmp_path / "journal", "--", "sh", "-c", script, pass_fds=(writer,)
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert status == 0
    assert sorted(map(int, output.split())) == sorted({0, 1, 2, writer})


def test_closed_standard_streams_are_not_replaced(every_pyinit: Pyinit, tmp_path: Path) -> None:
    result, journal = tmp_path / "result", tmp_path / "journal"
    script = (
        "import os, sys\n"
        "def is_open(fd):\n"
        "    try:\n"
        "        return bool(os.fstat(fd))\n"
        "    except OSError:\n"
        "        return False\n"
        "found = [fd for fd in range(3) if is_open(fd)]\n"
        "open(sys.argv[1], 'w').write(repr(found))\n"
        "sys.exit(7)\n"
    )
    wrapper = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    command = [sys.executable, "-IS", "-c", script, str(result)]
    assert every_pyinit.run("-vvv", "--events", journal, "--", *command, wrapper=wrapper)[0] == 7
    assert result.read_text() == "[]"
    assert all(line.startswith('{"event"') for line in journal.read_text().splitlines())


def test_umask_and_working_directory_are_the_programs(pyinit: Pyinit, tmp_path: Path) -> None:
    wrapper = ("sh", "-c", 'umask 027; exec "$@"', "sh")
    assert pyinit.run("--", "sh", "-c", "umask; pwd", wrapper=wrapper, cwd=tmp_path)[1] == f"0027\n{tmp_path}\n"
