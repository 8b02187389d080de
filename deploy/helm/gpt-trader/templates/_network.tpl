{{/* Peers of NetworkPolicies. */}}
{{- define "gpt-trader.peer" -}}
podSelector: {matchLabels: {app.kubernetes.io/name: gpt-trader, app.kubernetes.io/instance: {{ .root.Release.Name }}, app.kubernetes.io/component: {{ .component }}}}
{{- end -}}

{{- define "gpt-trader.toDns" -}}
- to: {{ toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{- define "gpt-trader.toPod" -}}
- to:
    - {{ include "gpt-trader.peer" . }}
  ports:
    - {port: {{ .port }}, protocol: TCP}
{{- end -}}

{{- define "gpt-trader.toAddresses" -}}
- to:
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . }}{{ with $.except }}, except: {{ toJson . }}{{ end }}}
    {{- end }}
  ports:
    - {port: {{ .port }}, protocol: TCP}
{{- end -}}

{{- define "gpt-trader.toBus" -}}
{{- if .Values.nats.external.url }}
{{- include "gpt-trader.toAddresses" (dict "cidrs" .Values.nats.external.cidrs "port" .Values.nats.external.port) }}
{{- else }}
{{- include "gpt-trader.toPod" (dict "root" . "component" "nats" "port" 4222) }}
{{- end }}
{{- end -}}

{{- define "gpt-trader.toExchange" -}}
{{- include "gpt-trader.toPod" (dict "root" . "component" "exchange-sim" "port" 8443) }}
{{- end -}}

{{- define "gpt-trader.toRealVenue" -}}
{{- include "gpt-trader.toAddresses" (dict "cidrs" .Values.networkPolicy.venue.cidrs "except" .Values.networkPolicy.venue.except "port" .Values.networkPolicy.venue.port) }}
{{- end -}}

{{- define "gpt-trader.toTraces" -}}
{{- if .Values.telemetry.otlpEndpoint }}
- to: {{ toYaml .Values.networkPolicy.otlpTo | nindent 4 }}
  ports:
    - {port: {{ .Values.networkPolicy.otlpPort }}, protocol: TCP}
{{- end }}
{{- end -}}

{{- define "gpt-trader.fromScraper" -}}
- from: {{ toYaml .Values.networkPolicy.metricsFrom | nindent 4 }}
  ports:
    - {port: 8080, protocol: TCP}
{{- end -}}

{{- define "gpt-trader.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "gpt-trader.fullname" .root }}-{{ .component }}
  labels: {{ include "gpt-trader.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{ include "gpt-trader.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}
