{{- define "rollcall.labels" -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ .release }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* A pod. Takes root, component, image, command, cpu, memory, maxMemory and network; gpus, port, probes, restart and threads may be left out. */ -}}
{{- define "rollcall.pod" -}}
metadata:
  labels:
    {{- include "rollcall.labels" (dict "release" .root.Release.Name "component" .component) | nindent 4 }}
    rollcall/network: {{ .network }}
spec:
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
  containers:
    - name: rollcall
      image: {{ printf "%s:%s" .image .root.Values.tag | quote }}
      command: {{ toJson .command }}
      envFrom:
        - secretRef: {name: {{ .root.Values.secret }}}
      env:
        {{- range $name, $value := .root.Values.settings }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- if .threads }}
        {{- range list "ROLLCALL_THREADS" "OMP_NUM_THREADS" "OPENBLAS_NUM_THREADS" "TF_NUM_INTRAOP_THREADS" }}
        - {name: {{ . }}, value: {{ $.threads | quote }}}
        {{- end }}
        {{- end }}
      {{- with .port }}
      ports:
        - {name: http, containerPort: {{ . }}}
      {{- end }}
      {{- with .probes }}
      {{- . | nindent 6 }}
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
  volumes:
    - name: data
      persistentVolumeClaim: {claimName: {{ .root.Values.claim }}}
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
