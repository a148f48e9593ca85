"""Every metric of intake, each with a sentence for the person on call."""

from prometheus_client import Counter, Gauge, Histogram

SUBMISSIONS_TOTAL = Counter(
    "portolan_intake_submissions_total",
    "Submissions by what became of them. A rise of `error` is ours; `refused` is what callers sent.",
    ["outcome"],
)
BATCH_DOCUMENTS = Histogram(
    "portolan_intake_batch_documents",
    "Documents that shared one commit. Near the maximum for long: intake needs another process.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200),
)
WAITING_DOCUMENTS = Gauge(
    "portolan_intake_waiting_documents",
    "Valid documents waiting for their commit. When it grows, look at the database.",
)
BATCH_FALLBACKS_TOTAL = Counter(
    "portolan_intake_batch_fallbacks_total",
    "Batches that failed as a whole and were committed one by one. Should stay at zero; the log says why.",
)
IMPUTATIONS_TOTAL = Counter(
    "portolan_intake_imputations_total",
    "Imputations by outcome. `exceeded` is a title that had no more.",
    ["outcome"],
)
PAYMENTS_TOTAL = Counter(
    "portolan_intake_payments_total",
    "Payments of titles by outcome. `exceeded` is a bank that paid more than customs imputed or an advance admits.",
    ["outcome"],
)
EXPIRIES_PARKED_TOTAL = Counter(
    "portolan_intake_expiries_parked_total",
    "Titles whose expiry failed and is tried again later. Any at all: read the log, and mend them.",
)
TITLES_EXPIRED_TOTAL = Counter(
    "portolan_intake_titles_expired_total",
    "Titles whose validity passed. A jump after quiet means that nobody swept for a while.",
)
ATTACHMENTS_TOTAL = Counter(
    "portolan_intake_attachments_total",
    "Files received, by whether their bytes were here before.",
    ["outcome"],
)
PENDING_ATTACHMENTS = Gauge(
    "portolan_intake_pending_attachments",
    "Files that wait to be searched for viruses, as far as they were looked at. When it stays up, ask what ails clamd.",
)
ACCESSES_DROPPED_TOTAL = Counter(
    "portolan_intake_accesses_dropped_total",
    "Reads that the access log had no room for. Above zero the log has a gap: the database cannot keep up.",
)
