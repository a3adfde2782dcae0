"""`brigadewatch audit`: the same detection over files, without a server; for notebooks `audit`."""

from workers.audit.notebook import AuditReport, audit

__all__ = ["AuditReport", "audit"]
