import { expect, test } from 'vitest';
import { adviseFault } from './advise-fault.ts';
import { faultOf } from './fault.ts';

function adviceOn(code: string, { message = 'it failed', syscall = 'connect' } = {}): string | undefined {
  return adviseFault(faultOf(Object.assign(new Error(message), { code, syscall })));
}

test.each([
  ['ECONNREFUSED', /Is PostgreSQL running there/],
  ['28P01', /names user, password and database/],
  ['3D000', /names user, password and database/],
  ['28000', /pg_hba\.conf/],
  ['42501', /GRANT CREATE ON SCHEMA/],
  ['25006', /standby, or default_transaction_read_only/],
  ['53100', /disk is full/],
  ['53200', /out of memory/],
  ['53300', /max_connections/],
  ['58030', /cannot read or write its disk/],
  ['58P01', /cannot read or write its disk/],
  ['42P05', /MILLRACE_NAMED_STATEMENTS=false/],
  ['SELF_SIGNED_CERT_IN_CHAIN', /sslrootcert=/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /sslrootcert=/],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', /sslrootcert=/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /for another name/],
  ['CERT_HAS_EXPIRED', /not valid at this time/],
  ['ERR_OSSL_PEM_NO_START_LINE', /in PEM/],
])('%s is advised on by what it is', (code, advice) => {
  expect(adviceOn(code)).toMatch(advice);
});

test('a file that the URL names and that is not there is no socket that is away', () => {
  const file = { message: 'ENOENT: no such file or directory, open ca.pem', syscall: 'open' };
  expect(adviceOn('ENOENT', file)).toMatch(/sslrootcert, sslcert and sslkey/);
  expect(faultOf(Object.assign(new Error(file.message), { code: 'ENOENT', ...file })).kind).toBe('refused');
  expect(adviceOn('ENOENT')).toMatch(/Is PostgreSQL running there/);
});

test('a server without room to let anybody in is one with a full disk', () => {
  const message = 'could not write init file: No space left on device';
  expect(adviceOn('XX000', { message })).toMatch(/disk is full/);
});

test('on a defect there is no advice', () => {
  expect(adviceOn('42P01')).toBeUndefined();
  expect(adviceOn('22P02')).toBeUndefined();
});
