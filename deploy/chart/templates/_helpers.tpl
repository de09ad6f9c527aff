{{- define "kubectl-reload.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters, since the names of other objects begin with it. */}}
{{- define "kubectl-reload.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else }}
{{- $name := include "kubectl-reload.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "kubectl-reload.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kubectl-reload.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kubectl-reload.labels" -}}
{{ include "kubectl-reload.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "kubectl-reload.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The Secret that keeps the webhook's CA and certificate. */}}
{{- define "kubectl-reload.certificates" -}}
{{ include "kubectl-reload.fullname" . }}-certificates
{{- end }}

{{/* Its name decides when it is called: last, so that it sees what other webhooks add. */}}
{{- define "kubectl-reload.registration" -}}
zz-kubectl-reload
{{- end }}

{{/* What the webhook may do with sources, wherever it may. */}}
{{- define "kubectl-reload.sourceRules" -}}
- apiGroups: [""]
  resources: [{{ if .Values.secrets }}configmaps, secrets{{ else }}configmaps{{ end }}]
  verbs: [get]
{{- end }}

{{- define "kubectl-reload.subjects" -}}
- kind: ServiceAccount
  name: {{ include "kubectl-reload.fullname" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
