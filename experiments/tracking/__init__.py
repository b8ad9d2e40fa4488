"""Trackers: observers that pass what a run reports to TensorBoard, W&B, MLflow or a CSV file."""
