import type { IncomingMessage } from 'node:http';

/** The paths of the classic API that are served here. */
const classicPath = /^\/(?:messages(?:\/[^/]*)?|balance)\/?$/;

/**
 * The URL of a request as it is routed. For the classic API the query's `_method` sets the method, for clients that can only
 * GET or POST, and a slash at the end of the path says nothing: its own links have one.
 */
export function rewriteRequest(request: IncomingMessage): string {
  const url = request.url!;
  const queryStart = url.indexOf('?');
  const path = queryStart === -1 ? url : url.slice(0, queryStart);
  if (!classicPath.test(path)) return url;
  const query = queryStart === -1 ? '' : url.slice(queryStart);
  const wanted = query.includes('_method') ? new URLSearchParams(query).get('_method') : null;
  if ((request.method === 'GET' || request.method === 'POST') && isMethod(wanted)) request.method = wanted;
  return path.replace(/\/$/, '') + query;
}

function isMethod(text: string | null): text is string {
  return text === 'GET' || text === 'POST' || text === 'DELETE';
}
