"""The shell: moves what the adapters bring through the domain and out to the bus."""
