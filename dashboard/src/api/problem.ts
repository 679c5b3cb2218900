/** What the server, or the way to it, has refused; `detail` is a sentence for a person. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly members: Record<string, unknown>;

  constructor(fields: { status: number; code: string; detail: string; members?: Record<string, unknown> }) {
    super(fields.detail);
    this.status = fields.status;
    this.code = fields.code;
    this.detail = fields.detail;
    this.members = fields.members ?? {};
  }
}

/** Of an answer that is not 2xx. Whatever stands between may answer something else than a problem document. */
export async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  const members = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const code = typeof members.code === 'string' ? members.code : `http_${status}`;
  const said = [members.detail, members.title].find((text) => typeof text === 'string' && text !== '');
  const errors = Array.isArray(members.errors) ? (members.errors as Record<string, unknown>[]) : [];
  const places = errors
    .slice(0, 5)
    .map(({ pointer, detail }) => [pointer, detail].filter(Boolean).join(' '))
    .filter((text) => text !== '' && !String(said).includes(text));
  const detail = [said ?? `The server answered ${status}.`, ...places].join(' ');
  return new Problem({ status, code, detail, members });
}

/** Of anything that was thrown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === 'AbortError') {
    return new Problem({ status: 0, code: 'aborted', detail: 'This was stopped.' });
  }
  return new Problem({
    status: 0,
    code: 'unreachable',
    detail: 'The server cannot be reached. It is tried again.',
  });
}
