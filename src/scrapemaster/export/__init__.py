"""Writers of files: rows in, bytes out, in bounded memory."""
