"""The program gets the bytes that the kernel gave us: words in every locale, and any entry of the environment."""

import ctypes
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import Pyinit

SHOW_WORDS = ["/usr/bin/python3", "-ISc", "open(1, 'wb').write(open('/proc/self/cmdline', 'rb').read())"]
SHOW_ENVIRONMENT = ["/usr/bin/python3", "-ISc", "open(1, 'wb').write(open('/proc/self/environ', 'rb').read())"]
EVERY_BYTE = bytes(range(1, 256))
LOCALES = {
    "ja_JP.EUC-JP": "euc_jp",
    "ja_JP.SHIFT_JIS": "shift_jis",
    "zh_TW.BIG5": "big5",
    "ru_RU.KOI8-R": "koi8-r",
    "de_DE.ISO-8859-1": "iso8859-1",
}


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("locales")
    for name in LOCALES:
        language, charmap = name.split(".")
        command = ["localedef", "-i", language, "-f", charmap, "--no-warnings=ascii", str(directory / name)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        except FileNotFoundError:
            if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
                pytest.fail("no localedef (the package locales)")
            pytest.skip("no localedef (the package locales)")
        assert (directory / name).is_dir(), done.stderr
    return directory


def in_locale(locales: Path, name: str) -> "dict[str, str]":
    environment = {"PATH": os.environ["PATH"], "LOCPATH": str(locales), "LC_ALL": name}
    command = ["/usr/bin/python3", "-ISc", "import sys; print(sys.getfilesystemencoding())"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.strip() == LOCALES[name]
    return environment


@pytest.mark.parametrize("name", LOCALES)
@pytest.mark.parametrize("options", [[], ["-r", "TERM:INT"], ["--exec"]], ids=" ".join)
@pytest.mark.parametrize("by_interpreter", [False, True])
def test_f70_words_are_bytes_in_every_locale(
    pyinit: Pyinit, locales: Path, name: str, options: "list[str]", by_interpreter: bool
) -> None:
    """Every pair of bytes of the kind that two-byte encodings have, some of which mean the same character."""
    pairs = [bytes((first, second)) for first in range(0x81, 0xFF, 2) for second in range(0x40, 0xFF, 3)]
    words = [*[os.fsencode(word) for word in SHOW_WORDS], "日本語 ü".encode(), EVERY_BYTE, *pairs]
    start = pyinit.started_by("/usr/bin/python3") if by_interpreter else [str(pyinit.file)]
    command: "list[str | bytes]" = [*start, *options, "--", *words]
    done = subprocess.run(
        command, env=in_locale(locales, name), capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"".join([word + b"\0" for word in words])


@pytest.mark.parametrize("name", ["ja_JP.EUC-JP", "zh_TW.BIG5"])
def test_f70_a_path_in_a_file_system_of_another_encoding_is_found(
    pyinit: Pyinit, locales: Path, tmp_path: Path, name: str
) -> None:
    """Of options, too, and of what a directory lists."""
    directory = os.fsencode(tmp_path) + "/日本語\xa1".encode("latin-1", "ignore") + b"\xe6\x97\xa5\xff"
    os.mkdir(directory)
    with open(directory + b"/VALUE", "wb") as file:
        file.write(b"\xe6\x97\xa5\n")
    command = [os.fsencode(pyinit.file), b"--secrets=" + directory, b"--", b"sh", b"-c", b'echo "$VALUE"']
    done = subprocess.run(command, env=in_locale(locales, name), capture_output=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xe6\x97\xa5\n", b"")


def test_f70_signals_are_as_they_were_in_such_a_locale(pyinit: Pyinit, locales: Path) -> None:
    """The interpreter is started twice there, and the mask has to come through."""
    environment = in_locale(locales, "ja_JP.EUC-JP")
    # glibc's posix_spawn ignores 32 and 33 in what it starts, which are its own.
    show = ["sh", "-c", "sed -nE 's/^(Sig(Blk|Ign)):.*(.{8})$/\\1 \\3/p' /proc/self/status | sed 's/ 8/ 0/'"]
    wrapper = ["env", "--block-signal=USR1", "--ignore-signal=USR2"]
    expected = subprocess.run([*wrapper, *show], capture_output=True, text=True, env=environment).stdout
    assert pyinit.run("--", *show, wrapper=tuple(wrapper), env=environment) == (0, expected, "")
    plain = subprocess.run(show, capture_output=True, text=True, env=environment).stdout
    assert pyinit.run("--", *show, env=environment) == (0, plain, "")


def run_with(entries: "list[bytes]", *command: "str | os.PathLike[str]") -> "subprocess.CompletedProcess[bytes]":
    """Run a command with an environment of exactly these entries."""
    words = [os.fsencode(word) for word in command]

    def start() -> None:
        ctypes.CDLL(None).execve(
            words[0],
            (ctypes.c_char_p * (len(words) + 1))(*words),
            (ctypes.c_char_p * (len(entries) + 1))(*entries),
        )

    return subprocess.run(["/bin/false"], preexec_fn=start, capture_output=True, stdin=subprocess.DEVNULL, check=False)


ODD = [
    b"PATH=/usr/bin:/bin",
    b"A=1",
    b"no-equals-sign",
    b"A=2",
    b"=x",
    b"=",
    b"",
    b"B=b=c",
    b"C=",
    b"\xff=\xfe",
    b"A=3",
]


@pytest.mark.parametrize("options", [[], ["--exec"], ["--session"], ["-s"]], ids=" ".join)
def test_f71_every_entry_of_the_environment_reaches_the_program(every_pyinit: Pyinit, options: "list[str]") -> None:
    done = run_with(ODD, every_pyinit.file, *options, "--", *SHOW_ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split(b"\0")[:-1] == ODD


@pytest.mark.parametrize("entry", [b"=", b"=x", b"no-equals-sign", b"A=1"])
def test_f71_one_odd_entry_does_too(pyinit: Pyinit, entry: bytes) -> None:
    entries = [b"PATH=/usr/bin:/bin", b"A=0", entry]
    done = run_with(entries, pyinit.file, "--", *SHOW_ENVIRONMENT)
    assert (done.returncode, done.stdout.split(b"\0")[:-1], done.stderr) == (0, entries, b"")


def test_f71_what_an_option_changes_is_changed_and_the_rest_stays(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "A").write_text("secret")
    entries = [*ODD, b"HOME=/root", b"B_FILE=/no/such"]
    options = ["--secrets", tmp_path, "-u", "65534:65534"]
    done = run_with(entries, pyinit.file, *map(str, options), "--", *SHOW_ENVIRONMENT)
    got = done.stdout.split(b"\0")[:-1]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [entry for entry in got if entry[:2] == b"A="] == [b"A=secret"]
    assert {entry.partition(b"=")[0] for entry in got if entry not in entries} == {
        b"A",
        b"HOME",
        b"USER",
        b"LOGNAME",
        b"SHELL",
    }
    assert [entry for entry in ODD if entry[:2] != b"A="] == [entry for entry in got if entry in ODD]


def test_f71_a_coerced_locale_is_not_passed_on(pyinit: Pyinit) -> None:
    """The interpreter sets LC_CTYPE in the C locale (PEP 538)."""
    some: "tuple[list[bytes], ...]" = (
        [b"PATH=/bin"],
        [b"PATH=/bin", b"LC_CTYPE=C"],
        [b"PATH=/bin", b"odd"],
        [b"odd", b"LC_CTYPE=C.UTF-8"],
    )
    for entries in some:
        done = run_with(entries, pyinit.file, "--", *SHOW_ENVIRONMENT)
        assert (done.returncode, done.stdout.split(b"\0")[:-1], done.stderr) == (0, entries, b"")


def test_a_name_that_the_locale_cannot_hold_is_told_all_the_same(pyinit: Pyinit, locales: Path, tmp_path: Path) -> None:
    """The journal is UTF-8 in every locale (RFC 8259), and what /proc says is what it was in the log."""
    tool = tmp_path / "日本"
    tool.symlink_to("/bin/sleep")
    journal = tmp_path / "journal"
    script = f"'{tool}' 1000 & (exec '{tool}' 0 & ); exit 3"
    command = ["--grace", "1", "-w", "--events", str(journal), "--", "sh", "-c", script]
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", str(pyinit.file), *command, b"caf\xe9"],
        env=in_locale(locales, "de_DE.ISO-8859-1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert "(日本)".encode() in done.stderr
    found = [json.loads(line) for line in journal.read_bytes().decode().splitlines()]
    assert "日本" in [event.get("command") for event in found if event["event"] == "reaped"]
    assert found[-1]["event"] == "ended"
    assert any(word in str(found[0]) for word in ("café", "caf\\udce9"))  # the standalone file is UTF-8's
