import { socketFault } from './socket-fault.ts';

/**
 * Every way in which the database can fail, classified once. Callers look at `kind` and `ambiguous`, never
 * at a SQLSTATE. Codes: PostgreSQL documentation, appendix A.
 *
 * - `unavailable`: away, starting, failing over, read-only, out of connections: the same call works later;
 * - `conflict`: a unique key, or a transaction that was rolled back for others: a serialization failure, a deadlock;
 * - `timeout`: a statement or lock limit passed;
 * - `full`: no space left, or another resource ran out;
 * - `refused`: wrong password, database, privilege, certificate or pooler: a person must mend it;
 * - `invalid`: the statement or its data is wrong: a defect of Millrace or a schema that does not fit;
 * - `unknown`: not an error of the database at all.
 */
export interface Fault {
  kind: 'unavailable' | 'conflict' | 'timeout' | 'full' | 'refused' | 'invalid' | 'unknown';
  /** SQLSTATE, the socket's error code, or one of our own where there is none. */
  code: string;
  message: string;
  /** The connection must not be used again. */
  connectionLost: boolean;
  /** The transaction may or may not have been committed. */
  ambiguous: boolean;
  constraint?: string;
}

const kindByCode: Record<string, Fault['kind']> = {
  '23505': 'conflict',
  '40001': 'conflict',
  '40003': 'unavailable',
  '40P01': 'conflict',
  '55P03': 'timeout',
  '57014': 'timeout',
  '25P03': 'timeout',
  '25P04': 'timeout',
  '25006': 'unavailable',
  '53300': 'unavailable',
  '57P01': 'unavailable',
  '57P02': 'unavailable',
  '57P03': 'unavailable',
  '57P04': 'unavailable',
  '57P05': 'unavailable',
  '58000': 'unavailable',
  '53000': 'full',
  '53100': 'full',
  '53200': 'full',
  // A pooler between gives each transaction another connection, which does not know the names of before.
  '26000': 'refused',
  '42P05': 'refused',
};

const kindByClass: Record<string, Fault['kind']> = {
  '08': 'unavailable',
  '28': 'refused',
  '3D': 'refused',
  '40': 'conflict',
  '53': 'full',
  '57': 'unavailable',
  '58': 'unavailable',
};

/** Codes after which the server has closed, or will close, the connection, or is not the one to talk to. */
const fatalCodes = new Set(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04', '25006', '40003']);

/** `statement_completion_unknown` and `transaction_resolution_unknown`: the server itself cannot tell. */
const ambiguousCodes = new Set(['40003', '08007']);

export function faultOf(error: unknown): Fault {
  const { code, message, constraint, routine, syscall } = describe(error);
  if (code === fileMissing || (syscall === 'open' && fileCodes.has(code)))
    return lost('refused', fileMissing, message);
  if (noRoomToStart.test(message)) return lost('full', '53100', message);
  const socket = socketFault(code);
  if (socket) return lost(socket, code, message);
  if (code === '0A000' && routine === planRoutine) return lost('unavailable', planOutdated, message);
  if (code === '08P01' && poolersRefusal.test(message)) return lost('refused', settingRefused, message);
  // No class of SQLSTATEs begins with an E, as the system's codes do.
  if (/^(?!E)[0-9A-Z]{5}$/.test(code)) {
    const kind =
      kindByCode[code] ?? kindByClass[code.slice(0, 2)] ?? (code === '42501' ? 'refused' : 'invalid');
    const connectionLost = fatalCodes.has(code) || code.startsWith('08');
    const ambiguous = ambiguousCodes.has(code);
    return { kind, code, message, connectionLost, ambiguous, ...(constraint && { constraint }) };
  }
  // Of several hosts that cannot be used the code tells more than the words.
  const known =
    driverErrors.find((one) => one.code === code) ?? driverErrors.find(({ says }) => says.test(message));
  if (known) return lost(known.kind, known.code, message);
  return { kind: 'unknown', code, message, connectionLost: false, ambiguous: false };
}

/** The SQLSTATE of a write where nothing may be written. */
export const readOnlyCode = '25006';
/** The code of a database none of whose hosts takes writes, though some answer. */
export const noWriter = 'NO_WRITER';
/** The code of a wait for a connection of the pool: all of them were in use, or being made, for as long as it waits. */
export const noneFree = 'NO_CONNECTION_FREE';
/** The code of a prepared statement that a migration has made useless. Nothing was done; another connection has none. */
export const planOutdated = 'PLAN_OUTDATED';
/** The code of a connection that a pooler refuses for a setting that it was to begin with. */
export const settingRefused = 'SETTING_REFUSED';
/** PgBouncer's words; it speaks no other language. */
const poolersRefusal = /^unsupported startup parameter/;
/** The code of a server that has no TLS, where the URL asks for it. */
export const tlsMissing = 'TLS_MISSING';
/** The code of a file that the URL names, and that cannot be opened: of a certificate, or a key. */
export const fileMissing = 'TLS_FILE_MISSING';
/** The driver opens no other file; a socket in the file system is connected to. */
const fileCodes = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);
/** A server with a full disk lets nobody in where it has to write what it keeps of its catalogue: an internal error (XX000). */
const noRoomToStart = /^could not write init file: No space left on device/;
/** Where the server says so: the message depends on its language, and 0A000 is any feature that it does not have. */
const planRoutine = 'RevalidateCachedQuery';

/** By what they say, as the driver's own errors carry no code (pg 8: client, connection, pool and its SASL exchange). */
const driverErrors: { says: RegExp; kind: Fault['kind']; code: string }[] = [
  { says: /^no host takes writes/, kind: 'unavailable', code: noWriter },
  // A connection of the pool was waited for, not one to the server.
  { says: /timeout exceeded when trying to connect/, kind: 'unavailable', code: noneFree },
  { says: /due to connection timeout|^timeout expired$/, kind: 'unavailable', code: 'CONNECT_TIMEOUT' },
  { says: /Query read timeout/, kind: 'timeout', code: 'QUERY_TIMEOUT' },
  {
    says: /Connection terminated|Client has encountered a connection error|not queryable|Received unexpected/,
    kind: 'unavailable',
    code: 'CONNECTION_LOST',
  },
  { says: /error establishing an SSL connection/, kind: 'unavailable', code: 'TLS_FAILED' },
  { says: /server does not support SSL connections/, kind: 'refused', code: tlsMissing },
  { says: /^SASL: /, kind: 'refused', code: 'SASL_FAILED' },
];

function lost(kind: Fault['kind'], code: string, message: string): Fault {
  return { kind, code, message, connectionLost: true, ambiguous: false };
}

function describe(error: unknown): {
  code: string;
  message: string;
  constraint?: string;
  routine?: unknown;
  syscall?: unknown;
} {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const { code, constraint, routine, syscall } = error as Error & Record<string, unknown>;
  return {
    code: typeof code === 'string' ? code : '',
    message: error.message,
    routine,
    syscall,
    ...(typeof constraint === 'string' && { constraint }),
  };
}
