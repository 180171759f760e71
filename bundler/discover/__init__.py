"""From Compose files, Kubernetes manifests, lists and the like to applications and the images that they name."""
