"""What a deployment on Kubernetes needs besides the services: credentials made once, and its own checks."""
