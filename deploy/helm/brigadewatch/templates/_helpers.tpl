{{- define "brigadewatch.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects this release's pods: two releases may share a namespace. */}}
{{- define "brigadewatch.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "brigadewatch.labels" -}}
{{ include "brigadewatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "brigadewatch.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The command of each part, as in docker-compose.yml. */}}
{{- define "brigadewatch.arguments" -}}
{{- $on := .root.Values.listenOn -}}
{{- if eq .part "api" -}}
{{ list "api" "--host" $on "--port" "8000" "--ops-host" $on "--ops-port" "8001" | toJson }}
{{- else if eq .part "clock" -}}
{{ list "clock" | toJson }}
{{- else -}}
{{ list "worker" (trimPrefix "worker-" .part) | toJson }}
{{- end -}}
{{- end -}}

{{/* The secrets as a JSON list of {file, secret, key, variable}. */}}
{{- define "brigadewatch.secrets" -}}
{{- $found := list (dict "file" "brigadewatch_secret_key" "secret" .Values.existingSecret "key" "brigadewatch_secret_key" "variable" "BRIGADEWATCH_SECRET_KEY_FILE") -}}
{{- $stores := list (list "valkey_password" .Values.redis.password "REDIS_PASSWORD_FILE") (list "postgres_password" .Values.database.password "DATABASE_PASSWORD_FILE") -}}
{{- if .Values.settings.BRIGADEWATCH_SMTP_USER -}}
{{- $stores = append $stores (list "smtp_password" .Values.smtp.password "BRIGADEWATCH_SMTP_PASSWORD_FILE") -}}
{{- end -}}
{{- range $stores -}}
{{- $password := index . 1 -}}
{{- if $password.key -}}
{{- $found = append $found (dict "file" (index . 0) "secret" ($password.secret | default $.Values.existingSecret) "key" $password.key "variable" (index . 2)) -}}
{{- end -}}
{{- end -}}
{{ $found | toJson }}
{{- end -}}

{{/* A number of a values file is a float, which would be printed as 8.388608e+06. */}}
{{- define "brigadewatch.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* The port in a store's URL, or its usual one. */}}
{{- define "brigadewatch.port" -}}
{{- $authority := regexFind "^[^/?]*" (regexReplaceAll "^[a-z]+://" .url "") -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $authority) | default .usual -}}
{{- end -}}

{{/* How many of a part there are: nothing where an autoscaler decides. */}}
{{- define "brigadewatch.replicas" -}}
{{- $scaling := .settings.autoscaling | default dict -}}
{{- if .root.Values.stopped -}}0{{- else if not $scaling.enabled -}}{{ .settings.replicas }}{{- end -}}
{{- end -}}

{{/* "true" for a part that may have more than one process. */}}
{{- define "brigadewatch.several" -}}
{{- $scaling := .settings.autoscaling | default dict -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.max) 1 -}}true{{- end -}}
{{- else if gt (int .settings.replicas) 1 -}}true{{- end -}}
{{- end -}}
