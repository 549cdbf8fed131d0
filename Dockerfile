# An image that has pyinit's file and nothing else, for others to copy it from: `COPY --from=pyinit /pyinit /pyinit`.
ARG BASE=python:3.13-slim

# The interpreter that will run the file builds it: its path is the first line, and the byte code is for it.
FROM ${BASE} AS build
COPY pyinit /src/pyinit
WORKDIR /src
RUN python3 -m pyinit.ctl.make /pyinit

FROM scratch
COPY --from=build /pyinit /pyinit
