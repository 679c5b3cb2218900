import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { PassThrough, type Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../message/error-codes.ts';
import type { Lifecycle } from '../lifecycle.ts';
import { endToEndHeaders, forwardedHeaders, originForm } from './end-to-end-headers.ts';

/** Some times the way around the world, with TLS. */
const connectMaxMs = 5_000;
/** Nothing moves either way. Less than what cuts the client's own connection, so that it gets an answer first. */
const silenceMaxMs = 240_000;
/** Connections that wait for the next request. */
const freeConnectionsMax = 64;

export interface Forwarder {
  /**
   * Sends a request on as it comes in. Puts the status and the headers of its answer on `reply`, and returns its body,
   * which breaks off where the answer does.
   *
   * @throws ProblemError `unavailable`; `stopping` when this server stops before the body has come to its end
   */
  forward(request: FastifyRequest, reply: FastifyReply): Promise<Readable>;
  close(): void;
}

/**
 * Of the platform's HTTP client: its streams hold back the sender when the far end is slow, and it hands out an answer
 * that comes before the body's end, which is how uploads are refused.
 */
export function createForwarder(settings: {
  /** An origin. */
  url: URL;
  lifecycle: Pick<Lifecycle, 'signal'>;
  connectMs?: number;
  silenceMs?: number;
}): Forwarder {
  const { url, lifecycle, connectMs = connectMaxMs, silenceMs = silenceMaxMs } = settings;
  const isSecure = url.protocol === 'https:';
  const agentSettings = { keepAlive: true, maxFreeSockets: freeConnectionsMax };
  const agent = isSecure ? new HttpsAgent(agentSettings) : new HttpAgent(agentSettings);
  /** Ends what still comes in. One listener for all: each upload would add its own. */
  const incoming = new Set<() => void>();
  const onStop = () => {
    for (const end of incoming) end();
  };
  lifecycle.signal.addEventListener('abort', onStop);

  function open(raw: IncomingMessage): ClientRequest {
    const { method } = raw;
    const where = { agent, method, path: originForm(raw.url!), headers: forwardedHeaders(raw) };
    return isSecure ? httpsRequest(url, where) : httpRequest(url, where);
  }

  async function answerTo(raw: IncomingMessage, client: FastifyReply['raw']): Promise<IncomingMessage> {
    // It went while its key was looked up, and has told so already.
    if (client.destroyed || (raw.destroyed && !raw.complete)) throw senderGone();
    const outgoing = open(raw);
    const sent = watchConnection(outgoing, { isSecure, connectMs });
    outgoing.setTimeout(silenceMs, () => outgoing.destroy(new Error(`nothing moved for ${silenceMs} ms`)));
    // Whoever waits for nothing more wants nothing more to be done.
    client.once('close', () => {
      if (!client.writableFinished || !outgoing.writableFinished) outgoing.destroy();
    });
    // What still comes in is dropped, as of any request that is answered early.
    outgoing.once('close', () => raw.unpipe(outgoing).resume());
    let end = () => {};
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        end = () => {
          if (!raw.complete) reject(lifecycle.signal.reason);
        };
        incoming.add(end);
        if (lifecycle.signal.aborted) end();
        outgoing.once('response', resolve);
        // Listened to until the end: an answer that came early is followed by a broken body.
        outgoing.on('error', (cause) => reject(client.destroyed ? senderGone() : away(cause, sent())));
        // After an answer it changes nothing; without one there is none to come.
        outgoing.once('close', () => reject(away(undefined, sent())));
        // Of a body that breaks off the pipe makes no end: the far end sees it break off too.
        raw.once('close', () => raw.complete || reject(senderGone()));
        outgoing.flushHeaders();
        raw.pipe(outgoing);
      });
    } catch (error) {
      outgoing.destroy();
      throw error;
    } finally {
      incoming.delete(end);
    }
  }

  return {
    async forward({ raw }, reply) {
      const answer = await answerTo(raw, reply.raw);
      reply.code(answer.statusCode!);
      const before = reply.getHeaders();
      const headers = endToEndHeaders(answer);
      for (const [name, values] of headers) reply.header(name, values.length === 1 ? values[0] : values);
      const body = wholeBody(answer);
      // Before anything has left, a problem document takes the place of the answer, which they do not describe.
      body.once('error', () => {
        if (reply.raw.headersSent) return;
        for (const [name] of headers) reply.removeHeader(name);
        reply.headers(before);
      });
      return body;
    },
    close() {
      lifecycle.signal.removeEventListener('abort', onStop);
      agent.destroy();
    },
  };
}

/** Tells whether anything can have been sent, and gives up when there is no connection in time. */
function watchConnection(
  outgoing: ClientRequest,
  { isSecure, connectMs }: { isSecure: boolean; connectMs: number },
): () => boolean {
  let connected = false;
  const timer = setTimeout(
    () => outgoing.destroy(new Error(`no connection within ${connectMs} ms`)),
    connectMs,
  );
  const onConnected = () => {
    connected = true;
    clearTimeout(timer);
  };
  outgoing.once('close', () => clearTimeout(timer));
  outgoing.once('socket', (socket) => {
    if (socket.connecting) socket.once(isSecure ? 'secureConnect' : 'connect', onConnected);
    else onConnected();
  });
  return () => connected;
}

/** Breaks off where the answer does, which a pipe alone would leave open. */
function wholeBody(answer: IncomingMessage): Readable {
  const body = new PassThrough();
  // It may break before anybody reads it, who then finds it broken.
  body.on('error', () => {});
  answer.on('error', (cause) => body.destroy(away(cause, true)));
  answer.on('close', () => answer.complete || body.destroy(away(undefined, true)));
  body.on('close', () => answer.destroy());
  return answer.pipe(body);
}

function away(cause: Error | undefined, sent: boolean): ProblemError {
  const detail = sent
    ? 'The connection to the server that makes the writes broke, and nobody knows what it did: ask again, with the same Idempotency-Key.'
    : 'The server that makes the writes cannot be reached, so nothing was done.';
  const problem = new ProblemError('unavailable', detail, { retryAfterSeconds: 1 });
  problem.cause = cause;
  return problem;
}

function senderGone(): ProblemError {
  return new ProblemError('invalid_request', 'The request broke off.');
}
