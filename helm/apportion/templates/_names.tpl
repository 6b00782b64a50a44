{{- define "apportion.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for what is added to it. */}}
{{- define "apportion.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "apportion.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "apportion.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Of a list of the context and the component. Never changed: a Deployment keeps its selector. */}}
{{- define "apportion.selector" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ include "apportion.name" $context }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "apportion.labels" -}}
{{- $context := index . 0 -}}
{{ include "apportion.selector" . }}
app.kubernetes.io/part-of: apportion
app.kubernetes.io/version: {{ $context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "apportion.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end }}
{{- end }}
{{- end }}

{{/* Metrics and health may be plain where the API is not. */}}
{{- define "apportion.managementScheme" -}}
{{ and .Values.tls.enabled .Values.tls.management | ternary "HTTPS" "HTTP" }}
{{- end }}

{{- define "apportion.agentServer" -}}
{{- default (printf "https://%s.%s.svc:%v" (include "apportion.fullname" .) .Release.Namespace .Values.server.service.port) .Values.agent.server }}
{{- end }}
