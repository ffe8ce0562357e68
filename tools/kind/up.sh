#!/usr/bin/env bash
# `make kind`: a kind cluster with Knative, the functions' image and the demo's simulated vCenter, up to the page's
# address. It needs Docker, kind, kubectl and Go. Run it again after a failure: each step continues. `kind delete cluster
# --name vcenter-events` removes everything.
#
# SERVING, EVENTING and KOURIER are versions of Knative. CLUSTER_ONLY=1 stops before the installation, for `make e2e`.
set -euo pipefail
cd "$(dirname "$0")/../.."

SERVING=${SERVING:-1.20.0}
EVENTING=${EVENTING:-1.20.0}
KOURIER=${KOURIER:-1.20.0}
NAME=${NAME:-vcenter-events}
IMAGE=${IMAGE:-dev.local/vcenter-events:1}
VCSIM_IMAGE=${VCSIM_IMAGE:-dev.local/vcsim:v0.39.0}
RELEASES=https://github.com/knative

main() {
    require docker kind kubectl git
    kind get clusters | grep -qx "$NAME" || kind create cluster --name "$NAME" --wait 2m
    kubectl config use-context "kind-$NAME"
    install_knative
    load_images
    [ -n "${CLUSTER_ONLY:-}" ] || install_demo
}

# require PROGRAM...: stop with what is missing.
require() {
    local program missing=()
    for program in "$@"; do
        command -v "$program" > /dev/null || missing+=("$program")
    done
    [ ${#missing[@]} = 0 ] || { echo "make kind needs ${missing[*]} on PATH" >&2; exit 2; }
}

install_knative() {
    local serving="$RELEASES/serving/releases/download/knative-v$SERVING" eventing="$RELEASES/eventing/releases/download/knative-v$EVENTING"
    kubectl apply -f "$serving/serving-crds.yaml" -f "$eventing/eventing-crds.yaml"
    kubectl wait crd --all --for condition=Established --timeout 1m > /dev/null
    kubectl apply -f "$serving/serving-core.yaml" -f "$eventing/eventing-core.yaml"
    kubectl apply -f "https://github.com/knative-extensions/net-kourier/releases/download/knative-v$KOURIER/kourier.yaml"
    kubectl apply -f "$eventing/in-memory-channel.yaml" -f "$eventing/mt-channel-broker.yaml"
    kubectl -n knative-serving patch configmap config-network --type merge \
        --patch '{"data": {"ingress-class": "kourier.ingress.networking.knative.dev"}}'
    local namespace
    for namespace in knative-serving knative-eventing kourier-system; do
        kubectl -n "$namespace" wait deployment --all --for condition=Available --timeout 5m
    done
}

load_images() {
    tools/kind/image.sh "$IMAGE"
    make .venv/.installed
    local folder
    folder=$(mktemp -d)
    cp "$(.venv/bin/python -c 'from demo.vcsim import build; print(build())' | tail -1)" "$folder/vcsim"
    printf 'FROM scratch\nCOPY vcsim /vcsim\nUSER 65532:65532\nENTRYPOINT ["/vcsim"]\n' > "$folder/Dockerfile"
    docker build --quiet --tag "$VCSIM_IMAGE" "$folder"
    rm -rf "$folder"
    kind load docker-image --name "$NAME" "$IMAGE" "$VCSIM_IMAGE"
}

# A kustomization of the demo with the images that were loaded.
install_demo() {
    local folder
    folder=$(mktemp -d -p overlays)
    # shellcheck disable=SC2064 # its name is known now
    trap "rm -rf '$folder'" EXIT
    render > "$folder/kustomization.yaml"
    kubectl apply -k "$folder"
    kubectl -n vcenter-events wait ksvc,trigger --all --for condition=Ready --timeout 5m
    echo "The page: http://localhost:8080 (Ctrl-C ends the connection, not the cluster)"
    kubectl -n vcenter-events port-forward \
        "$(kubectl -n vcenter-events get pod -l serving.knative.dev/service=display -o name | head -1)" 8080
}

render() {
    cat << END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../demo]
images:
  - {name: dev.local/vcenter-events, newName: ${IMAGE%:*}, newTag: "${IMAGE##*:}"}
  - {name: docker.io/vmware/vcsim, newName: ${VCSIM_IMAGE%:*}, newTag: "${VCSIM_IMAGE##*:}"}
END
}

main
