{{- /* Labels that select the manager's pods. They cannot be changed. */ -}}
{{- define "marina.selector" -}}
app.kubernetes.io/name: marina
app.kubernetes.io/component: manager
{{- end }}

{{- define "marina.labels" -}}
{{ include "marina.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* One object of manifests/defaults, by its kind. */ -}}
{{- define "marina.default" -}}
{{- range splitList "\n---\n" (.root.Files.Get "files/defaults/defaults.yaml") }}
{{- $object := fromYaml . }}
{{- if eq $object.kind $.kind }}
{{- toYaml $object }}
{{- end }}
{{- end }}
{{- end }}
