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

{{/* The plugin finds the webhook by its name, which nameOverride therefore leaves alone. */}}
{{- define "kubectl-reload.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "kubectl-reload.labels" -}}
{{ include "kubectl-reload.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "kubectl-reload.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The Secret that keeps the webhook's own CA and certificate. */}}
{{- define "kubectl-reload.certificates" -}}
{{ include "kubectl-reload.fullname" . }}-certificates
{{- end }}

{{/* The name that the serving certificate has to be valid for. */}}
{{- define "kubectl-reload.hostname" -}}
{{ include "kubectl-reload.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{/* The Secret with a certificate that is not the webhook's own: it is mounted. */}}
{{- define "kubectl-reload.tls" -}}
{{- if eq .Values.certificates.source "secret" }}
{{- .Values.certificates.secret.name }}
{{- else }}
{{- include "kubectl-reload.fullname" . }}-tls
{{- end }}
{{- end }}

{{/* Whether cert-manager has to be told of a CA, too. */}}
{{- define "kubectl-reload.ownIssuer" -}}
{{- if and (eq .Values.certificates.source "certManager") (not .Values.certificates.certManager.issuerRef) }}true{{ end }}
{{- end }}

{{/* Whether the webhook has Secrets of its own. */}}
{{- define "kubectl-reload.ownSecrets" -}}
{{- if or (eq .Values.certificates.source "own") .Values.secrets }}true{{ end }}
{{- end }}

{{/* Its name decides when it is called: last, so that it sees what other webhooks add. */}}
{{- define "kubectl-reload.registration" -}}
zz-kubectl-reload
{{- end }}

{{/*
Always the same, since there is one installation in a cluster: what the webhook makes belongs to its
account, and the hash key must not go when the release gets another name.
*/}}
{{- define "kubectl-reload.serviceAccountName" -}}
kubectl-reload
{{- end }}

{{/* What the webhook may do with sources, wherever it may. */}}
{{- define "kubectl-reload.sourceRules" -}}
- apiGroups: [""]
  resources: [{{ if .Values.secrets }}configmaps, secrets{{ else }}configmaps{{ end }}]
  verbs: [get]
{{- end }}

{{- define "kubectl-reload.subjects" -}}
- kind: ServiceAccount
  name: {{ include "kubectl-reload.serviceAccountName" . }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{/* Without the fields that are set to null, which Helm keeps where a parent chart sets them. */}}
{{- define "kubectl-reload.podSecurityContext" -}}
{{- $context := dict }}
{{- range $field, $value := .Values.podSecurityContext }}
{{- if not (kindIs "invalid" $value) }}
{{- $_ := set $context $field $value }}
{{- end }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{/* How Prometheus verifies the certificate; takes the chart's context and a monitor's values. */}}
{{- define "kubectl-reload.tlsConfig" -}}
{{- $root := index . 0 }}
{{- $monitor := index . 1 }}
{{- if $monitor.tlsConfig }}
{{- toYaml $monitor.tlsConfig }}
{{- else if eq $root.Values.certificates.source "certManager" -}}
serverName: {{ include "kubectl-reload.hostname" $root }}
ca:
  secret:
    name: {{ include "kubectl-reload.tls" $root | quote }}
    key: ca.crt
{{- else -}}
# The CA is in the registration alone. What is scraped are counts.
insecureSkipVerify: true
{{- end }}
{{- end }}
