import type { ApiInstance, Endpoint, ProbeContext } from './context.ts';
import { addCredit } from './routes/add-credit.ts';
import { appendMessages } from './routes/append-messages.ts';
import { cancelBatch } from './routes/cancel-batch.ts';
import { cancelMessage } from './routes/cancel-message.ts';
import { changeAccount } from './routes/change-account.ts';
import { changeSuppression } from './routes/change-suppression.ts';
import { changeTemplate } from './routes/change-template.ts';
import { changeWebhook } from './routes/change-webhook.ts';
import { closeBatch } from './routes/close-batch.ts';
import { createAccount } from './routes/create-account.ts';
import { createBatch } from './routes/create-batch.ts';
import { createKey } from './routes/create-key.ts';
import { createMessages } from './routes/create-messages.ts';
import { createSuppressions } from './routes/create-suppressions.ts';
import { createTemplate } from './routes/create-template.ts';
import { createWebhook } from './routes/create-webhook.ts';
import { deleteAccount } from './routes/delete-account.ts';
import { deleteRoute } from './routes/delete-route.ts';
import { deleteSuppression } from './routes/delete-suppression.ts';
import { deleteTemplate } from './routes/delete-template.ts';
import { deleteWebhook } from './routes/delete-webhook.ts';
import { eraseRecipient } from './routes/erase-recipient.ts';
import { exportBatch } from './routes/export-batch.ts';
import { findMessages } from './routes/find-messages.ts';
import { listAccounts } from './routes/list-accounts.ts';
import { listBatchErrors } from './routes/list-batch-errors.ts';
import { listBatchMessages } from './routes/list-batch-messages.ts';
import { listBatches } from './routes/list-batches.ts';
import { listEvents } from './routes/list-events.ts';
import { listKeys } from './routes/list-keys.ts';
import { listLanes } from './routes/list-lanes.ts';
import { listRejections } from './routes/list-rejections.ts';
import { listRoutes } from './routes/list-routes.ts';
import { listSuppressions } from './routes/list-suppressions.ts';
import { listTemplates } from './routes/list-templates.ts';
import { listWebhooks } from './routes/list-webhooks.ts';
import { pauseBatch } from './routes/pause-batch.ts';
import { pauseRoute } from './routes/pause-route.ts';
import { previewTemplate } from './routes/preview-template.ts';
import { putRoute } from './routes/put-route.ts';
import { putSigningKey } from './routes/put-signing-key.ts';
import { replayBatch } from './routes/replay-batch.ts';
import { replayMessage } from './routes/replay-message.ts';
import { resolveBatch } from './routes/resolve-batch.ts';
import { resolveMessage } from './routes/resolve-message.ts';
import { resumeBatch } from './routes/resume-batch.ts';
import { resumeRoute } from './routes/resume-route.ts';
import { revokeKey } from './routes/revoke-key.ts';
import { rotateKey } from './routes/rotate-key.ts';
import { rotateReceiptsUrl } from './routes/rotate-receipts-url.ts';
import { rotateWebhookSecret } from './routes/rotate-webhook-secret.ts';
import { showAccount } from './routes/show-account.ts';
import { showBatch } from './routes/show-batch.ts';
import { showCaller } from './routes/show-caller.ts';
import { showDashboard } from './routes/show-dashboard.ts';
import { showDocs } from './routes/show-docs.ts';
import { showKey } from './routes/show-key.ts';
import { showLiveness } from './routes/show-liveness.ts';
import { showMessage } from './routes/show-message.ts';
import { showMetrics } from './routes/show-metrics.ts';
import { showReadiness } from './routes/show-readiness.ts';
import { showRoute } from './routes/show-route.ts';
import { showSigningKey } from './routes/show-signing-key.ts';
import { showStatistics } from './routes/show-statistics.ts';
import { showSuppression } from './routes/show-suppression.ts';
import { showTemplate } from './routes/show-template.ts';
import { showUsage } from './routes/show-usage.ts';
import { showWebhook } from './routes/show-webhook.ts';
import { streamLive } from './routes/stream-live.ts';
import { takeReceipts } from './routes/take-receipts.ts';
import { testRoute } from './routes/test-route.ts';

/** Endpoints that take no key, also of a server that only delivers. */
export const probeEndpoints = [showLiveness, showReadiness, showMetrics] satisfies ((
  app: ApiInstance,
  context: ProbeContext,
) => void)[];

/** Endpoints whose body, if any, is JSON that their schema describes. */
export const endpoints: readonly Endpoint[] = [
  createAccount,
  listAccounts,
  showAccount,
  changeAccount,
  deleteAccount,
  showUsage,
  addCredit,
  createKey,
  listKeys,
  showKey,
  revokeKey,
  rotateKey,
  putRoute,
  listRoutes,
  showRoute,
  deleteRoute,
  pauseRoute,
  resumeRoute,
  rotateReceiptsUrl,
  testRoute,
  createTemplate,
  listTemplates,
  showTemplate,
  changeTemplate,
  deleteTemplate,
  previewTemplate,
  createSuppressions,
  listSuppressions,
  showSuppression,
  changeSuppression,
  deleteSuppression,
  createWebhook,
  listWebhooks,
  showWebhook,
  changeWebhook,
  deleteWebhook,
  rotateWebhookSecret,
  showSigningKey,
  putSigningKey,
  listLanes,
  showStatistics,
  streamLive,
  showCaller,
  listBatches,
  showBatch,
  pauseBatch,
  resumeBatch,
  cancelBatch,
  replayBatch,
  resolveBatch,
  listBatchMessages,
  listBatchErrors,
  listRejections,
  exportBatch,
  findMessages,
  listEvents,
  showMessage,
  cancelMessage,
  replayMessage,
  resolveMessage,
  eraseRecipient,
  closeBatch,
  showDashboard,
  showDocs,
  ...probeEndpoints,
];

/** Endpoints that get their body as a stream and read it themselves: uploads, messages and receipts. */
export const streamEndpoints: readonly Endpoint[] = [
  createBatch,
  appendMessages,
  createMessages,
  takeReceipts,
];
