{{/* Names and labels. */}}
{{- define "gpt-trader.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gpt-trader.selector" -}}
app.kubernetes.io/name: gpt-trader
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object; pods carry the selector alone, so that a new chart version restarts nothing by itself. */}}
{{- define "gpt-trader.labels" -}}
{{ include "gpt-trader.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* Image of one of our services: dict root, service (the image's name), own (an override). */}}
{{- define "gpt-trader.image" -}}
{{- $image := .root.Values.image -}}
{{- if .own -}}{{ .own }}{{- else -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ .service }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What all pods share: no token, no root, spread, placement. dict root, component, critical. */}}
{{- define "gpt-trader.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
serviceAccountName: {{ include "gpt-trader.fullname" .root }}-{{ .account | default .component }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if .critical }}
{{- with include "gpt-trader.priorityClass" .root }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gpt-trader.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.topologyKey }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/name: gpt-trader
        app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "gpt-trader.priorityClass" -}}
{{- if .Values.priorityClass.existing -}}{{ .Values.priorityClass.existing }}
{{- else if .Values.priorityClass.create -}}{{ include "gpt-trader.fullname" . }}
{{- end -}}
{{- end -}}

{{- define "gpt-trader.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}

{{/* Pod annotations: dict root, profile (text whose change restarts the pod), scraped. */}}
{{- define "gpt-trader.podAnnotations" -}}
checksum/configuration: {{ .profile | sha256sum }}
gpt-trader/credentials-rotation: {{ .root.Values.credentials.rotation | quote }}
{{- if .scraped }}
{{- include "gpt-trader.scrapeAnnotations" .root }}
{{- end }}
{{- end -}}

{{/* How a Prometheus without its operator finds the pod; none beside a PodMonitor, which would count everything twice. */}}
{{- define "gpt-trader.scrapeAnnotations" -}}
{{- if and .Values.metrics.podAnnotations (not .Values.metrics.podMonitor.enabled) }}
prometheus.io/scrape: "true"
prometheus.io/port: "8080"
prometheus.io/path: /metrics
{{- end }}
{{- end -}}

{{/* Addresses. */}}
{{- define "gpt-trader.natsUrl" -}}
{{ .Values.nats.external.url | default (printf "nats://%s-nats:4222" (include "gpt-trader.fullname" .)) }}
{{- end -}}

{{- define "gpt-trader.natsMonitorUrl" -}}
{{ ternary .Values.nats.external.monitorUrl (printf "http://%s-nats:8222" (include "gpt-trader.fullname" .)) (ne .Values.nats.external.url "") }}
{{- end -}}

{{- define "gpt-trader.redisUrl" -}}
{{ .Values.redis.external.url | default (printf "redis://%s-redis:6379" (include "gpt-trader.fullname" .)) }}
{{- end -}}

{{- define "gpt-trader.exchange" -}}
{{ include "gpt-trader.fullname" . }}-exchange-sim:8443
{{- end -}}

{{/* Whether orders go to the simulated exchange; empty = no. In paper its prices are the real venue's. */}}
{{- define "gpt-trader.ordersAreSimulated" -}}
{{- if has .Values.mode (list "demo" "paper") -}}true{{- end -}}
{{- end -}}

{{/* Whether there are workers, or an autoscaler that makes some; empty = no. */}}
{{- define "gpt-trader.hasLab" -}}
{{- if or .Values.lab.autoscaling.enabled (gt (int .Values.lab.workers) 0) -}}true{{- end -}}
{{- end -}}

{{/* Whether KEDA must be able to ask the bus in the cluster; empty = no. */}}
{{- define "gpt-trader.kedaAsks" -}}
{{- if and .Values.lab.autoscaling.enabled (eq .Values.lab.autoscaling.kind "keda") (not .Values.nats.external.url) -}}true{{- end -}}
{{- end -}}

{{/* Whose orders and balances a journal is about: the demo's are in another time than paper's. */}}
{{- define "gpt-trader.venueKind" -}}
{{ get (dict "demo" "simulated" "paper" "paper") .Values.mode | default "real" }}
{{- end -}}

{{- define "gpt-trader.venueSecret" -}}
{{- if include "gpt-trader.ordersAreSimulated" . -}}{{ include "gpt-trader.fullname" . }}-venue-key{{- else -}}{{ .Values.venue.existingSecret }}{{- end -}}
{{- end -}}

{{/* A service's metadata name: market-data has one per shard. */}}
{{- define "gpt-trader.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 90
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 3
{{- end -}}

{{/* Wait for the bus before the service starts: dict root, zone, image. */}}
{{- define "gpt-trader.awaitBus" -}}
- name: await-bus
  image: {{ .image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [python3, -m, gpt_trader.runtime.infrastructure.await_bus]
  args:
    - --zone={{ .zone }}
    - --nats-url={{ include "gpt-trader.natsUrl" .root }}
    - --nats-seed-file=/var/run/gpt-trader/bus/seed
  {{- include "gpt-trader.containerSecurity" . | nindent 2 }}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {cpu: "1", memory: 256Mi}
  volumeMounts:
    - {name: bus, mountPath: /var/run/gpt-trader/bus, readOnly: true}
    - {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* Volumes and mounts that all five services have: dict root, zone, configuration (a ConfigMap's name). */}}
{{- define "gpt-trader.mounts" -}}
- {name: configuration, mountPath: /etc/gpt-trader, readOnly: true}
- {name: bus, mountPath: /var/run/gpt-trader/bus, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "gpt-trader.busVolume" -}}
- name: bus
  secret:
    secretName: {{ include "gpt-trader.fullname" .root }}-bus-{{ .zone }}
    defaultMode: 0440
    optional: true
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end -}}

{{- define "gpt-trader.configurationVolume" -}}
- name: configuration
  configMap:
    name: {{ include "gpt-trader.fullname" .root }}-{{ .service }}
{{- end -}}

{{- define "gpt-trader.publicVolume" -}}
- name: public
  secret:
    secretName: {{ include "gpt-trader.fullname" . }}-public
    defaultMode: 0440
    optional: true
{{- end -}}

{{/* The demo's clock: all pods take the moment of the first install. dict root, prefix. */}}
{{- define "gpt-trader.clock" -}}
{{- if eq .root.Values.mode "demo" }}
{{- $public := printf "%s-public" (include "gpt-trader.fullname" .root) }}
env:
  - name: {{ .prefix }}_CLOCK_ORIGIN
    valueFrom: {secretKeyRef: {name: {{ $public }}, key: clock-origin}}
  - name: {{ .prefix }}_CLOCK_START
    valueFrom: {secretKeyRef: {name: {{ $public }}, key: clock-origin}}
{{- end }}
{{- end -}}

{{- define "gpt-trader.claim" -}}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .root.Values.persistence.storageClass }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources: {requests: {storage: {{ .size }}}}
{{- end -}}
