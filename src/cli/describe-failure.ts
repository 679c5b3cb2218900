import { ApiError, ConnectionError, type Problem, type ProblemItem, SourceError } from '../client/client.ts';
import { ConfigError } from '../config/config-error.ts';
import { adviseFault } from '../store/advise-fault.ts';
import type { Fault } from '../store/fault.ts';
import { Failure } from './failure.ts';
import { formatCount } from './format.ts';

export interface DescribedFailure {
  message: string;
  /** What to do next, and the single errors that a problem lists: one line each. */
  lines: string[];
  exitStatus: 1 | 2;
}

const protocolHint = 'Is there another program at this address? MILLRACE_URL or --url names the server.';

/** Errors of single lines shown; the rest is counted. */
const errorsShownMax = 10;

/** How the person typed the field that is wrong, if they typed it. */
type TypedName = (item: ProblemItem) => string | undefined;

/** Any error as a person should read it. */
export function describeFailure(error: unknown, typedName: TypedName = () => undefined): DescribedFailure {
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
  if (error instanceof ApiError) return describeProblem(error, typedName);
  if (error instanceof ConnectionError) return describeConnection(error);
  if (error instanceof SourceError) return { message: error.message, lines: [], exitStatus: 1 };
  if (isPortTaken(error)) return describeTakenPort(error);
  const fault = databaseFault(error);
  const described = fault && describeDatabase(fault);
  if (described) return described;
  return { message: describeUnknown(error), lines: [], exitStatus: 1 };
}

function describeProblem({ problem, retryAfterMs }: ApiError, typedName: TypedName): DescribedFailure {
  const { errors } = problem;
  // The detail of a problem with one error is that error.
  const told = errors.length === 1 && problem.detail.endsWith(errors[0]!.detail) ? [] : errors;
  const lines = told
    .slice(0, errorsShownMax)
    .map((item) => `  ${place(item, typedName)}${item.code}: ${item.detail}`);
  const more = told.length - lines.length;
  if (more > 0) lines.push(`  and ${formatCount(more)} more`);
  const hint = hintFor(problem, retryAfterMs);
  if (hint !== undefined) lines.push(hint);
  return { message: `${detailOf(problem, typedName)} (${problem.code})`, lines, exitStatus: 1 };
}

/** A detail that begins with the part of the request and the pointer of its first error (`body /url: …`) begins with the flag. */
function detailOf({ detail, errors: [first] }: Problem, typedName: TypedName): string {
  const typed = first && typedName(first);
  const [, said] = typed === undefined ? [] : detail.split(/^[a-z]+ \/\S+: /);
  return inCommands(said === undefined ? detail : `${typed}: ${said}`);
}

function inCommands(text: string): string {
  return Object.entries(commandWords).reduce((said, [word, command]) => said.replaceAll(word, command), text);
}

/** What the command line has another word for than the API. */
const commandWords = { 'Millrace-Account': '--account', 'GET /v1/accounts': 'millrace account list' };

function place(item: ProblemItem, typedName: TypedName): string {
  const { line, index, pointer } = item;
  if (line !== undefined) return `line ${line}: `;
  if (index !== undefined) return `message ${index}: `;
  const name = typedName(item) ?? pointer;
  return name === undefined ? '' : `${name}: `;
}

function hintFor({ status, code }: Problem, retryAfterMs: number | undefined): string | undefined {
  if (status === 401) {
    return (
      'The key is taken from MILLRACE_KEY, else from admin.key in the data directory (--data names another one). ' +
      'No key at hand? Start the server once with MILLRACE_ADMIN_KEY=…: that key then works.'
    );
  }
  if (status === 403) return 'Use a key with the scope that this needs: millrace key create --scope …';
  if (code === 'unknown_route') return 'millrace route list shows the routes; millrace route set makes one.';
  if (code === 'quota_exceeded' || code === 'credit_exhausted') return goesOnHint;
  if (code === 'upload_superseded') return 'Another upload of this batch has taken over; let it finish.';
  if (code.startsWith('http_')) return protocolHint;
  if (retryAfterMs !== undefined)
    return `The server asks to try again in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return undefined;
}

const goesOnHint =
  'millrace account show ID tells what is left. What was accepted stays; a file that is sent again goes on behind it.';

function describeConnection(error: ConnectionError): DescribedFailure {
  const hints = {
    unreachable: 'Start a server with: millrace serve. Another address goes into MILLRACE_URL or --url.',
    broken: 'The server may have stopped meanwhile; its log tells. Running the same command again is safe.',
    protocol: protocolHint,
  };
  return { message: error.message, lines: [hints[error.kind]], exitStatus: 1 };
}

interface PortTaken extends NodeJS.ErrnoException {
  address?: string;
  port?: number;
}

function isPortTaken(error: unknown): error is PortTaken {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

function describeTakenPort({ address, port }: PortTaken): DescribedFailure {
  return {
    message: `another program listens on port ${port} of ${address} already (EADDRINUSE)`,
    lines: ['Choose another with --port (0 picks a free one), or end the program that has it.'],
    exitStatus: 1,
  };
}

/** By name: the class would bring the driver, which the commands of a client need not wait for. */
function databaseFault(error: unknown): Fault | undefined {
  return error instanceof Error && error.name === 'DatabaseError' && 'fault' in error
    ? (error.fault as Fault)
    : undefined;
}

/** A fault without a hint is a defect, and keeps its trace. */
function describeDatabase(fault: Fault): DescribedFailure | undefined {
  const hint = adviseFault(fault);
  if (hint === undefined) return undefined;
  // A host name with several addresses fails with an error for each, and none of its own.
  return { message: `the database: ${fault.message || fault.code}`, lines: [hint], exitStatus: 1 };
}

/** Their message tells a person what to do; a trace would only hide it. */
const plainErrors = new Set([
  'SchemaError',
  'AdminKeyError',
  'SecretKeyError',
  'UnopenedRouteError',
  'ReplicaError',
  'OwnFileError',
  'OutboxError',
  'SessionLostError',
  'AbortError',
]);

function describeUnknown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Errors of the system (a missing file, a taken port) carry a code and a message that tells; others are bugs.
  return 'code' in error || plainErrors.has(error.name) ? error.message : (error.stack ?? error.message);
}
