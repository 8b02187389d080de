{{/* What each service is told: app.yaml of one service, the section all share and its own. */}}
{{- define "gpt-trader.profile.runtime" -}}
runtime:
  nats_url: {{ include "gpt-trader.natsUrl" . }}
  nats_seed_file: /var/run/gpt-trader/bus/seed
  health_host: 0.0.0.0
  health_port: 8080
  log_level: {{ .Values.telemetry.logLevel }}
  log_format: json
  {{- with .Values.telemetry.otlpEndpoint }}
  otlp_endpoint: {{ . }}
  {{- end }}
  {{- if eq .Values.mode "demo" }}
  clock_rate: {{ .Values.exchangeSim.clockRate }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.profile.risk-gate" -}}
{{- $simulated := include "gpt-trader.ordersAreSimulated" . | eq "true" -}}
{{ include "gpt-trader.profile.runtime" . }}
risk-gate:
  mode: {{ .Values.mode }}
  {{- if eq .Values.mode "live" }}
  confirm_live: {{ .Values.confirmLive | quote }}
  {{- end }}
  policy_file: /etc/gpt-trader/policy.yaml
  journal_dir: /var/lib/gpt-trader/journal
  signing_seed_file: /var/run/gpt-trader/gate/signing.seed
  key_id: gate-1
  egress_host: 0.0.0.0
  egress_port: 8443
  egress_certificate_file: /var/run/gpt-trader/gate/egress.crt
  egress_key_file: /var/run/gpt-trader/gate/egress.key
  venue_rest: {{ ternary (include "gpt-trader.exchange" .) .Values.venue.rest $simulated }}
  venue_ws: {{ ternary (printf "wss://%s" (include "gpt-trader.exchange" .)) .Values.venue.userChannel $simulated }}
  {{- if $simulated }}
  venue_ca_file: /var/run/gpt-trader/public/venue-ca.pem
  {{- else if .Values.venue.authority }}
  venue_ca_file: /etc/gpt-trader/venue-ca.pem
  {{- end }}
  cdp_key_file: /var/run/gpt-trader/gate/cdp_key.json
  redis_url: {{ include "gpt-trader.redisUrl" . }}
  redis_password_file: /var/run/gpt-trader/gate/redis.password
  nats_monitor_url: {{ include "gpt-trader.natsMonitorUrl" . }}
  kill_file: /etc/gpt-trader/KILL
  start_halted: {{ .Values.riskGate.startHalted }}
  reconcile_seconds: {{ .Values.riskGate.reconcileSeconds }}
  min_free_megabytes: {{ .Values.riskGate.minFreeMegabytes }}
  {{- with .Values.riskGate.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.profile.executor" -}}
{{ include "gpt-trader.profile.runtime" . }}
executor:
  egress: {{ include "gpt-trader.fullname" . }}-risk-gate-egress:8443
  egress_ca_file: /var/run/gpt-trader/public/egress-ca.crt
  gate_public_key_file: /var/run/gpt-trader/public/gate.pub
  gate_key_id: gate-1
  journal_dir: /var/lib/gpt-trader/journal
  reconcile_seconds: {{ .Values.executor.reconcileSeconds }}
  cancel_entries_on_exit: {{ .Values.executor.cancelEntriesOnExit }}
  drain_seconds: {{ .Values.executor.drainSeconds }}
  {{- with .Values.executor.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.profile.market-data" -}}
{{- $demo := eq .Values.mode "demo" -}}
{{ include "gpt-trader.profile.runtime" . }}
market-data:
  venue_rest: {{ printf "https://%s" (ternary (include "gpt-trader.exchange" .) .Values.venue.rest $demo) }}
  venue_ws: {{ ternary (printf "wss://%s" (include "gpt-trader.exchange" .)) .Values.venue.feed $demo }}
  {{- if $demo }}
  venue_ca_file: /var/run/gpt-trader/public/venue-ca.pem
  {{- else if .Values.venue.authority }}
  venue_ca_file: /etc/gpt-trader/venue-ca.pem
  {{- end }}
  universe_file: /etc/gpt-trader/universe.yaml
  intervals: {{ .Values.marketData.intervals | toJson }}
  history_candles: {{ .Values.marketData.historyCandles }}
  shard_count: {{ .Values.marketData.shards }}
  {{- with .Values.marketData.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.profile.strategy" -}}
{{ include "gpt-trader.profile.runtime" . }}
strategy:
  strategies: {{ .Values.strategy.strategies | toJson }}
  signal_ttl: {{ .Values.strategy.signalTtlSeconds }}
  shard_count: {{ .Values.strategy.shards }}
  {{- with .Values.strategy.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.profile.learning" -}}
{{ include "gpt-trader.profile.runtime" . }}
learning:
  store_dir: /var/lib/gpt-trader/store
  batch_seconds: {{ .Values.learning.batchSeconds }}
  taker_fee_bps: {{ .Values.learning.takerFeeBps }}
  {{- with .Values.learning.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.profile.lab" -}}
{{ include "gpt-trader.profile.runtime" . }}
lab:
  piece_seconds: {{ .Values.lab.pieceSeconds }}
  {{- with .Values.lab.settings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "gpt-trader.universe" -}}
products:
{{- range .Values.products }}
  {{ .id }}: {{ .tier }}
{{- end }}
{{- end -}}

{{- define "gpt-trader.policy" -}}
{{ .Values.policy.content | default (.Files.Get (printf "files/policies/%s.yaml" .Values.policy.profile)) }}
{{- end -}}

{{- define "gpt-trader.natsConf" -}}
{{ .Files.Get "files/nats.conf" }}
{{- if gt (int .Values.nats.replicas) 1 }}
{{- $name := include "gpt-trader.fullname" . -}}
cluster {
  name: gpt-trader
  listen: "0.0.0.0:6222"
  routes: [
{{- range until (int .Values.nats.replicas) }}
    "nats://{{ $name }}-nats-{{ . }}.{{ $name }}-nats-peers:6222"
{{- end }}
  ]
}
{{ end }}
{{- end -}}
