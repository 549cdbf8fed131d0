"""`pyinitctl adopt`: put pyinit into an image that is there.

The engine says what the image is (engine, image), its files are read without running it (content), what it starts is
followed from word to word (chain), and what follows from that is a plan (plan) that is written as a Dockerfile
(dockerfile), with the file that this image can run (file).
"""
