{{/* What a schema cannot say, or not in a sentence. */}}
{{- define "brigadewatch.checks" -}}
{{- $values := .Values -}}
{{- range include "brigadewatch.secrets" . | fromJsonArray -}}
{{- if not .secret -}}
{{- fail (printf "existingSecret is empty: name the Secret that holds %s. To make it: sh deploy/make_secrets.sh && kubectl create secret generic brigadewatch --from-file=secrets/brigadewatch_secret_key --from-file=secrets/valkey_password --from-file=secrets/postgres_password" .key) -}}
{{- end -}}
{{- end -}}
{{- range $name, $store := dict "redis" $values.redis "database" $values.database -}}
{{- if or (regexMatch "^[a-z]+://[^@/?]*:[^@/?]*@" $store.url) (regexMatch "[?&]password=" $store.url) -}}
{{- fail (printf "%s.url has a password in it, which everybody who may read Deployments would see: put it into the Secret, under %s.password.key" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^rediss?://" $values.redis.url) -}}
{{- fail (printf "redis.url is %q: expected redis://HOST:PORT/NUMBER or rediss://HOST:PORT/NUMBER. This chart brings no Redis: docs/how-to/kubernetes.md says which one fits" $values.redis.url) -}}
{{- end -}}
{{- if not (regexMatch "^postgres(ql)?://" $values.database.url) -}}
{{- fail (printf "database.url is %q: expected postgresql://USER@HOST:PORT/NAME. SQLite is for one machine, and this chart brings no PostgreSQL: docs/how-to/kubernetes.md" $values.database.url) -}}
{{- end -}}
{{- if contains "*" $values.settings.FORWARDED_ALLOW_IPS -}}
{{- fail "settings.FORWARDED_ALLOW_IPS has a *: anybody could choose the address that their sign-in attempts are counted by; name your proxy's addresses or network" -}}
{{- end -}}
{{- if $values.settings.BRIGADEWATCH_SMTP_HOST -}}
{{- if not $values.settings.BRIGADEWATCH_PUBLIC_URL -}}
{{- fail "settings.BRIGADEWATCH_SMTP_HOST is set, so settings.BRIGADEWATCH_PUBLIC_URL is needed for the links in messages" -}}
{{- end -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.host) -}}
{{- fail "ingress.enabled is true and ingress.host is empty: name the host, like moderation.example.org" -}}
{{- end -}}
{{- range $part, $settings := $values.parts -}}
{{- with $settings.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int .min) (int .max) -}}
{{- fail (printf "parts.%s.autoscaling: min is %d, more than max, which is %d" $part (int .min) (int .max)) -}}
{{- end -}}
{{- if and (ne $part "api") (not $values.keda.prometheusUrl) -}}
{{- fail (printf "parts.%s.autoscaling is enabled and keda.prometheusUrl is empty: KEDA needs the address of the Prometheus that has this release's metrics" $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
