import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import fastify, {
  type FastifyReply,
  type FastifyRequest,
  type FastifySchema,
  LogController,
  type RouteOptions,
} from 'fastify';
import { Type } from 'typebox';
import { ProblemError } from '../message/error-codes.ts';
import { DatabaseError } from '../store/database.ts';
import { createAdmission } from './admission.ts';
import { readJsonBodies, withStreamBodies } from './body.ts';
import { isClassic } from './compat/messagebird/access-key.ts';
import { serveClassicApi } from './compat/messagebird/classic-endpoints.ts';
import { rewriteRequest } from './compat/messagebird/rewrite-request.ts';
import { sendProblemAsErrors } from './compat/messagebird/send-errors.ts';
import type { ApiContext, ApiInstance, ProbeContext } from './context.ts';
import { makeWritesElsewhere } from './elsewhere/writes-elsewhere.ts';
import { tellLookedIn } from './looked-in.ts';
import { createMethodTable, type MethodTable } from './method-table.ts';
import { documentEndpoints } from './openapi.ts';
import { logProblem, problemContentType, problemOf, problemText, sendProblem } from './problem.ts';
import { carryConsistency } from './read-target.ts';
import { askForBody, headProblem, judgeHeadsHere } from './request-head.ts';
import { endpoints, probeEndpoints, streamEndpoints } from './routes.ts';
import { serializerCompiler } from './serializer-compiler.ts';
import { shareReads } from './shared-reads.ts';
import { validatorCompiler } from './validation.ts';

/** Of the request line and the headers together; Node answers 431 above it. */
const headerBytesMax = 16_384;
/** Of one decoded part of a path: names end at 64 characters, ids at 36. */
const pathPartLengthMax = 300;
/** The time that a refused upload gets to notice the answer before its connection is cut. */
const lingerMs = 5_000;

/** The HTTP API, ready to listen. */
export function buildServer(context: ApiContext): ApiInstance {
  const app = buildShell(context, createAdmission(context));
  carryConsistency(app, context);
  makeWritesElsewhere(app, context);
  documentEndpoints(app);
  void app.register((scope, _options, done) => {
    for (const endpoint of endpoints) endpoint(scope as unknown as ApiInstance, context);
    done();
  });
  withStreamBodies(app, (scope) => {
    for (const endpoint of streamEndpoints) endpoint(scope, context);
  });
  serveClassicApi(app, context);
  return app;
}

/** What is asked of a server that has no API: is it alive, is it ready, what does it do? */
export function buildProbeServer(context: ProbeContext): ApiInstance {
  const app = buildShell(context, undefined);
  for (const endpoint of probeEndpoints) endpoint(app, context);
  return app;
}

/** Without `admit` every endpoint is one that takes no key. */
function buildShell(context: ProbeContext, admit: Admit | undefined): ApiInstance {
  const app = createInstance(context);
  const methods = createMethodTable();
  app.server.maxConnections = context.clientLimits.connectionsMax;
  judgeHeadsHere(app.server);

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => {
    const problem = tellLookedIn(problemOf(error), request);
    if (error instanceof DatabaseError) context.metrics.databaseFault(error.fault.kind);
    logProblem(request, error, problem);
    return answerProblem(request, reply, problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const problem = unmatched(methods, request, reply);
    const isQuestion = request.method === 'OPTIONS' && problem.code === 'method_not_allowed';
    return isQuestion ? reply.code(204).send() : answerProblem(request, reply, problem);
  });
  readJsonBodies(app);

  app.decorateRequest('caller');
  shareReads(app);
  app.addHook('onRoute', (route) => {
    if (!route.config?.scope) throw new Error(`${String(route.method)} ${route.url} names no scope`);
    methods.add(route.method, route.url);
    refuseUnknownQuery(route);
  });
  app.addHook('onRequest', async (request, reply) => {
    const refused = await refusal({ context, methods, admit, request, reply });
    if (refused) throw refused;
    askForBody(request, reply.raw);
  });
  app.addHook('onResponse', (request, reply, done) => {
    answered(context, app, request, reply);
    done();
  });
  return app;
}

/**
 * Refuses new requests, lets those in flight end, and cuts what is left at the deadline.
 * May be called twice.
 */
export async function stopServer(
  app: ApiInstance,
  settings: { context: Pick<ApiContext, 'lifecycle'>; deadlineMs: number },
): Promise<void> {
  settings.context.lifecycle.beginStop();
  const timer = setTimeout(() => app.server.closeAllConnections(), settings.deadlineMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

function createInstance(context: ProbeContext): ApiInstance {
  const limits = context.clientLimits;
  const idPrefix = randomBytes(6).toString('base64url');
  let requests = 0;
  const http = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: limits.checkEveryMs,
    keepAlive: true,
    keepAliveInitialDelay: limits.probeAfterMs,
    requireHostHeader: false,
  };
  const app = fastify({
    ...(context.tls
      ? { https: { ...http, handshakeTimeout: limits.headersTimeoutMs, ...context.tls } }
      : { http }),
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger for each request is a cost for nothing: what is logged names its request.
    childLoggerFactory: (logger) => logger,
    genReqId: () => `${idPrefix}-${(++requests).toString(36)}`,
    connectionTimeout: limits.socketIdleMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Uploads take hours: what bounds a request is its headers' time, its body's reader, the idle socket.
    requestTimeout: 0,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: pathPartLengthMax },
    rewriteUrl: rewriteRequest,
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
    clientErrorHandler: answerUnreadable,
  });
  return app as unknown as ApiInstance;
}

/** In the clothes of the API that the client speaks. */
function answerProblem(request: FastifyRequest, reply: FastifyReply, problem: ProblemError): FastifyReply {
  return isClassic(request) ? sendProblemAsErrors(reply, problem) : sendProblem(reply, problem);
}

type Admit = ReturnType<typeof createAdmission>;

/** Before anything is read of the body: is the server there, does the endpoint exist, who asks? */
async function refusal(at: {
  context: ProbeContext;
  methods: MethodTable;
  admit: Admit | undefined;
  request: FastifyRequest;
  reply: FastifyReply;
}): Promise<ProblemError | undefined> {
  const { context, methods, admit, request, reply } = at;
  const { scope } = request.routeOptions.config;
  reply.header('request-id', request.id).header('x-content-type-options', 'nosniff');
  reply.header('cache-control', 'no-store');
  if (context.lifecycle.leaving) reply.header('connection', 'close');
  if (context.lifecycle.stopping && scope !== 'none') {
    return new ProblemError('stopping', 'send this to another server, or again', { retryAfterSeconds: 1 });
  }
  const malformed = headProblem(request) ?? malformedUrl(request.raw.url ?? '');
  if (malformed) return malformed;
  // OPTIONS of a path that exists is no error: the handler for unmatched requests answers it.
  if (request.is404) return request.method === 'OPTIONS' ? undefined : unmatched(methods, request, reply);
  if (scope === 'none' || !admit) return undefined;
  try {
    request.caller = await admit(request, scope!);
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}

/** What an endpoint does not name it does not obey, so it is refused; one that is not built refuses everything. */
function refuseUnknownQuery(route: RouteOptions): void {
  const schema: FastifySchema = route.schema ?? {};
  if (schema.querystring !== undefined || schema.hide) return;
  route.schema = { ...schema, querystring: Type.Object({}, { additionalProperties: false }) };
}

/** PostgreSQL texts hold no U+0000, and a wrong encoding would silently mean another text. */
function malformedUrl(url: string): ProblemError | undefined {
  if (!url.includes('%')) return undefined;
  try {
    if (!decodeURIComponent(url).includes('\0')) return undefined;
  } catch {
    // Told below.
  }
  return new ProblemError('invalid_request', 'the URL is not valid percent-encoded UTF-8, or holds U+0000');
}

function unmatched(methods: MethodTable, request: FastifyRequest, reply: FastifyReply): ProblemError {
  const allowed = methods.allowedAt(request.url);
  if (allowed.length === 0) return new ProblemError('not_found', 'there is nothing at this path');
  reply.header('allow', allowed.join(', '));
  return new ProblemError('method_not_allowed', `this path takes ${allowed.join(', ')}`);
}

function answered(
  context: ProbeContext,
  app: ApiInstance,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { statusCode: status, elapsedTime: elapsedMs } = reply;
  const route = request.routeOptions.url ?? 'unmatched';
  const method = request.is404 ? 'any' : request.method;
  context.metrics.requestAnswered({ method, route, status, seconds: elapsedMs / 1_000 });
  context.log.debug({ requestId: request.id, method: request.method, route, status, elapsedMs }, 'request');

  const { raw } = request;
  if (!raw.complete) {
    // Node reads and drops the rest of a body. Cutting at once would lose the answer on its way.
    setTimeout(() => raw.complete || raw.destroy(), lingerMs).unref();
  }
  // Once the listener is closed, a connection that is kept alive for nothing would only delay the end.
  if (context.lifecycle.stopping && !app.server.listening) {
    setImmediate(() => app.server.closeIdleConnections());
  }
}

/** What Node could not parse as HTTP never becomes a request: answered on the socket itself. */
function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, detail] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([
          '431 Request Header Fields Too Large',
          'headers_too_large',
          'URL and headers are too long',
        ] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? (['408 Request Timeout', 'request_timeout', 'the headers did not arrive in time'] as const)
        : (['400 Bad Request', 'invalid_request', 'this is not HTTP'] as const);
  const body = problemText(new ProblemError(code, detail));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: ${problemContentType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}
