"""The finished MP4 and its pictures; what comes in and what goes out are packages of their own."""
