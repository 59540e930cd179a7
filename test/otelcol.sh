#!/usr/bin/env bash
# npm run test:otelcol: builds the OpenTelemetry Collector from the Go modules of its release, and holds the traces against it.
# Needs Go, and its module proxy. Built once, below SLUICE_OTELCOL_DIR, in some three minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v0.165.0
stable=v1.71.0
home=${SLUICE_OTELCOL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-otelcol}/$version
command -v go >/dev/null || { echo 'test:otelcol needs Go.' >&2; exit 1; }

if [ ! -x "$home/otelcol" ]; then
  mkdir -p "$home"
  cat >"$home/builder.yaml" <<EOF
dist: { name: otelcol, output_path: $home/build }
receivers: [{ gomod: go.opentelemetry.io/collector/receiver/otlpreceiver $version }]
exporters: [{ gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter $version }]
providers: [{ gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider $stable }]
conf_resolver: { default_uri_scheme: file }
EOF
  GOBIN=$home go install "go.opentelemetry.io/collector/cmd/builder@$version"
  "$home/builder" --config "$home/builder.yaml"
  mv "$home/build/otelcol" "$home/otelcol"
fi

npm run --silent build
PATH=$home:$PATH TAP_TIMEOUT=300 node dist/test/e2e/traces.test.js
