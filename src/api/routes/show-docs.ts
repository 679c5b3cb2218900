import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/package-root.ts';
import type { ApiInstance } from '../context.ts';
import type { OpenapiDocument } from '../docs/openapi-document.ts';
import { renderDocs } from '../docs/render-docs.ts';

/** Nothing inline, nothing of another host, no frame around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page that people read the API by, made of what `/openapi.json` serves to programs. */
export function showDocs(app: ApiInstance): void {
  let page: Buffer | undefined;
  app.get(
    '/docs',
    {
      config: { scope: 'none' },
      schema: { summary: 'This description, for people', tags: ['server'], response: { 200: html } },
    },
    async (_request, reply) => {
      page ??= Buffer.from(renderDocs(app.swagger() as unknown as OpenapiDocument));
      reply.header('content-security-policy', policy).header('referrer-policy', 'no-referrer');
      return reply.type('text/html; charset=utf-8').send(page);
    },
  );
  for (const { name, mediaType } of parts) {
    const bytes = readFileSync(join(directory, name));
    app.get(`/docs/${name}`, { config: { scope: 'none' }, schema: { hide: true } }, async (_request, reply) =>
      reply.type(mediaType).send(bytes),
    );
  }
}

/** The build puts them where they stand in the sources. */
const directory = join(packageRoot, import.meta.url.endsWith('.ts') ? 'src' : 'dist', 'api/docs');

const html = { description: 'a page', content: { 'text/html': { schema: { type: 'string' } } } };

const parts = [
  { name: 'page.css', mediaType: 'text/css; charset=utf-8' },
  { name: 'page.js', mediaType: 'text/javascript; charset=utf-8' },
];
