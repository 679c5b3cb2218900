import { expect, test } from 'vitest';
import type { Answer } from '../../connectors/connector.ts';
import { sendError } from '../../connectors/send-errors.ts';
import { requestResult } from './request-result.ts';

const sent: Answer = { kind: 'sent' };
const retry = (code: Parameters<typeof sendError>[0], retryAfterMs?: number): Answer => ({
  kind: 'retry',
  error: sendError(code),
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});
const uncertain = (code: Parameters<typeof sendError>[0]): Answer => ({
  kind: 'uncertain',
  error: sendError(code),
});

test.each<[string, Answer[], ReturnType<typeof requestResult>]>([
  ['one message of a batch that got through', [uncertain('result_missing'), sent], { kind: 'good' }],
  [
    'a refusal on the merits',
    [{ kind: 'rejected', error: sendError('provider_rejected') }],
    { kind: 'good' },
  ],
  ['429', [retry('rate_limited')], { kind: 'refused', retryAfterMs: undefined }],
  ['429 with a time', [retry('rate_limited', 7_000)], { kind: 'refused', retryAfterMs: 7_000 }],
  ['503 with a time', [retry('provider_unavailable', 7_000)], { kind: 'refused', retryAfterMs: 7_000 }],
  ['503 without one', [retry('provider_unavailable')], { kind: 'failed' }],
  ['no connection', [retry('connection_refused')], { kind: 'failed' }],
  ['credentials that it does not accept', [retry('credentials_refused')], { kind: 'failed' }],
  ['no credit left there', [retry('credit_exhausted')], { kind: 'failed' }],
  ['a timeout', [uncertain('provider_timeout')], { kind: 'failed' }],
  [
    'another 5xx for a whole batch',
    [uncertain('provider_error'), uncertain('provider_error')],
    { kind: 'failed' },
  ],
  ['no answer at all', [], { kind: 'failed' }],
  ['a request that was stopped here', [retry('aborted')], { kind: 'unsent' }],
  [
    'a request that could not be formed',
    [{ kind: 'rejected', error: sendError('request_invalid') }],
    { kind: 'unsent' },
  ],
])('%s', (_, answers, expected) => {
  expect(requestResult(answers)).toEqual(expected);
});
