import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../message/error-codes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { reloaded } from '../control-write.ts';
import { sendProblem } from '../problem.ts';
import { wasForwarded } from './end-to-end-headers.ts';
import { flyReplayBytesMax, isReplayable, wasReplayed } from './fly-replay.ts';
import { createForwarder } from './forwarder.ts';

/** Where the writes of a server are made that stands far from the primary: at least one of the two. */
export interface WritesElsewhere {
  /** The origin of a server near the primary. */
  forwardUrl?: URL;
  /** Fly's proxy repeats the request in this region. */
  replayRegion?: string;
}

/** One configuration serves all regions: in the primary's neither option does anything. */
export function writesElsewhere(config: {
  writeForwardUrl: string | undefined;
  flyReplayRegion: string | undefined;
  flyRegion: string | undefined;
}): { elsewhere?: WritesElsewhere } {
  const { writeForwardUrl: forwardUrl, flyReplayRegion: replayRegion, flyRegion } = config;
  const isHome = replayRegion !== undefined && replayRegion === flyRegion;
  if (isHome || (forwardUrl ?? replayRegion) === undefined) return {};
  return {
    elsewhere: {
      ...(forwardUrl !== undefined && { forwardUrl: new URL(forwardUrl) }),
      ...(replayRegion !== undefined && { replayRegion }),
    },
  };
}

/**
 * Sends writes to where the primary is, once their sender is known and allowed to make them: what nobody is allowed is
 * refused here and costs no way across the world. An endpoint's own checks are made there, on newer knowledge.
 */
export function makeWritesElsewhere(app: ApiInstance, context: ApiContext): void {
  const { elsewhere, metrics } = context;
  if (!elsewhere) return;
  const { forwardUrl, replayRegion } = elsewhere;
  const forwarder = forwardUrl && createForwarder({ url: forwardUrl, lifecycle: context.lifecycle });
  app.addHook('onClose', async () => forwarder?.close());

  /** False when it is to be made here. */
  async function makeElsewhere(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    if (wasForwarded(request.raw)) throw forwardedTwice();
    const mayReplay = replayRegion !== undefined && !wasReplayed(request.raw);
    if (mayReplay && isReplayable(request.raw)) {
      metrics.writeMadeElsewhere('replay');
      askToReplay(reply, replayRegion);
      return true;
    }
    if (forwarder) {
      metrics.writeMadeElsewhere('forward');
      const answer = await forwarder.forward(request, reply);
      if (changesControl(request) && reply.statusCode < 300) await reloaded(context);
      reply.send(answer);
      return true;
    }
    if (mayReplay) throw tooLargeToReplay(replayRegion);
    // Fly's proxy brought it here again, so it can be made nowhere else: here it takes longer, and is as right.
    return false;
  }

  // No async hook: Fastify takes that for unanswered when the answer breaks off, and the write would be made here too.
  app.addHook('onRequest', (request, reply, done) => {
    if (!isWrite(request)) return done();
    makeElsewhere(request, reply).then((made) => {
      if (!made) done();
    }, done);
  });
}

/** Whatever takes no key counts as well: providers report receipts to the region that is near them. */
function isWrite({ method, is404 }: FastifyRequest): boolean {
  return !is404 && method !== 'GET' && method !== 'HEAD';
}

/** A key that was made through this server works here when its answer arrives. */
function changesControl(request: FastifyRequest): boolean {
  return request.routeOptions.config.scope === 'admin';
}

/** Its proxy takes the header and drops the rest: whoever reads that came another way. */
function askToReplay(reply: FastifyReply, region: string): void {
  reply.header('fly-replay', `region=${region}`);
  const detail = `Writes are made in the region ${region}. Fly's proxy repeats them there: reach this server through it.`;
  sendProblem(reply, new ProblemError('wrong_region', detail));
}

function tooLargeToReplay(region: string): ProblemError {
  return new ProblemError(
    'wrong_region',
    `Writes are made in the region ${region}, and Fly's proxy repeats there what says by Content-Length that it has ` +
      `${flyReplayBytesMax} bytes at most, headers included. Send this with the header "fly-prefer-region: ${region}", ` +
      'or set writeForwardUrl on this server.',
  );
}

function forwardedTwice(): ProblemError {
  return new ProblemError(
    'forwarded_twice',
    'a Millrace server forwarded this request to another one that forwards writes too: ' +
      'its writeForwardUrl must lead to servers in the region of the primary, which forward none',
  );
}
