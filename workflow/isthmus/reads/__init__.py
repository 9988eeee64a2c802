"""Reads of sequencers: FASTQ files found, checked, and counted by kb-python."""
