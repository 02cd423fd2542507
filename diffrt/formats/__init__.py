"""Image files, one format each, from bytes to numbers.

What a file unpacks to is known before anything is unpacked: its header is read here, not by a decoder, and what would
take more time or memory than the largest picture that is read is refused. A decoder gets the picture alone, without
the profiles, texts, thumbnails and animations that a file may carry.
"""
