"""Tests in real containers: podman, an image made here, and pyinit as the entry point."""
