"""What goes out: finished files to a bucket, a network volume or a folder, recorded and never lost."""
