"""How registries are reached: credentials, certificates, mirrors and proxies, as docker and podman know them."""
