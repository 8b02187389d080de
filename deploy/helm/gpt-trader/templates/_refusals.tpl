{{/* What the schema can not say: combinations that would trade where nobody asked for it, or never start. */}}
{{- define "gpt-trader.refusals" -}}
{{- $v := .Values -}}
{{- if and (eq $v.mode "live") (ne $v.confirmLive "YES") -}}
{{- fail "mode: live trades real money: it needs confirmLive: \"YES\" (--set confirmLive=YES). Look at the balance with `gpt-trader preflight` first." -}}
{{- end -}}
{{- if and (ne $v.mode "live") (ne $v.confirmLive "") -}}
{{- fail (printf "confirmLive is %q but mode is %s: leave it empty, or set mode: live if you mean it." $v.confirmLive $v.mode) -}}
{{- end -}}
{{- $simulated := include "gpt-trader.ordersAreSimulated" . -}}
{{- if and (not $simulated) (not $v.venue.existingSecret) -}}
{{- fail (printf "mode: %s needs venue.existingSecret: the name of a Secret with the key cdp_key.json (kubectl create secret generic coinbase --from-file=cdp_key.json=…). The chart takes no key as a value." $v.mode) -}}
{{- end -}}
{{- if and $simulated $v.venue.existingSecret -}}
{{- fail (printf "venue.existingSecret is set but mode is %s, which needs no key: remove it, or set mode: dry_run." $v.mode) -}}
{{- end -}}
{{- if and (eq $v.mode "demo") $v.venue.authority -}}
{{- fail "venue.authority is set but mode is demo, which has an exchange and an authority of its own: remove it, or set mode: paper." -}}
{{- end -}}
{{- if and (eq $v.mode "live") (eq $v.policy.profile "demo") (not $v.policy.content) -}}
{{- fail "mode: live with policy.profile: demo: those limits are for the simulated exchange. Choose canary, prod or spot, or give policy.content." -}}
{{- end -}}
{{- with $v.policy.content -}}
{{- $given := fromYaml . -}}
{{- if or (hasKey $given "Error") (not $given) -}}
{{- fail "policy.content is no YAML map of limits: begin with a copy of files/policies/prod.yaml." -}}
{{- end -}}
{{- if and (eq $v.mode "live") (eq (toString $given.profile) "demo") -}}
{{- fail "mode: live with profile: demo in policy.content: those limits are for the simulated exchange. Choose canary, prod or spot." -}}
{{- end -}}
{{- range $section, $limits := fromYaml ($.Files.Get "files/policies/prod.yaml") -}}
{{- if not (hasKey $given $section) -}}
{{- fail (printf "policy.content lacks %s: a limit that is not there is none, and the gate would not start." $section) -}}
{{- end -}}
{{- if kindIs "map" $limits -}}
{{- range $limit, $_ := $limits -}}
{{- if not (hasKey (get $given $section | default dict) $limit) -}}
{{- fail (printf "policy.content lacks %s.%s: a limit that is not there is none, and the gate would not start." $section $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.mode "live") (not $v.networkPolicy.enabled) -}}
{{- fail "mode: live with networkPolicy.enabled is false: only a policy keeps other pods from the venue and from the gate. Use mode: dry_run without policies." -}}
{{- end -}}
{{- if and $v.credentials.externalSecrets.enabled $v.credentials.create -}}
{{- fail "credentials.externalSecrets.enabled needs credentials.create: false: one of the two makes the Secrets." -}}
{{- end -}}
{{- if and $v.credentials.externalSecrets.enabled (not $v.credentials.externalSecrets.store) -}}
{{- fail "credentials.externalSecrets.enabled needs credentials.externalSecrets.store: the name of the SecretStore." -}}
{{- end -}}
{{- if and $v.nats.external.url (not $v.nats.external.monitorUrl) -}}
{{- fail "nats.external.url needs nats.external.monitorUrl: the gate asks there whether acknowledged messages are on disk." -}}
{{- end -}}
{{- if and $v.nats.external.url (not $v.nats.external.cidrs) $v.networkPolicy.enabled -}}
{{- fail "nats.external.url needs nats.external.cidrs (its addresses), or the NetworkPolicies would cut it off." -}}
{{- end -}}
{{- if and $v.redis.external.url (not $v.redis.external.existingSecret) -}}
{{- fail "redis.external.url needs redis.external.existingSecret: a Secret with the key redis.password of the user risk-gate." -}}
{{- end -}}
{{- if and $v.redis.external.url (not $v.redis.external.cidrs) $v.networkPolicy.enabled -}}
{{- fail "redis.external.url needs redis.external.cidrs (its addresses), or the NetworkPolicies would cut it off." -}}
{{- end -}}
{{- $scaling := $v.lab.autoscaling -}}
{{- if and $scaling.enabled (gt (int $v.lab.workers) 0) -}}
{{- fail (printf "lab.workers is %d beside lab.autoscaling.enabled: one of the two says how many there are. Leave lab.workers 0, and say min and max." (int $v.lab.workers)) -}}
{{- end -}}
{{- if and $scaling.enabled (gt (int $scaling.min) (int $scaling.max)) -}}
{{- fail (printf "lab.autoscaling.min is %d and max is %d: no number of workers is both." (int $scaling.min) (int $scaling.max)) -}}
{{- end -}}
{{- if and $scaling.enabled (eq $scaling.kind "hpa") (eq (int $scaling.min) 0) -}}
{{- fail "lab.autoscaling.min is 0: a HorizontalPodAutoscaler can't start the first worker, for nobody's processor is loaded then. Use kind: keda, or min: 1." -}}
{{- end -}}
{{- $listed := list -}}
{{- range $v.products -}}{{- $listed = append $listed .id -}}{{- end -}}
{{- range $v.strategy.strategies -}}
{{- $name := .strategy -}}
{{- if and (not $v.strategy.image) (not (has $name (list "mean-reversion" "trend"))) -}}
{{- fail (printf "strategy.strategies: %s is none of those in the image (mean-reversion, trend); one of your own comes in an image of your own, strategy.image." $name) -}}
{{- end -}}
{{- range .products -}}
{{- if not (has . $listed) -}}
{{- fail (printf "strategy.strategies: %s trades %s, which products does not list." $name .) -}}
{{- end -}}
{{- end -}}
{{- if and .interval (not (has .interval $v.marketData.intervals)) -}}
{{- fail (printf "strategy.strategies: %s runs on %s, which marketData.intervals does not build (%s)." .strategy .interval (join ", " $v.marketData.intervals)) -}}
{{- end -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $v.products -}}
{{- if hasKey $seen .id -}}{{ fail (printf "products: %s is listed twice." .id) }}{{- end -}}
{{- $_ := set $seen .id true -}}
{{- end -}}
{{- if and (eq $v.mode "demo") (eq (len $v.products) (len (regexFindAll "-CDE\"" (toJson $v.products) -1))) -}}
{{- fail "products: the demo needs at least one spot product, which its futures follow." -}}
{{- end -}}
{{- if eq $v.mode "paper" -}}
{{- range $v.products -}}
{{- if hasSuffix "-CDE" .id -}}
{{- fail (printf "products: %s is a future; mode: paper trades spot products only, for the simulated exchange follows no real future. Remove it, or set mode: dry_run." .id) -}}
{{- end -}}
{{- end -}}
{{- $own := printf "%s-exchange-sim" (include "gpt-trader.fullname" .) -}}
{{- if or (hasPrefix $own $v.venue.rest) (hasPrefix (printf "wss://%s" $own) $v.venue.feed) -}}
{{- fail "venue.rest and venue.feed are this release's own simulated exchange: mode: paper would follow itself. Name the real venue, or set mode: demo." -}}
{{- end -}}
{{- end -}}
{{- range $service, $shards := dict "marketData" $v.marketData.shards "strategy" $v.strategy.shards -}}
{{- if gt (int $shards) (len $v.products) -}}
{{- fail (printf "%s.shards is %d for %d products: a shard without a product has nothing to do." $service (int $shards) (len $v.products)) -}}
{{- end -}}
{{- end -}}
{{- /* What a cluster knows: only an install or upgrade can look. */}}
{{- $name := include "gpt-trader.fullname" . -}}
{{- $claim := lookup "v1" "PersistentVolumeClaim" .Release.Namespace (printf "state-%s-risk-gate-0" $name) -}}
{{- $venue := include "gpt-trader.venueKind" . -}}
{{- with $claim -}}
{{- $held := get (.metadata.annotations | default dict) "gpt-trader/venue" | default $venue -}}
{{- if ne $held $venue -}}
{{- fail (printf "mode: %s is a %s venue, but the journal on %s is of a %s one: its positions are not on this account. Install under another release name, or delete the old volumes (helm get notes)." $v.mode $venue .metadata.name $held) -}}
{{- end -}}
{{- end -}}
{{- range (lookup "apps/v1" "StatefulSet" .Release.Namespace "").items -}}
{{- $labels := .metadata.labels | default dict -}}
{{- if and (eq (get $labels "app.kubernetes.io/name") "gpt-trader") (eq (get $labels "app.kubernetes.io/instance") $.Release.Name) (eq (get $labels "app.kubernetes.io/component") "risk-gate") (ne .metadata.name (printf "%s-risk-gate" $name)) -}}
{{- fail (printf "this release runs as %s: under the name %s it would begin with empty volumes, and forget its positions and a kill. Leave nameOverride and fullnameOverride as they were." (.metadata.name | trimSuffix "-risk-gate") $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
