import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../message/error-codes.ts';
import type { ApiInstance } from '../context.ts';
import { type BuiltFile, readBuiltFiles } from '../dashboard/built-files.ts';

/** Nothing inline, nothing of another host, no frame around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const yearSeconds = 31_536_000;

/** The dashboard. It asks the API for everything, with the key that its reader signs in with. */
export function showDashboard(app: ApiInstance): void {
  const files = readBuiltFiles();
  const index = files.find(({ path }) => path === 'index.html');
  app.get(
    '/',
    {
      config: { scope: 'none' },
      schema: { summary: 'The dashboard, for people', tags: ['server'], response: { 200: html } },
    },
    async (request, reply) => {
      if (!index) {
        throw new ProblemError(
          'not_found',
          'the dashboard is not built: run `npm run build` where the program is',
        );
      }
      reply.header('content-security-policy', policy).header('referrer-policy', 'no-referrer');
      reply.header('cross-origin-opener-policy', 'same-origin');
      return sendFile(index, { request, reply });
    },
  );
  for (const file of files) {
    if (file === index) continue;
    app.get(`/${file.path}`, { config: { scope: 'none' }, schema: { hide: true } }, async (request, reply) =>
      sendFile(file, { request, reply }),
    );
  }
}

const html = { description: 'a page', content: { 'text/html': { schema: { type: 'string' } } } };

function sendFile(
  file: BuiltFile,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  const { bytes, gzipped, etag, mediaType, immutable } = file;
  reply.header('cache-control', immutable ? `public, max-age=${yearSeconds}, immutable` : 'no-cache');
  reply.header('etag', etag).header('vary', 'accept-encoding');
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  reply.type(mediaType);
  const takesGzip = /\bgzip\b(?!;q=0)/.test(String(request.headers['accept-encoding'] ?? ''));
  return takesGzip ? reply.header('content-encoding', 'gzip').send(gzipped()) : reply.send(bytes);
}
