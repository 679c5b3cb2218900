type SocketFault = 'unavailable' | 'refused' | 'full';

/**
 * What ends a connection, or keeps one from being made, by the code that Node gives: a system's error as libuv names
 * it, an error of Node's own streams, or one of TLS. Answers undefined for a code that no socket gives.
 *
 * What may pass is `unavailable`; where a person must mend a set-up, it is `refused`; `full` is a resource of this
 * process or machine that has run out.
 */
export function socketFault(code: string): SocketFault | undefined {
  const kind = kindByCode.get(code);
  if (kind) return kind;
  // OpenSSL's alerts and reasons, hundreds of them: a handshake cut short by a restart looks like a wrong set-up.
  if (code.startsWith('ERR_SSL_')) return 'unavailable';
  if (code.startsWith('ERR_TLS_') || code.startsWith('ERR_OSSL_')) return 'refused';
  return undefined;
}

/** libuv's names, as `util.getSystemErrorMap()` has them; those that only files give are left out. */
const systemCodes: Record<SocketFault, string> = {
  unavailable: `EADDRINUSE EADDRNOTAVAIL EAGAIN EALREADY EBADF EBUSY ECANCELED ECONNABORTED ECONNREFUSED ECONNRESET
    EDESTADDRREQ EFAULT EHOSTDOWN EHOSTUNREACH EINTR EINVAL EIO EISCONN EMSGSIZE ENETDOWN ENETRESET ENETUNREACH ENODATA
    ENOENT ENONET ENOTCONN ENOTSOCK ENXIO EOF EPIPE EPROTO EREMOTEIO ESHUTDOWN ETIMEDOUT EUNATCH UNKNOWN`,
  refused: `EACCES EAFNOSUPPORT ENAMETOOLONG ENODEV ENOPROTOOPT ENOSYS ENOTDIR ENOTSUP EPERM EPROTONOSUPPORT EPROTOTYPE
    ESOCKTNOSUPPORT`,
  full: 'EMFILE ENFILE ENOBUFS ENOMEM',
};

/** The resolver's. A name that is not found may be found again after a failover, which often is a change of names. */
const resolverCodes: Record<SocketFault, string> = {
  unavailable: `ENOTFOUND EAI_AGAIN EAI_CANCELED EAI_FAIL EAI_NODATA EAI_NONAME ESERVFAIL ETIMEOUT ECONNREFUSED`,
  refused: `EAI_ADDRFAMILY EAI_BADFLAGS EAI_BADHINTS EAI_FAMILY EAI_OVERFLOW EAI_PROTOCOL EAI_SERVICE EAI_SOCKTYPE`,
  full: 'EAI_MEMORY',
};

/** Node's own (its documentation, "Errors"). */
const nodeCodes: Record<SocketFault, string> = {
  unavailable: `ERR_SOCKET_CLOSED ERR_SOCKET_CLOSED_BEFORE_CONNECTION ERR_SOCKET_CONNECTION_TIMEOUT
    ERR_STREAM_DESTROYED ERR_STREAM_PREMATURE_CLOSE ERR_STREAM_WRITE_AFTER_END ERR_STREAM_ALREADY_FINISHED
    ERR_STREAM_UNABLE_TO_PIPE ERR_TLS_HANDSHAKE_TIMEOUT ABORT_ERR`,
  refused: 'ERR_SOCKET_BAD_PORT ERR_SOCKET_BAD_TYPE ERR_INVALID_IP_ADDRESS',
  full: '',
};

/** Why a certificate is not trusted (Node's documentation, "X509 certificate error codes"). */
const certificateCodes: Record<SocketFault, string> = {
  unavailable: '',
  refused: `CERT_CHAIN_TOO_LONG CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_REJECTED CERT_REVOKED CERT_SIGNATURE_FAILURE
    CERT_UNTRUSTED CRL_HAS_EXPIRED CRL_NOT_YET_VALID CRL_SIGNATURE_FAILURE DEPTH_ZERO_SELF_SIGNED_CERT
    ERROR_IN_CERT_NOT_AFTER_FIELD ERROR_IN_CERT_NOT_BEFORE_FIELD ERROR_IN_CRL_LAST_UPDATE_FIELD
    ERROR_IN_CRL_NEXT_UPDATE_FIELD HOSTNAME_MISMATCH INVALID_CA INVALID_PURPOSE PATH_LENGTH_EXCEEDED
    SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY UNABLE_TO_DECRYPT_CERT_SIGNATURE
    UNABLE_TO_DECRYPT_CRL_SIGNATURE UNABLE_TO_GET_CRL UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    UNABLE_TO_VERIFY_LEAF_SIGNATURE`,
  full: 'OUT_OF_MEM',
};

const kindByCode = new Map(
  [systemCodes, resolverCodes, nodeCodes, certificateCodes].flatMap((table) =>
    Object.entries(table).flatMap(([kind, codes]) =>
      codes
        .split(/\s+/)
        .filter((code) => code !== '')
        .map((code) => [code, kind as SocketFault] as const),
    ),
  ),
);
