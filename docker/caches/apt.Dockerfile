# The cache of Debian packages: apt-cacher-ng. See README.md beside this file.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
# The package asks the network for Ubuntu's mirrors, which acng.conf has no use for, unless it finds a list of them.
RUN install -D /dev/null /var/lib/apt-cacher-ng/backends_ubuntu.default \
    && export DEBIAN_FRONTEND=noninteractive && apt-get update \
    && apt-get install -y --no-install-recommends apt-cacher-ng ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
COPY acng.conf /etc/apt-cacher-ng/
RUN ln -s /dev/stdout /var/log/apt-cacher-ng/apt-cacher.log && ln -s /dev/stderr /var/log/apt-cacher-ng/apt-cacher.err
COPY pyinit /pyinit
VOLUME /var/cache/apt-cacher-ng
EXPOSE 3142
ENTRYPOINT ["/pyinit", "--user", "apt-cacher-ng", "--"]
CMD ["sh", "-c", "exec apt-cacher-ng -c /etc/apt-cacher-ng ${http_proxy:+Proxy=$http_proxy}"]
