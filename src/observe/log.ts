import { type Logger, pino } from 'pino';
import { serializeError } from './serialize-error.ts';

export type { Logger } from 'pino';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/**
 * JSON lines on stdout. Call sites log named fields, never a request's headers, a body, or a route's
 * options; the redaction is the second line of defence, for a field that carries a secret by accident.
 */
export function createLog(settings: {
  level: LogLevel;
  name?: string;
  /** Gets each line as well. */
  also?: { write(line: string): void } | undefined;
}): Logger {
  const { level, also } = settings;
  const options = {
    level,
    base: { pid: process.pid, ...(settings.name && { name: settings.name }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: serializeError },
    redact: { paths: secretPaths, censor: '(secret)' },
  };
  if (also === undefined || level === 'silent') return pino(options);
  const stdout = pino.destination({ fd: 1, sync: true });
  return pino(
    options,
    pino.multistream([
      { level, stream: stdout },
      { level, stream: also },
    ]),
  );
}

const secretNames = ['authorization', 'password', 'key', 'apiKey', 'adminKey', 'headers', 'options', 'url'];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`]);
