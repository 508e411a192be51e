//! What the trimmer and the auditor need to know of an ELF file.
