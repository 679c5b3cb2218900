import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import type { Check, DoctorContext, Finding } from '../check.ts';

/** As long as a write waits for its connection there. */
const answerMaxMs = 5_000;
/** Probes are answered in a line; whoever says more is no Millrace server. */
const answerBytesMax = 65_536;

/** Whether the server that makes the writes of this one can. */
export const writeForwarding: Check = {
  name: 'write-forwarding',
  async run({ writeForwardUrl, signal }) {
    if (writeForwardUrl === undefined)
      return [{ severity: 'ok', summary: 'none is configured: the server makes its writes itself' }];
    return [await look(new URL(writeForwardUrl).origin, signal)];
  },
};

async function look(origin: string, signal: DoctorContext['signal']): Promise<Finding> {
  try {
    const alive = await ask(`${origin}/livez`, signal);
    if (alive.status !== 200 || alive.answer.status !== 'alive') return noMillrace(origin, alive.status);
    return judge(origin, await ask(`${origin}/readyz`, signal));
  } catch (error) {
    signal.throwIfAborted();
    const { message, code } = error as NodeJS.ErrnoException;
    return {
      severity: 'error',
      summary: `${origin} cannot be reached: ${message || code}`,
      mend: 'Start the server there, or mend the way to it: host and port of writeForwardUrl, firewall, certificate (NODE_EXTRA_CA_CERTS). Until then writes are answered with 503.',
    };
  }
}

function judge(origin: string, { status, answer }: Answer): Finding {
  if (answer.writes === 'elsewhere') {
    return {
      severity: 'error',
      summary: `${origin} sends its writes elsewhere too: it is this very server, or another one far from the primary`,
      mend: 'Set writeForwardUrl to a server near the primary, which has no writeForwardUrl itself. Until then writes are answered with 508.',
    };
  }
  if (status !== 200) {
    return {
      severity: 'warning',
      summary: `${origin} is alive and not ready: ${answer.detail ?? `GET /readyz is answered with ${status}`}`,
      mend: 'Run millrace doctor there.',
    };
  }
  return { severity: 'ok', summary: `${origin} is alive and makes the writes` };
}

function noMillrace(origin: string, status: number): Finding {
  return {
    severity: 'error',
    summary: `${origin} is no Millrace server: it answers GET /livez with ${status}, and not that it is alive`,
    mend: 'Set writeForwardUrl to a Millrace server near the primary, or to the load balancer before such servers.',
  };
}

interface Answer {
  status: number;
  /** Empty where it is no JSON object. */
  answer: { status?: unknown; writes?: unknown; detail?: unknown };
}

/** As a write would ask: of the same HTTP client, and following no redirect. */
async function ask(url: string, signal: AbortSignal): Promise<Answer> {
  const late = AbortSignal.timeout(answerMaxMs);
  const get = url.startsWith('https:') ? httpsGet : httpGet;
  const request = get(url, { agent: false, signal: AbortSignal.any([signal, late]) });
  // Also of an answer that breaks off, which its body tells.
  request.on('error', () => {});
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { status: response.statusCode!, answer: objectOf(await startOf(response)) };
  } catch (error) {
    throw late.aborted ? new Error(`no answer within ${answerMaxMs / 1_000} s`) : error;
  } finally {
    request.destroy();
  }
}

async function startOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > answerBytesMax) break;
  }
  return Buffer.concat(parts).toString();
}

function objectOf(text: string): Answer['answer'] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
