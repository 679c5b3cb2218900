import type { SendError } from '../connector.ts';
import { sendError } from '../send-errors.ts';

/** The error of a request of which no byte has left. */
export function unsentError(fault: Error): SendError {
  const code = codeOf(fault);
  if (code === 'ERR_ADDRESS_NOT_ALLOWED') return sendError('address_not_allowed');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA')
    return sendError('dns_failure', code);
  if (code === 'ECONNREFUSED') return sendError('connection_refused', code);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return sendError('connect_timeout', code);
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') return sendError('sender_closed');
  if (code === 'UND_ERR_INVALID_ARG') return sendError('request_invalid', fault.message);
  if (tlsCode.test(code)) return sendError('tls_failure', code);
  return sendError('connection_failed', code);
}

/** The error of a request that had begun to leave. */
export function lostError(fault: Error): SendError {
  const code = codeOf(fault);
  // Not every error of undici's parser has a code.
  if (fault.name === 'HTTPParserError' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
    return sendError('response_malformed', code);
  }
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return sendError('response_too_large', code);
  return sendError('connection_lost', code === 'UND_ERR_SOCKET' ? fault.message : code);
}

/** OpenSSL's verification results and Node's TLS errors; EPROTO is a handshake that is no TLS. */
const tlsCode =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function codeOf(fault: Error): string {
  const code = (fault as { code?: unknown }).code;
  return typeof code === 'string' ? code : fault.name;
}
