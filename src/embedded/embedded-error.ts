export type EmbeddedErrorCode =
  /** This platform has no PostgreSQL package, or it was not installed. */
  | 'no_package'
  /** The package's programs do not run here. */
  | 'binaries_unusable'
  /** The user that PostgreSQL runs as cannot reach the data directory. */
  | 'data_unreachable'
  /** Another live server has the data directory open. */
  | 'data_in_use'
  /** The data was written by another major version of PostgreSQL. */
  | 'other_major'
  /** initdb or the server failed; the message carries the end of its log. */
  | 'start_failed'
  /** The server did not end in time. */
  | 'stop_failed';

/** The PostgreSQL that comes along cannot serve, and a person must act: the message says what to do. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';
  readonly code: EmbeddedErrorCode;

  constructor(code: EmbeddedErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
