"""Platforms that are asked: one file a platform says what to ask next and reads the answer; fetch.py asks;
workers/poll.py drives.
"""
