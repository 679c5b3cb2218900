/** An option that cannot be obeyed. The message names the option, where its value came from, and why. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: 'invalid_option' | 'unknown_option' | 'not_available';

  constructor(code: ConfigError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
