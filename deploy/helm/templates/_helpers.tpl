{{- define "rollcall.labels" -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ .release }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* What each container of a pod has, init containers too. */ -}}
{{- define "rollcall.container" -}}
image: {{ printf "%s:%s" .image .root.Values.tag | quote }}
envFrom:
  - secretRef: {name: {{ .root.Values.secret }}}
env:
  {{- $isOnWeb := eq .root.Values.storage "web" }}
  {{- $transfers := printf "%s-transfers" .root.Release.Name }}
  {{- range $name, $value := .root.Values.settings }}
  {{- $isHosts := eq $name "ROLLCALL_ALLOWED_HOSTS" }}
  - {name: {{ $name }}, value: {{ and $isOnWeb $isHosts | ternary (printf "%s,%s" $value $transfers) $value | quote }}}
  {{- end }}
  {{- if and $isOnWeb (not .hasFiles) }}
  - {name: ROLLCALL_STORAGE_URL, value: {{ printf "http://%s" $transfers | quote }}}
  {{- end }}
  {{- if .threads }}
  {{- range list "ROLLCALL_THREADS" "OMP_NUM_THREADS" "OPENBLAS_NUM_THREADS" "TF_NUM_INTRAOP_THREADS" }}
  - {name: {{ . }}, value: {{ $.threads | quote }}}
  {{- end }}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  requests: {cpu: {{ .cpu | quote }}, memory: {{ .memory }}}
  limits:
    memory: {{ .maxMemory }}
    {{- with .gpus }}
    nvidia.com/gpu: {{ . }}
    {{- end }}
volumeMounts:
  - {name: data, mountPath: /var/lib/rollcall}
  - {name: tmp, mountPath: /tmp}
  - {name: shm, mountPath: /dev/shm}
{{- end }}

{{- /*
A pod. Takes root, component, image, command, cpu, memory, maxMemory and network; gpus, port, probes, restart and threads
may be left out, as may hasFiles, which says that it is one of those that have the files where storage is web, and prepare,
a command that fills a data folder of its own.
*/ -}}
{{- define "rollcall.pod" -}}
{{- $hasClaim := or (eq .root.Values.storage "volume") (and (eq .root.Values.storage "web") .hasFiles) }}
metadata:
  labels:
    {{- include "rollcall.labels" (dict "release" .root.Release.Name "component" .component) | nindent 4 }}
    rollcall/network: {{ .network }}
    {{- if and (eq .root.Values.storage "web") .hasFiles }}
    rollcall/files: {{ .root.Release.Name }}
    {{- end }}
spec:
  {{- if and (eq .root.Values.storage "web") .hasFiles }}
  # On one machine, since the volume is reached from one alone.
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector: {matchLabels: {rollcall/files: {{ .root.Release.Name }}}}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: {{ .restart | default "Always" }}
  terminationGracePeriodSeconds: 90
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "rollcall.labels" (dict "release" .root.Release.Name "component" .component) | nindent 10 }}
  {{- if and .prepare (not $hasClaim) }}
  initContainers:
    - name: prepare
      command: {{ toJson .prepare }}
      {{- include "rollcall.container" . | nindent 6 }}
  {{- end }}
  containers:
    - name: rollcall
      command: {{ toJson .command }}
      {{- include "rollcall.container" . | nindent 6 }}
      {{- with .port }}
      ports:
        - {name: http, containerPort: {{ . }}}
      {{- end }}
      {{- with .probes }}
      {{- . | nindent 6 }}
      {{- end }}
  volumes:
    - name: data
      {{- if $hasClaim }}
      persistentVolumeClaim: {claimName: {{ .root.Values.claim }}}
      {{- else }}
      emptyDir: {sizeLimit: {{ .root.Values.diskPerPod }}}
      {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 2Gi}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: 256Mi}
{{- end }}

{{- define "rollcall.budget" }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .root.Release.Name }}-{{ .component }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "rollcall.labels" (dict "release" .root.Release.Name "component" .component) | nindent 6 }}
{{- end }}

{{- /* A deployment of such pods, with its budget. Without `replicas`, somebody else says how many. */ -}}
{{- define "rollcall.deployment" }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .root.Release.Name }}-{{ .component }}
  labels:
    {{- include "rollcall.labels" (dict "release" .root.Release.Name "component" .component) | nindent 4 }}
spec:
  {{- if hasKey . "replicas" }}
  replicas: {{ .replicas }}
  {{- end }}
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: {{ .maxUnavailable | default 0 }}}
  selector:
    matchLabels:
      {{- include "rollcall.labels" (dict "release" .root.Release.Name "component" .component) | nindent 6 }}
  template:
    {{- include "rollcall.pod" . | nindent 4 }}
{{- include "rollcall.budget" . }}
{{- end }}
