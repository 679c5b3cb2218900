import { ApiError, ConnectionError, type Problem, SourceError } from '../client/client.ts';
import { ConfigError } from '../config/config-error.ts';
import { Failure } from './failure.ts';
import { formatCount } from './format.ts';

export interface DescribedFailure {
  message: string;
  /** What to do next, and the single errors that a problem lists: one line each. */
  lines: string[];
  exitStatus: 1 | 2;
}

/** Errors of single lines shown; the rest is counted. */
const errorsShownMax = 10;

/** Any error as a person should read it. */
export function describeFailure(error: unknown): DescribedFailure {
  if (error instanceof Failure) {
    return {
      message: error.message,
      lines: error.hint === undefined ? [] : [error.hint],
      exitStatus: error.exitStatus,
    };
  }
  if (error instanceof ConfigError) {
    return { message: error.message, lines: ['millrace config show lists every option.'], exitStatus: 2 };
  }
  if (error instanceof ApiError) return describeProblem(error);
  if (error instanceof ConnectionError) return describeConnection(error);
  if (error instanceof SourceError) return { message: error.message, lines: [], exitStatus: 1 };
  return { message: describeUnknown(error), lines: [], exitStatus: 1 };
}

function describeProblem({ problem, retryAfterMs }: ApiError): DescribedFailure {
  const lines = problem.errors
    .slice(0, errorsShownMax)
    .map((item) => `  ${place(item)}${item.code}: ${item.detail}`);
  const more = problem.errors.length - lines.length;
  if (more > 0) lines.push(`  and ${formatCount(more)} more`);
  const hint = hintFor(problem, retryAfterMs);
  if (hint !== undefined) lines.push(hint);
  return { message: `${problem.detail} (${problem.code})`, lines, exitStatus: 1 };
}

function place({ line, index, pointer }: Problem['errors'][number]): string {
  if (line !== undefined) return `line ${line}: `;
  if (index !== undefined) return `message ${index}: `;
  return pointer === undefined ? '' : `${pointer}: `;
}

function hintFor({ status, code }: Problem, retryAfterMs: number | undefined): string | undefined {
  if (status === 401) {
    return 'The key is taken from MILLRACE_KEY, else from admin.key in the data directory (--data names another one).';
  }
  if (status === 403) return 'Use a key with the scope that this needs: millrace key create --scope …';
  if (code === 'unknown_route') return 'millrace route list shows the routes; millrace route set makes one.';
  if (code === 'upload_superseded') return 'Another upload of this batch has taken over; let it finish.';
  if (retryAfterMs !== undefined)
    return `The server asks to try again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return undefined;
}

function describeConnection(error: ConnectionError): DescribedFailure {
  const hints = {
    unreachable: 'Start a server with: millrace serve. Another address goes into MILLRACE_URL or --url.',
    broken: 'The server may have stopped meanwhile; its log tells. Running the same command again is safe.',
    protocol: 'Is there another program at this address? MILLRACE_URL or --url names the server.',
  };
  return { message: error.message, lines: [hints[error.kind]], exitStatus: 1 };
}

function describeUnknown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Errors of the system (a missing file, a taken port) carry a code and a message that tells; others are bugs.
  return 'code' in error || error.name === 'AbortError' ? error.message : (error.stack ?? error.message);
}
