"""Every call of the public face, a file per subject."""

from gateway.operation import Operation
from gateway.routes import (
    accesses,
    attachments,
    batch,
    billing,
    docs,
    document_types,
    documents,
    health,
    keys,
    mandates,
    notifications,
    organisations,
    sign_in,
    simulation,
    tasks,
    timeline_stream,
    titles,
    webhooks,
)

OPERATIONS: tuple[Operation, ...] = (
    *sign_in.OPERATIONS,
    *keys.OPERATIONS,
    *document_types.OPERATIONS,
    *documents.OPERATIONS,
    *timeline_stream.OPERATIONS,
    *simulation.OPERATIONS,
    *batch.OPERATIONS,
    *accesses.OPERATIONS,
    *attachments.OPERATIONS,
    *titles.OPERATIONS,
    *tasks.OPERATIONS,
    *billing.OPERATIONS,
    *notifications.OPERATIONS,
    *webhooks.OPERATIONS,
    *organisations.OPERATIONS,
    *mandates.OPERATIONS,
    *health.OPERATIONS,
    *docs.OPERATIONS,
)
