"""The training loops. Each is one function, `train_...`, with a frozen configuration and a plain callback."""
