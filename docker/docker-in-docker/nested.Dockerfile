# An engine of its own, without root's rights on the host: rootless podman. See README.md beside this file.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends busybox-static crun libcap2-bin podman python3 uidmap \
    && rm -rf /var/lib/apt/lists/*
# A set-user-ID newuidmap may not write the map of another user's namespace; with a capability it stays that user.
RUN chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap \
    && setcap cap_setuid+ep /usr/bin/newuidmap && setcap cap_setgid+ep /usr/bin/newgidmap
RUN useradd --create-home --shell /bin/bash --uid 10000 dev \
    && echo dev:100000:65536 >/etc/subuid && echo dev:100000:65536 >/etc/subgid
COPY containers.conf storage.conf /etc/containers/
# What a small image can be made of, for trying it out without an image registry.
RUN install -D -t /busybox /bin/busybox \
    && printf 'FROM scratch\nCOPY busybox /busybox\nENTRYPOINT ["/busybox"]\n' >/busybox/Dockerfile
# Layers cannot be kept on layers: the store is a volume, on the host's file system.
RUN install -d -o dev -g dev /home/dev/.local /home/dev/.local/share /home/dev/.local/share/containers
VOLUME /home/dev/.local/share/containers
COPY pyinit /pyinit
WORKDIR /home/dev
ENTRYPOINT ["/pyinit", "--user", "dev", "--"]
CMD ["bash"]
