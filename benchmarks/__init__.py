"""What speed and size are measured with: ctxprov and its peers, side by side in one run."""
