"""Numbers of the kernel's about files. The module stat has most of them, and takes longer to import."""

# The type of a file, as its mode says it (man 7 inode).
FILE_TYPE = 0o170000  # the mask, S_IFMT

PIPE = 0o010000
CHARACTER_DEVICE = 0o020000
DIRECTORY = 0o040000
REGULAR = 0o100000
LINK = 0o120000

OTHERS_WRITE = 0o022  # S_IWGRP and S_IWOTH (man 7 inode)
STICKY = 0o1000  # S_ISVTX

MOST_LINKS = 40  # that the kernel follows in one path (man 7 path_resolution)
