{{/*
The pod of the server, as of a list of the context and what is done in it: server, or another command on the same database
with the same configuration.
*/}}
{{- define "apportion.serverPod" -}}
{{- $context := index . 0 -}}
{{- $role := index . 1 -}}
{{- $v := $context.Values -}}
{{- $h2 := eq $v.database.type "h2" -}}
{{- $fullname := include "apportion.fullname" $context -}}
serviceAccountName: {{ $fullname }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $v.server.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $v.server.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  # So that the server may read what is mounted from Secrets, and write to its volume.
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: {{ $role }}
    image: {{ include "apportion.image" $context }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    args:
      - {{ $role }}
    env:
      - name: SPRING_CONFIG_ADDITIONAL_LOCATION
        value: file:/etc/apportion/
      {{- $options := $v.server.javaOptions }}
      {{- if $v.trustStore.existingSecret }}
      {{- $options = printf "%s -Djavax.net.ssl.trustStore=/etc/apportion/trust/truststore.jks" $options | trim }}
      {{- end }}
      {{- with $options }}
      - name: JDK_JAVA_OPTIONS
        value: {{ . | quote }}
      {{- end }}
    {{- if eq $role "server" }}
    ports:
      - name: api
        containerPort: 8080
      - name: management
        containerPort: 8081
    # Not asked of the API's port: many callers there must not make a pod look dead.
    startupProbe:
      httpGet:
        path: /actuator/health/liveness
        port: management
        scheme: {{ include "apportion.managementScheme" $context }}
      # Five minutes, as the first start of a release may bring large tables up to it.
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 150
    livenessProbe:
      httpGet:
        path: /actuator/health/liveness
        port: management
        scheme: {{ include "apportion.managementScheme" $context }}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet:
        path: /actuator/health/readiness
        port: management
        scheme: {{ include "apportion.managementScheme" $context }}
      periodSeconds: 5
      timeoutSeconds: 3
      failureThreshold: 2
    lifecycle:
      preStop:
        sleep:
          seconds: {{ $v.server.stopDelaySeconds }}
    {{- end }}
    resources:
      {{- toYaml $v.server.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop:
          - ALL
    volumeMounts:
      - name: configuration
        mountPath: /etc/apportion
        readOnly: true
      {{- if $v.tls.enabled }}
      - name: tls
        mountPath: /etc/apportion-tls
        readOnly: true
      {{- end }}
      - name: data
        mountPath: /var/lib/apportion
      - name: tmp
        mountPath: /tmp
volumes:
  # One volume, so that what belongs together is replaced together.
  - name: configuration
    projected:
      defaultMode: 0440
      sources:
        - configMap:
            name: {{ $fullname }}
        {{- if not $h2 }}
        - secret:
            name: {{ $v.database.postgresql.existingSecret }}
            items:
              - key: {{ $v.database.postgresql.usernameKey }}
                path: secrets/spring.datasource.username
              - key: {{ $v.database.postgresql.passwordKey }}
                path: secrets/spring.datasource.password
        {{- with $v.database.postgresql.caSecret }}
        - secret:
            name: {{ . }}
            items:
              - key: {{ $v.database.postgresql.caKey }}
                path: database/ca.crt
        {{- end }}
        {{- end }}
        {{- with $v.adminToken.existingSecret }}
        - secret:
            name: {{ . }}
            items:
              - key: {{ $v.adminToken.key }}
                path: admin/token
        {{- end }}
        {{- with $v.trustStore.existingSecret }}
        - secret:
            name: {{ . }}
            items:
              - key: {{ $v.trustStore.key }}
                path: trust/truststore.jks
        {{- end }}
  {{- if $v.tls.enabled }}
  # What is watched for renewals, each file at the root: of a folder in a volume only the first renewal is ever noticed, as the
  # kubelet links the folder, and not the file, to what it replaces.
  - name: tls
    projected:
      defaultMode: 0440
      sources:
        - secret:
            name: {{ $v.tls.existingSecret }}
            items:
              - key: {{ $v.tls.certificateKey }}
                path: tls.crt
              - key: {{ $v.tls.privateKeyKey }}
                path: tls.key
        {{- if $v.tls.agents.certificates }}
        - secret:
            name: {{ $v.tls.agents.caSecret }}
            items:
              - key: {{ $v.tls.agents.caKey }}
                path: agents-ca.crt
        {{- end }}
  {{- end }}
  - name: data
    {{- if $h2 }}
    persistentVolumeClaim:
      claimName: {{ default $fullname $v.database.h2.existingClaim }}
    {{- else }}
    # The first admin's token at most, and nothing else.
    emptyDir:
      sizeLimit: 16Mi
    {{- end }}
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
{{- with $v.server.spread }}
{{- if and (eq $role "server") (or .zones .nodes) }}
topologySpreadConstraints:
  {{- range $key, $when := dict "topology.kubernetes.io/zone" .zones "kubernetes.io/hostname" .nodes }}
  {{- if $when }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $when }}
    labelSelector:
      matchLabels:
        {{- include "apportion.selector" (list $context "server") | nindent 8 }}
    # Pods of the release before do not count.
    matchLabelKeys:
      - pod-template-hash
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- with $v.server.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.server.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.server.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
