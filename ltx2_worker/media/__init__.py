"""What comes in: a start image and a control video, fetched, verified and fitted; and the finished MP4."""
