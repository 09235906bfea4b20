"""What is recorded of each request: access log and metrics."""
