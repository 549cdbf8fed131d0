"""Try every call that could give an ID or a capability of root back. Print what succeeded, then who we are."""

import ctypes
import itertools
import os

libc = ctypes.CDLL(None, use_errno=True)

CALLS = {
    "setuid": 1, "seteuid": 1, "setfsuid": 1, "setreuid": 2, "setresuid": 3,
    "setgid": 1, "setegid": 1, "setfsgid": 1, "setregid": 2, "setresgid": 3,
}  # fmt: skip
PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 28, 47, 2


def is_root_somewhere() -> bool:
    with open("/proc/self/status") as file:
        ids = [line.split()[1:] for line in file if line.startswith(("Uid:", "Gid:", "Groups:"))]
    return any("0" in each for each in ids)


for name, number in CALLS.items():
    for values in itertools.product((0, -1), repeat=number):
        getattr(libc, name)(*values)
        if is_root_somewhere():
            print("got", name, values)
for groups in ([0], [0, 27], [27], []):
    try:
        os.setgroups(groups)
        print("got setgroups", groups)
    except PermissionError:
        pass

header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # capset, version 3
everything = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
if libc.capset(header, everything) == 0:
    print("got capset")
for capability in range(41):
    if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0:
        print("got an ambient capability", capability)
if libc.prctl(PR_SET_SECUREBITS, 1, 0, 0, 0) == 0:
    print("got securebits")
libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
libc.setuid(0)

for path in ("/etc/passwd", "/etc/fixuid/config.yml", "/run/pyinit.matched", *(["/proc/1/mem"] * (os.getpid() != 1))):
    try:
        os.close(os.open(path, os.O_RDWR))
        print("got", path)
    except OSError:
        pass

with open("/proc/self/status") as file:
    capabilities = [int(line.split()[1], 16) for line in file if line.startswith(("CapPrm", "CapEff", "CapAmb"))]
print(os.getresuid(), os.getresgid(), "no capability" if not any(capabilities) else capabilities)
