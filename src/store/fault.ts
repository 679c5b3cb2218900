/**
 * Every way in which the database can fail, classified once. Callers look at `kind` and `ambiguous`, never
 * at a SQLSTATE. Codes: PostgreSQL documentation, appendix A.
 *
 * - `unavailable`: away, starting, failing over, read-only, out of connections: the same call works later;
 * - `conflict`: a unique key, a serialization failure or a deadlock;
 * - `timeout`: a statement or lock limit passed;
 * - `full`: no space left, or another resource ran out;
 * - `refused`: wrong password, database or privilege: a person must mend it;
 * - `invalid`: the statement or its data is wrong: a defect of Millrace or a schema that does not fit;
 * - `unknown`: not an error of the database at all.
 */
export interface Fault {
  kind: 'unavailable' | 'conflict' | 'timeout' | 'full' | 'refused' | 'invalid' | 'unknown';
  /** SQLSTATE, or the socket's error code. */
  code: string;
  message: string;
  /** The connection must not be used again. */
  connectionLost: boolean;
  /** The transaction may or may not have been committed. */
  ambiguous: boolean;
  constraint?: string;
}

const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EADDRNOTAVAIL',
  'ECONNABORTED',
  'ENETDOWN',
  'EAI_FAIL',
]);

const kindByCode: Record<string, Fault['kind']> = {
  '23505': 'conflict',
  '40001': 'conflict',
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
  '58030': 'full',
};

const kindByClass: Record<string, Fault['kind']> = {
  '08': 'unavailable',
  '28': 'refused',
  '3D': 'refused',
  '53': 'full',
  '57': 'unavailable',
  '58': 'unavailable',
};

/** Codes after which the server has closed, or will close, the connection. */
const fatalCodes = new Set(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04', '25006']);

export function faultOf(error: unknown): Fault {
  const { code, message, constraint } = describe(error);
  if (socketCodes.has(code)) return lost('unavailable', code, message);
  if (/^[0-9A-Z]{5}$/.test(code)) {
    const kind =
      kindByCode[code] ?? kindByClass[code.slice(0, 2)] ?? (code === '42501' ? 'refused' : 'invalid');
    const connectionLost = fatalCodes.has(code) || code.startsWith('08');
    return { kind, code, message, connectionLost, ambiguous: false, ...(constraint && { constraint }) };
  }
  // The driver's own errors carry no code.
  if (/timeout exceeded when trying to connect/.test(message))
    return lost('unavailable', 'CONNECT_TIMEOUT', message);
  if (/Query read timeout/.test(message)) return lost('timeout', 'QUERY_TIMEOUT', message);
  if (/Connection terminated|Client has encountered a connection error|not queryable/.test(message)) {
    return lost('unavailable', 'CONNECTION_LOST', message);
  }
  return { kind: 'unknown', code, message, connectionLost: false, ambiguous: false };
}

function lost(kind: Fault['kind'], code: string, message: string): Fault {
  return { kind, code, message, connectionLost: true, ambiguous: false };
}

function describe(error: unknown): { code: string; message: string; constraint?: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    message: error.message,
    ...(typeof constraint === 'string' && { constraint }),
  };
}
