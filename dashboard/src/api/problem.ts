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

/** Of anything that was thrown; `isRead` where nothing was to be done. */
export function asProblem(error: unknown, { isRead = false }: { isRead?: boolean } = {}): Problem {
  if (error instanceof Problem) return error;
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'AbortError') return new Problem({ status: 0, code: 'aborted', detail: 'This was stopped.' });
  if (name === 'NotReadableError' || name === 'NotFoundError') {
    const detail = 'The file changed or cannot be read any more.';
    return new Problem({ status: 0, code: 'unreadable_file', detail });
  }
  const detail = `The server did not answer${isRead ? '' : ': whether this was done is not known'}.`;
  return new Problem({ status: 0, code: 'unreachable', detail });
}

/** What another try may mend: the way to the server, or a server that is busy or ill. */
function mayPass({ status, code }: Problem): boolean {
  return code === 'unreachable' || status === 408 || status === 429 || status >= 500;
}

/** The same, told by those who try again by themselves. */
export function triedAgain(problem: Problem): Problem {
  if (!mayPass(problem)) return problem;
  const { status, code, detail, members } = problem;
  return new Problem({ status, code, detail: `${detail} It is tried again.`, members });
}
