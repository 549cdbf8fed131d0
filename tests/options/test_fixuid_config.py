"""fixuid's configuration: what each format says, and one clear line for everything else."""

import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyinit.options import fixuid_config
from pyinit.tell.text import printable


@pytest.mark.parametrize(
    ("text", "user", "paths"),
    [
        ("user: dev\ngroup: staff\n", "dev", ()),
        ("group: staff\nuser: dev", "dev", ()),
        ("---\n# a comment\n\nuser: dev # another\n  # and one\ngroup: staff\r\n", "dev", ()),
        ("user: 'dev'\ngroup:   \"staff\"   # comment\n", "dev", ()),
        ("user: 1000\ngroup: staff\n", "1000", ()),
        ("user : a-b.c_d\ngroup: staff\n", "a-b.c_d", ()),
        ("\ufeffuser: dev\ngroup: staff\n", "dev", ()),
        ("user: dev\ngroup: staff\npaths:\n  - /home/dev\n  - /tmp\n", "dev", ("/home/dev", "/tmp")),
        ("user: dev\npaths:\n- /home/dev\n- /tmp # comment\ngroup: staff\n", "dev", ("/home/dev", "/tmp")),
        ("user: dev\ngroup: staff\npaths: # below\n\n    - '/a # b'\n    - \"/it's\"\n", "dev", ("/a # b", "/it's")),
        ("user: dev\ngroup: staff\npaths: [/, '/a,b', \"/c]\"] # both\n", "dev", ("/", "/a,b", "/c]")),
        ("user: dev\ngroup: staff\npaths: [ /a b , /c:d ]\n", "dev", ("/a b", "/c:d")),
        ("user: dev\ngroup: staff\npaths:\n  - /ä#b\n", "dev", ("/ä#b",)),
    ],
)
def test_yaml_that_such_files_use(text: str, user: str, paths: "tuple[str, ...]") -> None:
    assert fixuid_config.parse("config.yml", text.encode()) == (user, "staff", paths)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("user: dev\n  group: dev\n", 2),
        ("user: dev\nuser: node\n", 2),
        ("user: dev\ngroup: dev\npaths:\n  - /a\n    - /b\n", 5),
        ("user: dev\ngroup: dev\n- /a\n", 3),
        ("- /a\n", 1),
        ("user: &anchor dev\n", 1),
        ("user: |\n  dev\n", 1),
        ("user: {a: b}\n", 1),
        ("user: !!str dev\n", 1),
        ("user: 'dev\n", 1),
        ("user: 'dev' x\n", 1),
        ("user: 'dev'#x\n", 1),
        ("user: 'it''s'\n", 1),
        ('user: "a\\tb"\n', 1),
        ("user: a: b\n", 1),
        ("user:dev\n", 1),
        ("user\n", 1),
        ("user:\tdev\n", 1),
        ("user: d\x00v\n", 1),
        ("user: dev\ngroup: dev\npaths: [/a\n", 3),
        ("user: dev\ngroup: dev\npaths: [/a, [/b]]\n", 3),
        ("user: dev\ngroup: dev\npaths: []\n", 3),
        ("user: dev\ngroup: dev\n---\nuser: node\n", 3),
        ("user: dev\ngroup: dev\n...\n", 3),
    ],
)
def test_other_yaml_is_one_line_with_its_number(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=f"^line {line}: "):
        fixuid_config.parse("config.yml", text.encode())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "has to say"),
        ({}, "'user'"),
        ({"user": "dev"}, "'group'"),
        ({"group": "dev"}, "'user'"),
        ({"user": "", "group": "dev"}, "'user'"),
        ({"user": 1000, "group": "dev"}, "'user'"),
        ({"user": ["dev"], "group": "dev"}, "'user'"),
        ({"user": "a\nb", "group": "dev"}, "'user'"),
        ({"user": "\ud800", "group": "dev"}, "'user'"),
        ({"user": "dev", "group": "dev", "path": ["/"]}, "'path'"),
        ({"user": "dev", "group": "dev", "paths": "/"}, "'paths'"),
        ({"user": "dev", "group": "dev", "paths": []}, "'paths'"),
        ({"user": "dev", "group": "dev", "paths": ["home"]}, "'paths'"),
        ({"user": "dev", "group": "dev", "paths": ["/a", ""]}, "'paths'"),
        ({"user": "dev", "group": "dev", "paths": ["/a\0"]}, "'paths'"),
        ({"user": "dev", "group": "dev", "paths": [["/a"]]}, "'paths'"),
    ],
)
def test_what_is_missing_or_of_the_wrong_kind_is_named(content: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fixuid_config.parse("config.json", json.dumps(content).encode())


NAMES = ["config.yml", "config.json", *(["config.toml"] if sys.version_info >= (3, 11) else [])]
PIECES = ["user", "group", "paths", ":", ": ", "\n", "- ", "/a", "[", "]", "{", "}", '"', "'", "#", ",", "\\", "=", " "]
TEXTS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode(errors="replace")),
    st.lists(st.sampled_from([*PIECES, "é", "\0", "\t", "\ud800"]), max_size=40).map(
        lambda pieces: b"user: dev\ngroup: dev\n" + "".join(pieces).encode(errors="surrogatepass")
    ),
)


@pytest.mark.parametrize("name", NAMES)
@given(data=TEXTS)
@example(data=b"[" * 60000)
@example(data=b'{"user":' * 9000)
@example(data=b"user = " + b"[" * 60000)
@example(data=b'{"user": ' + b"1" * 60000 + b"}")
def test_any_file_is_understood_or_one_clear_line(name: str, data: bytes) -> None:
    try:
        user, group, paths = fixuid_config.parse(name, data)
    except ValueError as error:
        message = printable(str(error))
        assert message
        assert "\n" not in message
        assert len(message) < 500
    else:
        assert user.isprintable() and group.isprintable() and user and group
        assert all(path.startswith("/") and path.isprintable() for path in paths)


PLAIN = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="'\"\\"), min_size=1).filter(
    str.isprintable
)


@given(
    user=PLAIN,
    group=PLAIN,
    paths=st.lists(PLAIN.map(lambda text: "/" + text), min_size=1),
    quote=st.sampled_from("'\""),
)
def test_all_formats_say_the_same(user: str, group: str, paths: "list[str]", quote: str) -> None:
    content = {"user": user, "group": group, "paths": paths}
    quoted = [quote + path + quote for path in paths]
    head = f"user: {quote}{user}{quote}\ngroup: {quote}{group}{quote}\npaths:"
    files = {
        "config.json": json.dumps(content),
        "config.yml": head + f" [{', '.join(quoted)}]",
        "config.yaml": head + "".join(f"\n  - {path}" for path in quoted),
    }
    if sys.version_info >= (3, 11):
        files["config.toml"] = f'user = "{user}"\ngroup = "{group}"\npaths = {json.dumps(paths, ensure_ascii=False)}'
    for name, text in files.items():
        assert fixuid_config.parse(name, text.encode()) == (user, group, tuple(paths))
