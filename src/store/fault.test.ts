import { getSystemErrorMap } from 'node:util';
import { expect, test } from 'vitest';
import { describeFault } from './describe-fault.ts';
import { faultOf } from './fault.ts';

function coded(code: string): Error {
  return Object.assign(new Error('it failed'), { code });
}

/** Errors of libuv that files, pipes, directories, terminals or conversions give, and sockets never. */
const notOfSockets = new Set(
  `E2BIG ECHARSET EEXIST EFBIG EFTYPE EILSEQ EISDIR ELOOP EMLINK ENOEXEC ENOSPC ENOTEMPTY ENOTTY EOVERFLOW ERANGE EROFS ESPIPE
  ESRCH ETXTBSY EXDEV`.split(/\s+/),
);

test('every error that the system gives for a socket is classified, and the connection not used again', () => {
  const codes = [...getSystemErrorMap().values()].map(([code]) => code);
  expect(codes.length).toBeGreaterThan(70);
  for (const code of codes.filter((name) => !notOfSockets.has(name))) {
    const { kind, connectionLost, ambiguous } = faultOf(coded(code));
    expect.soft(['unavailable', 'refused', 'full'], code).toContain(kind);
    expect.soft({ connectionLost, ambiguous }, code).toEqual({ connectionLost: true, ambiguous: false });
  }
});

test('an error of a file is not taken for one of the database', () => {
  for (const code of notOfSockets) {
    expect.soft(faultOf(coded(code)).kind, code).toBe('unknown');
  }
});

test.each([
  ['ECONNRESET', 'unavailable'],
  ['ENOTFOUND', 'unavailable'],
  ['EAI_AGAIN', 'unavailable'],
  ['EACCES', 'refused'],
  ['EMFILE', 'full'],
  ['ERR_SOCKET_CLOSED', 'unavailable'],
  ['ERR_STREAM_DESTROYED', 'unavailable'],
  ['ERR_STREAM_WRITE_AFTER_END', 'unavailable'],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'unavailable'],
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'unavailable'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'unavailable'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'refused'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'refused'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'refused'],
  ['CERT_HAS_EXPIRED', 'refused'],
])('the socket error %s is %s', (code, kind) => {
  expect(faultOf(coded(code))).toMatchObject({ kind, code, connectionLost: true, ambiguous: false });
});

test.each([
  ['23505', 'conflict', false],
  ['40000', 'conflict', false],
  ['40001', 'conflict', false],
  ['40002', 'conflict', false],
  ['40P01', 'conflict', false],
  ['55P03', 'timeout', false],
  ['57014', 'timeout', false],
  ['25P03', 'timeout', true],
  ['25006', 'unavailable', true],
  ['08006', 'unavailable', true],
  ['08P01', 'unavailable', true],
  ['53300', 'unavailable', false],
  ['57P01', 'unavailable', true],
  ['57P03', 'unavailable', true],
  ['53100', 'full', false],
  ['58030', 'unavailable', false],
  ['26000', 'refused', false],
  ['42P05', 'refused', false],
  ['0A000', 'invalid', false],
  ['28P01', 'refused', false],
  ['3D000', 'refused', false],
  ['42501', 'refused', false],
  ['42P01', 'invalid', false],
  ['22P02', 'invalid', false],
  ['XX000', 'invalid', false],
])('SQLSTATE %s is %s', (code, kind, connectionLost) => {
  expect(faultOf(coded(code))).toMatchObject({ kind, code, connectionLost, ambiguous: false });
});

test.each(['40003', '08007'])('SQLSTATE %s leaves open whether the transaction was committed', (code) => {
  expect(faultOf(coded(code))).toMatchObject({ kind: 'unavailable', connectionLost: true, ambiguous: true });
});

test('a wait for the pool is told apart from one for the server', () => {
  const pool = faultOf(new Error('timeout exceeded when trying to connect'));
  const server = faultOf(new Error('Connection terminated due to connection timeout'));
  expect(describeFault(pool)).toMatch(/no connection to the database became free/);
  expect(describeFault(server)).toBe('the database is not reachable');
});

test.each([
  ['timeout exceeded when trying to connect', 'unavailable'],
  ['Connection terminated due to connection timeout', 'unavailable'],
  ['timeout expired', 'unavailable'],
  ['Query read timeout', 'timeout'],
  ['Connection terminated unexpectedly', 'unavailable'],
  ['Client was closed and is not queryable', 'unavailable'],
  ['Received unexpected commandComplete message from backend.', 'unavailable'],
  ['There was an error establishing an SSL connection', 'unavailable'],
  ['The server does not support SSL connections', 'refused'],
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'refused'],
])('the driver’s “%s” is %s', (message, kind) => {
  expect(faultOf(new Error(message))).toMatchObject({ kind, connectionLost: true });
});

test.each(['26000', '42P05'])('of SQLSTATE %s it is told which option to set behind a pooler', (code) => {
  expect(describeFault(faultOf(coded(code)))).toMatch(/pooler.*namedStatements/);
});

test('a disk that cannot be read is not told as one that is full', () => {
  expect(describeFault(faultOf(coded('58030')))).toMatch(/cannot read or write its disk/);
});

test('what is no error of the database is unknown', () => {
  expect(faultOf(new Error('a reason of its own'))).toMatchObject({ kind: 'unknown', connectionLost: false });
});
