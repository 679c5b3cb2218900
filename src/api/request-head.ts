import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '../message/error-codes.ts';
import { problemContentType, problemText } from './problem.ts';

/** Browsers and proxies send some dozens. */
const headersMax = 500;

/**
 * Takes over from Node what it would answer by itself: a missing Host and an unknown expectation without a problem
 * document, `100 Continue` before anybody was asked who they are, and headers beyond a count that it drops in silence.
 */
export function judgeHeadsHere(server: Server): void {
  // The size of all headers together bounds their number.
  server.maxHeadersCount = 0;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request);
    server.emit('request', request, response);
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const problem = new ProblemError('expectation_failed', 'Expect may be 100-continue, or absent.');
    response.writeHead(417, { 'content-type': problemContentType, connection: 'close' });
    response.end(problemText(problem));
  });
}

/** Requests whose body is sent only when they are told so. */
const waiting = new WeakSet<IncomingMessage>();

/** Asks for the body of a request that waits to be asked: whoever sends it may do so. */
export function askForBody({ raw }: FastifyRequest, response: ServerResponse): void {
  if (waiting.delete(raw)) response.writeContinue();
}

/** What is wrong with the head of a request as such. */
export function headProblem({ raw }: FastifyRequest): ProblemError | undefined {
  if (raw.rawHeaders.length > 2 * headersMax) {
    return new ProblemError('headers_too_large', `a request may have ${headersMax} headers`);
  }
  // RFC 9112, 3.2: a server must refuse it.
  if (raw.headers.host === undefined && raw.httpVersion === '1.1') {
    return new ProblemError('invalid_request', 'a request needs a Host header');
  }
  return undefined;
}
