"""The reference application: small and real. README.md says what it is."""
