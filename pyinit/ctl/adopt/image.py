"""What an image says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyinit.ctl.options import CannotLook

# ONBUILD, as an image's history has it where the engine tells nothing else (podman).
_ON_BUILD = re.compile(r"(?:^|\s)ONBUILD\s+(\S.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Image:
    """An image: its configuration (OCI image-spec, config.md), and what Docker's own format has besides."""

    name: str  # as FROM names it
    id: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    user: str  # USER as it was written, "" for root
    stop_signal: str  # as it was written, "" for none
    environment: dict[str, str]
    directory: str  # WORKDIR
    volumes: tuple[str, ...]
    system: str  # such as linux
    architecture: str  # such as amd64, as Go names it
    has_health_check: bool
    on_build: tuple[str, ...]
    on_build_is_certain: bool  # False where they may be those of an image that it was made from
    is_dockers_format: bool  # which has HEALTHCHECK and SHELL; OCI's has not

    @property
    def command(self) -> tuple[str, ...]:
        """What a container starts."""
        return self.entrypoint + self.cmd

    @property
    def runs_as_root(self) -> bool:
        return self.user.partition(":")[0] in ("", "0", "root")


def read(name: str, told: dict[str, Any]) -> Image:
    """An image as `docker image inspect` or `podman image inspect` tells of it. Raises CannotLook."""
    config = told.get("Config") or {}
    entrypoint = config.get("Entrypoint") or []
    triggers = tuple(config.get("OnBuild") or ())
    is_podmans = "ManifestType" in told
    return Image(
        name=name_for_from(name, told),
        id=told["Id"],
        entrypoint=() if entrypoint == [""] else tuple(entrypoint),  # [""] says: none
        cmd=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        stop_signal=config.get("StopSignal") or "",
        environment=dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry),
        directory=config.get("WorkingDir") or "/",
        volumes=tuple(config.get("Volumes") or ()),
        system=told.get("Os") or "linux",
        architecture=told.get("Architecture") or "",
        has_health_check=bool(config.get("Healthcheck") or told.get("Healthcheck") or told.get("HealthCheck")),
        on_build=triggers or (triggers_of_history(told) if is_podmans else ()),
        on_build_is_certain=not is_podmans,
        is_dockers_format=not is_podmans or "docker" in str(told["ManifestType"]),
    )


def triggers_of_history(told: dict[str, Any]) -> tuple[str, ...]:
    found = (_ON_BUILD.search(str(each.get("created_by", ""))) for each in told.get("History") or ())
    return tuple(each[1] for each in found if each)


def name_for_from(name: str, told: dict[str, Any]) -> str:
    """A name for FROM, which builders look up in a registry if it is an image's number. Raises CannotLook."""
    number = name.removeprefix("sha256:")
    if not (re.fullmatch("[0-9a-f]+", number) and told["Id"].removeprefix("sha256:").startswith(number)):
        return name
    tags: list[str] = told.get("RepoTags") or []
    if not tags:
        raise CannotLook(f"IMAGE: {name!r} has no name that FROM could take: give it one with `tag`")
    return tags[0]
