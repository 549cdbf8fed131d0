# The cache of PyPI packages: proxpi. See README.md beside this file.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN dpkg -s ca-certificates python3-venv >/dev/null \
    || { apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv; }
RUN python3 -m venv /opt/proxpi && /opt/proxpi/bin/pip install --no-cache-dir proxpi==1.3.1 gunicorn==23.0.0
RUN useradd --system proxpi && install -d -o proxpi -g proxpi /var/cache/proxpi
COPY pyinit /pyinit
VOLUME /var/cache/proxpi
EXPOSE 5000
# DEBUG says which file is downloaded. One that takes longer than 60 s is left to the client, which is sent to its source.
ENV PROXPI_CACHE_DIR=/var/cache/proxpi PROXPI_DOWNLOAD_TIMEOUT=60 PROXPI_LOGGING_LEVEL=DEBUG \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
ENTRYPOINT ["/pyinit", "--user", "proxpi", "--"]
# One worker: the index is in its memory.
CMD ["/opt/proxpi/bin/gunicorn", "--bind=0.0.0.0:5000", "--threads=8", "--timeout=120", "--access-logfile=-", \
     "--access-logformat=%(h)s %(m)s %(U)s %(s)s", "proxpi.server:app"]
