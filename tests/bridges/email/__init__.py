"""Tests of the mail bridge."""
