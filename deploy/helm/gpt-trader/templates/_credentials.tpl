{{/* Short names of every Secret of a release; docs/deploy/secrets.md lists what is in each. */}}
{{- define "gpt-trader.secretNames" -}}
{{- $names := list "bus-operator" "bus-risk-gate" "bus-executor" "bus-market-data" "bus-strategy" "bus-learning" "bus-lab" "bus-exchange-sim" "bus-provisioner" "bus-system" "bus-server" "gate" "public" "redis-operator" "redis-server" -}}
{{- if include "gpt-trader.ordersAreSimulated" . }}{{ $names = concat $names (list "exchange-sim" "venue-key") }}{{ end -}}
{{- toJson $names -}}
{{- end -}}
