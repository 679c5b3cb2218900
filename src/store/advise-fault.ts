import { type Fault, fileMissing, noWriter, tlsMissing } from './fault.ts';

/** What a person may do about a fault, in a line; undefined for one that is a defect. */
export function adviseFault({ kind, code }: Fault): string | undefined {
  return byCode[code] ?? byClass[code.slice(0, 2)] ?? certificateAdvice(code) ?? byKind[kind];
}

const connections =
  'All its connections are taken. Free some, or raise max_connections or the limit of the role; then run the command again.';
const writable =
  'It is a standby, or default_transaction_read_only is on. Name the primary, or let it write; then run the command again.';
const pooler =
  'A pooler that forgets prepared statements stands before it: set MILLRACE_NAMED_STATEMENTS=false, or use PgBouncer 1.21 with max_prepared_statements.';
const wrongHost =
  'The certificate of its server is for another name: name it in the URL as its certificate does.';
const outOfTime =
  'The certificate of its server is not valid at this time: renew it there, and see whether the clock here is right.';

const byCode: Record<string, string> = {
  '25006': writable,
  '26000': pooler,
  '42P05': pooler,
  '28000':
    'Does its role exist, may it log in, and has pg_hba.conf a line for it from here? (hostssl: with TLS, sslmode in the URL.)',
  '42501':
    'Its role must own the database, or have CONNECT on it and CREATE on its schema: ALTER DATABASE name OWNER TO role; or GRANT CREATE ON SCHEMA public TO role;',
  '53100': 'Its disk is full: make room there, or give it a larger one; then run the command again.',
  '53200': 'Its server is out of memory: see its log and that of the machine; then run the command again.',
  '53300': connections,
  [noWriter]:
    'A failover may be under way. Name every host that may become the primary; then run the command again.',
  [tlsMissing]: 'Turn ssl on in its server, or take sslmode out of the URL where the way there is trusted.',
  [fileMissing]:
    'The files that sslrootcert, sslcert and sslkey of the URL name must be on this machine, readable by this user.',
  ERR_TLS_CERT_ALTNAME_INVALID: wrongHost,
  HOSTNAME_MISMATCH: wrongHost,
  CERT_HAS_EXPIRED: outOfTime,
  CERT_NOT_YET_VALID: outOfTime,
};

/** Classes of SQLSTATEs. */
const byClass: Record<string, string> = {
  '58': 'Its server cannot read or write its disk: see its log and that of the machine.',
};

/** OpenSSL's reasons are many, and of them it is the authority that nobody named as a rule. */
function certificateAdvice(code: string): string | undefined {
  if (code.startsWith('ERR_OSSL_')) {
    return 'What sslrootcert, sslcert and sslkey of the URL name must be a certificate or key in PEM, and the latter two belong together.';
  }
  return /CERT|CRL|SIGNATURE|INVALID_CA/.test(code) ? untrusted : undefined;
}

const untrusted =
  'The certificate of its server is not trusted here: name the one of its authority, ?sslmode=verify-full&sslrootcert=/path/to/ca.pem in the URL.';

/** A fault without one here is a defect. */
const byKind: Partial<Record<Fault['kind'], string>> = {
  unavailable:
    'Is PostgreSQL running there? millrace config show tells which database is meant, and who named it.',
  refused: 'The database option (--database, MILLRACE_DATABASE_URL) names user, password and database.',
  timeout: 'The database was too slow, or something holds a lock. Running the command again is safe.',
  full: 'Make room for the database, or let it take more connections; then run the command again.',
};
