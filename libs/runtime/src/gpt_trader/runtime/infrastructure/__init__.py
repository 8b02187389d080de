"""The source of the infrastructure's configuration: rendered, never written by hand."""
