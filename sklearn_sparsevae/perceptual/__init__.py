"""Fixed feature networks that compare images, for losses and for metrics."""
