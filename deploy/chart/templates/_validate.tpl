{{/* The seconds of 24h, 90m or 30s. */}}
{{- define "kubectl-reload.seconds" -}}
{{- $unit := dict "h" 3600 "m" 60 "s" 1 }}
{{- mul (get $unit (regexFind "[hms]$" .)) (regexFind "^[0-9]+" . | int64) }}
{{- end }}

{{/* What the schema cannot tell: values that do not go together. */}}
{{- define "kubectl-reload.validate" -}}
{{- if has .Release.Namespace .Values.namespaces }}
{{- fail (printf "namespaces: pods of %s, where the webhook itself is installed, are never recorded: leave it out" .Release.Namespace) }}
{{- end }}
{{- $deadline := .Values.webhook.deadline }}
{{- $milliseconds := hasSuffix "ms" $deadline | ternary (trimSuffix "ms" $deadline | int) (mul 1000 (trimSuffix "s" $deadline | int)) }}
{{- if not (and (gt $milliseconds 0) (lt $milliseconds (int (mul 1000 .Values.webhook.timeoutSeconds)))) }}
{{- fail (printf "webhook.deadline: %s is not shorter than webhook.timeoutSeconds, %v s: the API server would not wait for the answer" $deadline .Values.webhook.timeoutSeconds) }}
{{- end }}
{{- with .Values.certificates.own }}
{{- $ca := include "kubectl-reload.seconds" .caLife | int64 }}
{{- if gt (include "kubectl-reload.seconds" .life | int64) $ca }}
{{- fail (printf "certificates.own.life: %s is longer than certificates.own.caLife, %s" .life .caLife) }}
{{- end }}
{{- if gt (mul 6 (include "kubectl-reload.seconds" .caOverlap | int64)) $ca }}
{{- fail (printf "certificates.own.caOverlap: %s is more than a sixth of certificates.own.caLife, %s" .caOverlap .caLife) }}
{{- end }}
{{- end }}
{{- with .Values.certificates.certManager }}
{{- if ge (include "kubectl-reload.seconds" .renewBefore | int64) (include "kubectl-reload.seconds" .duration | int64) }}
{{- fail (printf "certificates.certManager.renewBefore: %s is not shorter than certificates.certManager.duration, %s" .renewBefore .duration) }}
{{- end }}
{{- end }}
{{- with .Values.certificates }}
{{- if and (eq .source "secret") (not .secret.name) }}
{{- fail "certificates.secret.name: name the Secret with tls.crt and tls.key, as certificates.source is secret" }}
{{- end }}
{{- if and (eq .source "secret") (not (contains "-----BEGIN CERTIFICATE-----" .secret.caBundle)) }}
{{- fail "certificates.secret.caBundle: give the CAs that the API server shall trust as PEM, as certificates.source is secret" }}
{{- end }}
{{- end }}
{{- if and .Values.hostNetwork (eq (int .Values.port) 10250) }}
{{- fail "port: on the network of a node 10250 is the kubelet's: choose another for hostNetwork" }}
{{- end }}
{{- if and .Values.hostNetwork .Values.networkPolicy.enabled }}
{{- fail "networkPolicy: it does not hold for pods on the network of their node: leave it out, or hostNetwork" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "podMonitor: Prometheus would scrape each pod twice: enable it or serviceMonitor" }}
{{- end }}
{{- end }}
