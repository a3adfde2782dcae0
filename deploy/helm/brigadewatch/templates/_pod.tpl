{{/* The pod of one part. Fits the Pod Security Standard "restricted". */}}
{{- define "brigadewatch.pod" -}}
{{- $values := .root.Values -}}
automountServiceAccountToken: false
# Otherwise each Service of the namespace adds variables, and one called brigadewatch would add BRIGADEWATCH_... ones.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .settings.terminationGracePeriodSeconds }}
{{- with $values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if include "brigadewatch.several" (dict "settings" .settings) }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "brigadewatch.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .part }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if not (kindIs "invalid" $values.runAsUser) }}
  runAsUser: {{ include "brigadewatch.text" $values.runAsUser }}
  runAsGroup: {{ include "brigadewatch.text" $values.runAsUser }}
  fsGroup: {{ include "brigadewatch.text" $values.runAsUser }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: {{ .part }}
    image: {{ include "brigadewatch.image" .root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ include "brigadewatch.arguments" . }}
    env:
      - {name: REDIS_URL, value: {{ $values.redis.url | quote }}}
      - {name: DATABASE_URL, value: {{ $values.database.url | quote }}}
      {{- range include "brigadewatch.secrets" .root | fromJsonArray }}
      - {name: {{ .variable }}, value: /etc/brigadewatch/secrets/{{ .file }}}
      {{- end }}
      {{- range $name, $value := $values.settings }}
      {{- with include "brigadewatch.text" $value }}
      - {name: {{ $name }}, value: {{ . | quote }}}
      {{- end }}
      {{- end }}
    {{- if eq .part "api" }}
    ports:
      - {name: http, containerPort: 8000}
      - {name: ops, containerPort: 8001}
    # New ones have to reach both stores before they get requests. Later an outage of a store takes none out of service:
    # what can be answered without it is answered.
    startupProbe:
      httpGet: {path: /readyz, port: ops}
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: {{ div (add $values.startSeconds 4) 5 }}
    readinessProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 5
      timeoutSeconds: 3
      failureThreshold: 3
    {{- else }}
    startupProbe:
      exec: {command: [sh, -c, 'exec python -m service.liveness "$BRIGADEWATCH_ALIVE_FILE"']}
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: {{ div (add $values.startSeconds 4) 5 }}
    {{- end }}
    # The image's health check: the process' main loop is turning.
    livenessProbe:
      exec: {command: [sh, -c, 'exec python -m service.liveness "$BRIGADEWATCH_ALIVE_FILE"']}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    {{- if eq .part "api" }}
    lifecycle:
      preStop:
        exec: {command: [sleep, "5"]}  # until proxies have learned that this pod ends
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    resources:
      {{- toYaml .settings.resources | nindent 6 }}
    volumeMounts:
      - {name: secrets, mountPath: /etc/brigadewatch/secrets, readOnly: true}
      - {name: data, mountPath: /data}
      - {name: tmp, mountPath: /tmp}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: secrets
    projected:
      defaultMode: {{ if kindIs "invalid" $values.runAsUser }}0444{{ else }}0440{{ end }}
      sources:
        {{- range include "brigadewatch.secrets" .root | fromJsonArray }}
        - secret:
            name: {{ .secret }}
            items: [{key: {{ .key | quote }}, path: {{ .file }}}]
        {{- end }}
  - name: data
    emptyDir: {sizeLimit: 64Mi}  # nothing worth keeping with PostgreSQL
  - name: tmp
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
