{{/* What values.yaml's schema cannot say: what one value asks of another. The words name the keys. */}}
{{- define "apportion.check" -}}
{{- $v := .Values -}}
{{- if $v.server.enabled -}}
{{- if and (eq $v.database.type "h2") (ne (int $v.server.replicas) 1) -}}
{{- fail "server.replicas: with database.type h2 it must be 1, as the database is a file of one process" -}}
{{- end -}}
{{- if lt (int $v.server.terminationGracePeriodSeconds) (add $v.server.stopDelaySeconds 40 | int) -}}
{{- fail "server.terminationGracePeriodSeconds: it must be at least 40 more than server.stopDelaySeconds" -}}
{{- end -}}
{{- if and (has $v.database.postgresql.sslMode (list "verify-ca" "verify-full")) (not $v.database.postgresql.caSecret) -}}
{{- fail "database.postgresql.caSecret: with sslMode verify-ca or verify-full it must name the authority's Secret" -}}
{{- end -}}
{{- if and $v.tls.enabled (not $v.tls.existingSecret) -}}
{{- fail "tls.existingSecret: with tls.enabled it must name the Secret with certificate and key" -}}
{{- end -}}
{{- if and $v.tls.enabled (not $v.adminToken.existingSecret) (not $v.jwt.enabled) -}}
{{- fail "adminToken.existingSecret: with tls.enabled, and without jwt.enabled, it must name the Secret with the first admin's token, as one that the server makes can only be used in its pod, without TLS" -}}
{{- end -}}
{{- if $v.tls.agents.certificates -}}
{{- if not $v.tls.enabled -}}
{{- fail "tls.enabled: tls.agents.certificates needs it" -}}
{{- end -}}
{{- if not $v.tls.agents.caSecret -}}
{{- fail "tls.agents.caSecret: with tls.agents.certificates it must name the Secret with the authority that signs for agents" -}}
{{- end -}}
{{- end -}}
{{- if $v.jwt.enabled -}}
{{- if not (or $v.jwt.issuerUri $v.jwt.jwkSetUri) -}}
{{- fail "jwt.issuerUri: with jwt.enabled it must name the provider" -}}
{{- end -}}
{{- if not $v.jwt.audiences -}}
{{- fail "jwt.audiences: with jwt.enabled there must be one, as a token for another service is not for this one" -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
{{- fail "ingress.host: with ingress.enabled it must be set" -}}
{{- end -}}
{{- if and $v.metrics.serviceMonitor.enabled $v.tls.enabled $v.tls.management (not $v.metrics.serviceMonitor.serverName) -}}
{{- fail "metrics.serviceMonitor.serverName: with tls.enabled it must be the name in the server's certificate, as Prometheus calls each pod by its address" -}}
{{- end -}}
{{- with $v.httpRoute -}}
{{- if .enabled -}}
{{- if .gateway.create -}}
{{- if not (and .gateway.className .gateway.tlsSecret) -}}
{{- fail "httpRoute.gateway: with create, className and tlsSecret must be set" -}}
{{- end -}}
{{- else if not .parentRefs -}}
{{- fail "httpRoute.parentRefs: with httpRoute.enabled there must be one, or gateway.create" -}}
{{- end -}}
{{- if and $v.tls.enabled .backendTls.policy (not .backendTls.hostname) -}}
{{- fail "httpRoute.backendTls.hostname: with tls.enabled it must be the name in the server's certificate" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.agent.enabled (not $v.agent.server) (not (and $v.server.enabled $v.tls.enabled)) -}}
{{- fail "agent.server: agents need https: set it, or tls.enabled" -}}
{{- end -}}
{{- if and $v.agent.enabled $v.agent.server (not (hasPrefix "https://" $v.agent.server)) -}}
{{- fail "agent.server: agents need https" -}}
{{- end -}}
{{- end }}
