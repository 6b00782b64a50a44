{{- define "apportion.databaseUrl" -}}
{{- with .Values.database.postgresql -}}
{{- $parameters := dict "sslmode" .sslMode -}}
{{- if .caSecret }}{{ $_ := set $parameters "sslrootcert" "/etc/apportion/database/ca.crt" }}{{ end -}}
{{- $terms := list -}}
{{- range $name, $value := merge $parameters .parameters -}}
{{- $terms = append $terms (printf "%s=%s" $name (urlquery $value)) -}}
{{- end -}}
jdbc:postgresql://{{ .host }}:{{ .port }}/{{ .name }}?{{ join "&" $terms }}
{{- end }}
{{- end }}

{{/* application.yaml, with nothing secret in it. What the program does of itself is not repeated. */}}
{{- define "apportion.configuration" -}}
{{- $v := .Values -}}
{{- $spring := dict -}}
{{- if eq $v.database.type "postgresql" -}}
{{- $_ := set $spring "config" (dict "import" "configtree:/etc/apportion/secrets/") -}}
{{- $_ := set $spring "datasource" (dict "url" (include "apportion.databaseUrl" .)) -}}
{{- end -}}
{{- $server := dict "address" $v.server.listenAddress "port" 8080 -}}
{{- $management := dict "address" $v.server.listenAddress "port" 8081 -}}
{{- if $v.tls.enabled -}}
{{- $stores := dict "reload-on-update" true "keystore" (dict "certificate" "/etc/apportion-tls/tls.crt" "private-key" "/etc/apportion-tls/tls.key" "verify-keys" true) -}}
{{- $ssl := dict "bundle" "site" -}}
{{- if $v.tls.agents.certificates -}}
{{- $_ := set $ssl "client-auth" "want" -}}
{{- $_ := set $stores "truststore" (dict "certificate" "/etc/apportion-tls/agents-ca.crt") -}}
{{- end -}}
{{- $_ := set $server "ssl" $ssl -}}
{{- $_ := set $spring "ssl" (dict "bundle" (dict "pem" (dict "site" $stores))) -}}
{{- if not $v.tls.management -}}
{{- $_ := set $management "ssl" (dict "enabled" false) -}}
{{- end -}}
{{- end -}}
{{- if $v.trustedProxies -}}
{{- $_ := set $server "forward-headers-strategy" "native" -}}
{{- $_ := set $server "tomcat" (dict "remoteip" (dict "internal-proxies" $v.trustedProxies)) -}}
{{- end -}}
{{- $identity := dict -}}
{{- if $v.adminToken.existingSecret -}}
{{- $_ := set $identity "first-admin-token-file" "/etc/apportion/admin/token" -}}
{{- end -}}
{{- with $v.jwt -}}
{{- if .enabled -}}
{{- $provider := dict "audiences" .audiences -}}
{{- with .issuerUri }}{{ $_ := set $provider "issuer-uri" . }}{{ end -}}
{{- with .jwkSetUri }}{{ $_ := set $provider "jwk-set-uri" . }}{{ end -}}
{{- $_ := set $spring "security" (dict "oauth2" (dict "resourceserver" (dict "jwt" $provider))) -}}
{{- $jwt := dict "roles-claim" .rolesClaim "actor-claim" .actorClaim "clock-skew" .clockSkew -}}
{{- with .roles }}{{ $_ := set $jwt "roles" . }}{{ end -}}
{{- with .scopeClaim }}{{ $_ := set $jwt "scope-claim" . }}{{ end -}}
{{- $_ := set $identity "jwt" $jwt -}}
{{- end -}}
{{- end -}}
{{- $apportion := dict "data" "/var/lib/apportion" -}}
{{- if $identity }}{{ $_ := set $apportion "identity" $identity }}{{ end -}}
{{- $all := dict "apportion" $apportion "server" $server "management" (dict "server" $management) -}}
{{- if $spring }}{{ $_ := set $all "spring" $spring }}{{ end -}}
{{- toYaml (mustMerge $all (deepCopy $v.settings)) }}
{{- end }}

{{/* The agent's file. What each node has of its own is on the command line. */}}
{{- define "apportion.agentConfiguration" -}}
{{- $v := .Values.agent -}}
{{- $agent := dict "server" (include "apportion.agentServer" .) -}}
{{- if $v.caSecret }}{{ $_ := set $agent "trusted-certificates" "/etc/apportion/ca.crt" }}{{ end -}}
{{- $keep := dict -}}
{{- with $v.keepAdapters }}{{ $_ := set $keep "adapters" . }}{{ end -}}
{{- with $v.keepDomains }}{{ $_ := set $keep "domains" . }}{{ end -}}
{{- if $keep }}{{ $_ := set $agent "keep" $keep }}{{ end -}}
{{- $all := dict "apportion" (dict "agent" $agent) -}}
{{- with $v.logging }}{{ $_ := set $all "logging" (dict "level" .) }}{{ end -}}
{{- toYaml $all }}
{{- end }}
