"""Kubernetes manifests, kustomizations and the values of Helm charts."""
