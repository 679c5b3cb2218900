import { judgedBatch, type Tally } from '../../intake/judging.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { cancelBatch } from '../../store/decisions/hold-batch.ts';
import type { NewBatch } from '../../store/intake/create-batch.ts';
import { findBatch } from '../../store/reading/find-batch.ts';
import type { ApiContext } from '../context.ts';
import type { UploadTry } from '../keyed-upload.ts';
import { readBatch } from './batch-fields.ts';

/**
 * Takes all lines of a body into a batch of its own, or none: judges it whole, makes the batch and charges for all of it, stores it from where it was kept, and
 * closes the batch when just what was judged is there. Until then nothing of it leaves, and nobody else adds to it or closes it.
 * @throws ProblemError `validation_failed` with the lines that cannot be taken; `conflict` where what they are judged by changed on the way
 */
export async function takeWhole(
  context: ApiContext,
  { batch, tried }: { batch: NewBatch; tried: UploadTry },
): Promise<void> {
  const { accountId, id } = batch;
  // It is made only when all of it was judged.
  const made = tried.again ? await findBatch(context.database, { accountId, id }) : undefined;
  if (!made) await make(context, { batch, tried });
  try {
    await tried.upload({
      ...{ batch: id, atomic: true },
      ...(tried.again && { again: { upload: undefined, firstLine: 1 } }),
    });
  } catch (error) {
    const isClosed = tried.again && error instanceof ProblemError && error.code === 'batch_closed';
    if (!isClosed) throw await endedShort(context, { batch, tried, error });
    // The last try closed it, and only its answer was lost.
    await tried.pass();
    return;
  }
  const { counts, defaults } = await readBatch(context, { accountId, id });
  if (counts.rejected > 0 || counts.accepted !== defaults.atomic?.messages) throw judgedOtherwise(id);
  await context.intake.closeBatch({ batch: id, accountId });
}

async function make(
  context: ApiContext,
  { batch, tried }: { batch: NewBatch; tried: UploadTry },
): Promise<void> {
  const { tally, amount } = await tried.judge(judgedBatch(batch)).catch((error: unknown) => {
    throw error instanceof ProblemError ? nothingTaken(error) : error;
  });
  if (tally.rejected > 0) throw notWhole(tally);
  const defaults = { ...batch.defaults, atomic: { messages: tally.accepted } };
  await context.intake.uploads.createWhole({ ...batch, defaults }, amount);
}

/** What cannot be taken whole is not taken at all. */
function notWhole({ accepted, rejected, errors }: Tally): ProblemError {
  const [first] = errors;
  const detail = `Nothing was taken: ${rejected} of ${accepted + rejected} lines cannot be; line ${first!.line}: ${first!.detail}`;
  return new ProblemError('validation_failed', detail, { errors, extra: { accepted: 0, rejected } });
}

/** What ended the judging is told without the places of an upload, which was not begun. */
function nothingTaken({ code, message, errors, retryAfterSeconds }: ProblemError): ProblemError {
  const [line] = errors;
  const why = line
    ? `: line ${line.line}: ${line.detail}`
    : message.includes('nextLine')
      ? ''
      : `: ${message}`;
  const detail = `Nothing was taken${why.replace(/\.$/, '')}. Send all of it again.`;
  return new ProblemError(code, detail, {
    ...{ errors, extra: { accepted: 0 } },
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}

/** It was judged, and not all of it is stored. With a key the same request goes on; without one nobody can, and it is called off. */
async function endedShort(
  context: ApiContext,
  { batch, tried, error }: { batch: NewBatch; tried: UploadTry; error: unknown },
): Promise<unknown> {
  const { accountId, id: batchId } = batch;
  const isKeyed = tried.keyHash !== undefined;
  const isCanceled = !isKeyed && (await callOff(context, { accountId, batch: batchId }));
  if (!(error instanceof ProblemError)) return error;
  const { code, retryAfterSeconds } = error;
  const next = isKeyed
    ? 'send the same again with its Idempotency-Key, and it goes on.'
    : `${isCanceled ? 'its batch is canceled.' : 'cancel its batch.'} Send it again; with an Idempotency-Key it would go on.`;
  const detail = `Not all of it was stored, and nothing of it leaves: ${next}`;
  const retry = retryAfterSeconds !== undefined && { retryAfterSeconds };
  return new ProblemError(code, detail, { extra: { batchId }, ...retry });
}

/** False where it could not be. */
async function callOff(context: ApiContext, key: { accountId: number; batch: string }): Promise<boolean> {
  try {
    await cancelBatch(context.database, key);
    await context.intake.closeBatch(key);
    return true;
  } catch (err) {
    // It stays open then, and can be canceled by hand; nothing of it leaves.
    context.log.warn({ err, batch: key.batch }, 'a batch that was not stored whole could not be canceled');
    return false;
  }
}

/** A template or the country of the account may have changed between the two looks at the lines, or another body came with the key. */
function judgedOtherwise(batchId: string): ProblemError {
  const detail =
    'What was stored is not what was judged: what lines are judged by changed meanwhile, or the body is not the one that this key came with before. ' +
    'Nothing of it leaves: cancel the batch, and send it again, under another key if it has one.';
  return new ProblemError('conflict', detail, { extra: { batchId } });
}
