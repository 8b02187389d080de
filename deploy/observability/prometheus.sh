#!/bin/sh
# Runs a local Prometheus that scrapes the running stack, until Ctrl-C; its data stays in var/prometheus.
set -eu
cd "$(dirname "$0")/../.."
command -v prometheus >/dev/null || {
    echo "prometheus is not on PATH: install Debian's package \`prometheus\` (or any build of Prometheus 2.40 or later)" >&2
    exit 2
}
[ -f var/run/prometheus-targets.json ] || echo "no stack runs in var/run: waiting until \`make run\` starts one" >&2
until [ -f var/run/prometheus-targets.json ]; do sleep 1; done
listen="127.0.0.1:${PROMETHEUS_PORT:-9090}"
echo "Prometheus: http://$listen (alerts: http://$listen/alerts); Ctrl-C ends it"
exec prometheus --config.file=deploy/observability/prometheus.yml --storage.tsdb.path=var/prometheus \
    --storage.tsdb.retention.time=1d --web.listen-address="$listen" --log.level=warn
